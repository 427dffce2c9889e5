"""The command line: `check`, `replay`, `demo`, `rules`, and the group of all commands.

A command imports its modules when it runs, so that `--version` and `--help` are fast. Wrong usage is one
sentence on standard error and the exit code 3, because 2 means critical to a monitoring system. An interrupt
exits at once with 130.
"""

import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import click

from checker_smtp.report.formats import FORMATS, render

from . import __version__
from .arguments import backend_option, check_options, dns_timeout, options_from, print_notes, resolver_address
from .cli_reports import diff, explain, schema, terminal_of
from .cli_scan import scan
from .cli_selftest import vantage
from .cli_serve import healthcheck, serve
from .cli_summary import summary

if TYPE_CHECKING:
    from checker_smtp.probes.options import Options
    from checker_smtp.probes.result import Result

    from .api import Backend, RunContext

__all__ = ["main"]

_EXIT = {"ok": 0, "info": 0, "warning": 1, "critical": 2, "unknown": 3}
_USAGE, _INTERRUPTED = 3, 130
_USER_ERRORS = (
    ("checker_smtp.backends.recording.case", "CaseError"),
    ("checker_smtp.backends.dns.resolver", "ResolverUnavailable"),
    ("checker_smtp.backends.recording.player", "ReplayMismatch"),
    ("checker_smtp.probes.options", "OptionError"),
)
_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        code = _commands(prog_name="checker-smtp", standalone_mode=False) or 0
    except click.ClickException as error:
        _exit_with_error(_error_message(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - Python's exit code 1 would mean "warnings" here
        if _is_user_error(error):
            _exit_with_error(str(error))
        traceback.print_exc()
        _exit_with_error("this is a bug in checker-smtp: please report it with all of the above")
    except BaseExceptionGroup as group:
        # trio wraps an interrupt in the exception groups of its tasks
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        sys.exit(_INTERRUPTED)
    sys.exit(code)


def _error_message(error: click.ClickException) -> str:
    """Return click's message, for a usage error with the command that prints the help."""
    message = error.format_message().rstrip(".")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message += f" ({error.ctx.command_path} --help has the details)"
    return message


def _exit_with_error(message: str) -> NoReturn:
    """Print the error and exit. The message is escaped, because it may contain text from a recorded case."""
    from checker_smtp.report.visible import visible

    lines = [visible(line) for line in message.split("\n")]
    click.echo("checker-smtp: " + "\n".join(lines), err=True)
    sys.exit(_USAGE)


def _is_user_error(error: Exception) -> bool:
    """Return True for an error in the user's input, which the packages below report with one sentence."""
    # the class of a raised error is loaded; the other modules need not be
    classes = (getattr(sys.modules.get(module), name, None) for module, name in _USER_ERRORS)
    return isinstance(error, tuple(filter(None, classes)))


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(__version__, prog_name="checker-smtp", message="%(prog)s %(version)s")
def _commands() -> None:
    """Check whether a domain can receive mail. No mail is ever sent: every session stops at RCPT.

    \b
        checker-smtp check example.com

    Exit codes are those of monitoring plugins: 0 nothing to fix, 1 warnings, 2 critical findings,
    3 unknown or wrong usage.
    """


def _output_options(command: _F) -> _F:
    for option in (
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Write the report to FILE, completely or not at all.",
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice(list(FORMATS)),
            default="text",
            show_default=True,
            help="text and html are for people, json for programs, the others for monitoring systems.",
        ),
    ):
        command = option(command)
    return command


@_commands.command()
@click.argument("domain")
@_output_options
@check_options
@click.option("--resolver", metavar="ADDR[:PORT]", help="DNS server to use in place of the system's.")
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Record the whole check in this new folder, for replay.",
)
@backend_option()
def check(
    domain: str,
    form: str,
    output: Path | None,
    backend: str,
    resolver: str | None,
    record: Path | None,
    **given: Any,
) -> int:
    """Check whether DOMAIN can receive mail."""
    options = options_from(domain, given)
    server = resolver_address(resolver)

    # imported after the arguments are checked, so that a typing error is reported at once
    from checker_smtp.backends.network import Network
    from checker_smtp.backends.recording.case import require_empty
    from checker_smtp.backends.recording.record_backend import Recording

    from .api import RunContext
    from .output import Output

    network = Network(*server, dns_timeout())
    print_notes(network.resolver.notes)
    if record is not None:
        require_empty(record)
    out = Output(output)
    recording = Recording(network)
    context = RunContext()
    result = _check(options, recording if record else network, resolver or "", backend, context)
    if record is not None:
        recording.save(record, options, result, seed=context.seed)
    out.write(render(result, form, terminal_of(to_file=out.to_file)))
    return _EXIT[result.status]


def _check(
    options: "Options", backend: "Backend", resolver_name: str, loop: str, context: "RunContext"
) -> "Result":
    import anyio

    from checker_smtp.probes.check import ResolverError

    from .api import check

    run = partial(check, resolver_name=resolver_name, context=context)
    try:
        if not _is_terminal(sys.stderr):
            return anyio.run(run, options, backend, backend=loop)
        from rich.console import Console

        from .progress import Progress

        with Progress(backend, Console(stderr=True)) as progress:
            return anyio.run(partial(run, pause=progress.pause), options, progress, backend=loop)
    except ResolverError as error:
        raise click.UsageError(
            f"the resolver {resolver_name or 'of this system'} {error.problem} ({error.detail}): "
            "give another one with --resolver ADDR[:PORT]"
        ) from None


@_commands.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_output_options
def replay(folder: Path, form: str, output: Path | None) -> int:
    """Evaluate the recorded check in DIR again, without a network."""
    import anyio

    from .api import replay
    from .output import Output

    out = Output(output)
    result = anyio.run(replay, folder)
    out.write(render(result, form, terminal_of(to_file=out.to_file)))
    return _EXIT[result.status]


@_commands.command()
@backend_option()
@click.option(
    "--report",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write DIR/report.html, with a page for each domain beside it.",
)
def demo(backend: str, folder: Path | None) -> None:
    """Check the domains of an embedded lab.

    The lab runs on loopback, in this process, and needs no network and no privilege.
    """
    import anyio

    from .demo.run import run_demo, write_pages

    results = anyio.run(run_demo, click.echo, backend=backend)
    if folder is not None:
        click.echo(f"\nHTML reports: {write_pages(results, folder)}")


@_commands.command()
def rules() -> None:
    """List the rules and the codes of their findings."""
    from checker_smtp.probes.rules import RULES

    from .output import Output

    lines = []
    for rule in RULES.values():
        lines.append(f"{rule.name} ({rule.severity}): {rule.description}")
        lines += [f"    {code.code:28} {code.severity:5} {code.title}" for code in rule.codes]
    Output(None).write("\n".join(lines) + "\n")


for _command in (diff, explain, healthcheck, scan, schema, serve, summary, vantage):
    _commands.add_command(_command)


def _is_terminal(stream: TextIO | None) -> bool:
    # None stands for a stream that was closed before Python started
    return stream is not None and stream.isatty()
