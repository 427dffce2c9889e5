"""The command line: `check`, `replay`, `demo`, `rules`.

Whatever a command needs is imported when it runs, so that `--version` and `--help` are quick. Wrong usage
is one sentence on standard error and the exit code 3, because 2 means critical to whoever monitors with
this; an interrupt ends at once with 130.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from . import __version__

if TYPE_CHECKING:
    from probes.options import Options
    from probes.result import Result

    from .facade import Backend, Moment

__all__ = ["main"]

_EXIT = {"ok": 0, "info": 0, "warning": 1, "critical": 2, "unknown": 3}
_USAGE, _INTERRUPTED = 3, 130
_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        sys.exit(_commands(standalone_mode=False) or 0)
    except click.ClickException as error:
        _refuse(error.format_message())
    except Exception as error:
        if not _is_refusal(error):
            raise
        _refuse(str(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_INTERRUPTED)
    except BaseExceptionGroup as group:
        # trio wraps an interrupt in the groups of the tasks it met
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(_USAGE)


def _refuse(sentence: str) -> NoReturn:
    click.echo(f"checker-smtp: {sentence}", err=True)
    sys.exit(_USAGE)


def _is_refusal(error: Exception) -> bool:
    """Whether this is what the packages below say about input that cannot be used."""
    from backends.case import CaseError
    from backends.dns import ResolverUnavailable
    from backends.replay import ReplayMismatch
    from probes.options import OptionError

    return isinstance(error, CaseError | OptionError | ReplayMismatch | ResolverUnavailable)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(__version__, prog_name="checker-smtp", message="%(prog)s %(version)s")
def _commands() -> None:
    """Can this domain receive mail correctly? Nothing is ever sent: every dialogue stops at RCPT."""


def _output_options(command: _F) -> _F:
    for option in (
        click.option(
            "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
        ),
        click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file."),
    ):
        command = option(command)
    return command


@_commands.command()
@click.argument("domain")
@_output_options
@click.option("--backend", type=click.Choice(["asyncio", "trio"]), default="asyncio", show_default=True)
@click.option("--timeout", type=float, default=12.0, show_default=True, help="Longest silence, in seconds.")
@click.option("--helo-name", default="mx-checker.happydomain.org", show_default=True)
@click.option("--no-null-sender", is_flag=True, help="Do not test the null sender.")
@click.option("--no-postmaster", is_flag=True, help="Do not test postmaster.")
@click.option("--no-open-relay", is_flag=True, help="Do not test relaying.")
@click.option(
    "--probe-address", default="postmaster@example.com", show_default=True, help="Outside recipient."
)
@click.option("--resolver", metavar="ADDR[:PORT]", help="DNS server to ask instead of the system's.")
@click.option("--ipv4", is_flag=True, help="Only over IPv4.")
@click.option("--ipv6", is_flag=True, help="Only over IPv6.")
@click.option("--port", type=int, default=25, show_default=True)
@click.option("--allow-target", multiple=True, metavar="CIDR", help="Dial these addresses though not public.")
@click.option("--record", type=click.Path(path_type=Path), metavar="DIR", help="Keep the check as a case.")
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
    from backends.case import require_empty
    from backends.case_files import Header
    from backends.network import Network
    from backends.recording import Recording

    from .facade import Moment
    from .output import Output

    options = _options(domain, given)
    network = Network(*_resolver(resolver))
    if record is not None:
        require_empty(record)
    recording = Recording(network)
    moment = Moment()
    with Output(output) as out:
        result = _check(options, recording if record else network, resolver or "", backend, moment)
        if record is not None:
            header = Header(
                version=__version__,
                run_at=moment.run_at,
                seed=moment.seed,
                seconds=result.observation.seconds,
                resolver=resolver or "",
                options=options,
            )
            found = [(finding.code, finding.subject) for finding in result.findings]
            recording.write(record, header, found)
        out.write(_told(result, form, to_file=output is not None))
    return _EXIT[result.status]


def _check(
    options: "Options", backend: "Backend", resolver_name: str, loop: str, moment: "Moment"
) -> "Result":
    import anyio

    from probes.check import ResolverError

    from .facade import check

    run = partial(check, resolver_name=resolver_name, moment=moment)
    try:
        if not sys.stderr.isatty():
            return anyio.run(run, options, backend, backend=loop)
        from rich.console import Console

        from .progress import Progress

        with Progress(backend, Console(stderr=True)) as shown:
            return anyio.run(run, options, shown, backend=loop)
    except ResolverError as error:
        raise click.UsageError(
            f"the resolver {resolver_name or 'of this system'} does not answer ({error.detail}): "
            "give one that does with --resolver ADDR[:PORT]"
        ) from None


@_commands.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_output_options
def replay(folder: Path, form: str, output: Path | None) -> int:
    """Judge the recorded check in DIR again, without any network."""
    import anyio

    from .facade import replay
    from .output import Output

    with Output(output) as out:
        result = anyio.run(replay, folder)
        out.write(_told(result, form, to_file=output is not None))
    return _EXIT[result.status]


@_commands.command()
@click.option("--backend", type=click.Choice(["asyncio", "trio"]), default="asyncio", show_default=True)
def demo(backend: str) -> None:
    """Check the domains of an embedded lab on loopback; needs no network and no privilege."""
    import anyio

    from .demo.run import run_demo

    anyio.run(run_demo, click.echo, backend=backend)


@_commands.command()
def rules() -> None:
    """List the rules and the codes of their findings."""
    from probes.rules import RULES

    for rule in RULES.values():
        click.echo(f"{rule.name} ({rule.severity}): {rule.description}")
        for code in rule.codes:
            click.echo(f"    {code.code:28} {code.severity:5} {code.title}")


def _options(domain: str, given: dict[str, Any]) -> "Options":
    from probes.options import Options

    one_family = given["ipv4"] != given["ipv6"]
    return Options(
        domain=domain,
        timeout=given["timeout"],
        helo_name=given["helo_name"],
        test_null_sender=not given["no_null_sender"],
        test_postmaster=not given["no_postmaster"],
        test_open_relay=not given["no_open_relay"],
        test_probe_address=given["probe_address"],
        port=given["port"],
        ipv4=given["ipv4"] or not one_family,
        ipv6=given["ipv6"] or not one_family,
        allow_targets=given["allow_target"],
    )


def _resolver(text: str | None) -> tuple[str | None, int]:
    """(address, port) of `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1` or `[2001:db8::1]:53`."""
    from ipaddress import ip_address

    if text is None:
        return None, 53
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        address = str(ip_address(host))
        number = int(port) if port.isascii() and port.isdigit() else 0
    except ValueError:
        number = 0
    if not 1 <= number <= 65535:
        raise click.UsageError(
            f"{text!r} is no resolver: give an IP address, as in 9.9.9.9, 127.0.0.1:5353 or [::1]:5353"
        )
    return address, number


def _told(result: "Result", form: str, *, to_file: bool) -> str:
    if form == "json":
        from report.document import dump

        return dump(result)
    import os
    import shutil

    from report.text import render_text

    terminal = sys.stdout.isatty() and not to_file
    encoding = "utf-8" if to_file else (sys.stdout.encoding or "ascii")
    return render_text(
        result,
        width=min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120) if terminal else 100,
        colour=terminal and not os.environ.get("NO_COLOR"),
        ascii_only=not encoding.lower().replace("-", "").startswith("utf"),
    )
