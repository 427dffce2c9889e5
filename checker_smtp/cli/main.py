"""The group of all commands, and the end of each: its exit code or its error.

Wrong usage is one sentence on standard error and the exit code 3, because 2 means critical to a monitoring
system. An interrupt exits at once with 130.
"""

import pkgutil
import sys
import traceback
from importlib import import_module
from typing import NoReturn

import click

from checker_smtp import __version__

from . import commands

__all__ = ["find_commands", "main"]

_USAGE, _INTERRUPTED = 3, 130
# Characters of an error message. A longer one loses its middle, which is text from outside: a sentence begins
# with the fault and ends with the remedy.
_MAX_MESSAGE = 300
# errors in the user's input, which the packages below report with one sentence
_USER_ERRORS = {"CaseError", "OptionError", "ResolverUnavailable"}


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        code = _group(prog_name="checker-smtp", standalone_mode=False) or 0
    except click.ClickException as error:
        _exit_with_error(_error_message(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - Python's exit code 1 would mean "warnings" here
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if "ReplayMismatch" in kinds:
            _exit_with_error(*str(error).split("\n"))
        if _USER_ERRORS & kinds:
            _exit_with_error(str(error))
        traceback.print_exc()
        _exit_with_error("this is a bug in checker-smtp: please report it with all of the above")
    except BaseExceptionGroup as group:
        # trio wraps an interrupt in the exception groups of its tasks
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        sys.exit(_INTERRUPTED)
    sys.exit(code)


class _Commands(click.Group):
    """The modules of `commands`. Only the one that is used is imported, so that the start is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = getattr(import_module(f"{commands.__name__}.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - the rule for the modules of `commands`
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(__version__, prog_name="checker-smtp", message="%(prog)s %(version)s")
def _group() -> None:
    """Check whether a domain can receive mail. No mail is ever sent: every session stops at RCPT.

    \b
        checker-smtp check example.com

    Exit codes are those of monitoring plugins: 0 nothing to fix, 1 warnings, 2 critical findings,
    3 unknown or wrong usage.
    """


def find_commands() -> dict[str, click.Command]:
    """Return all commands by name."""
    context = click.Context(_group)
    found = {name: _group.get_command(context, name) for name in _group.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def _error_message(error: click.ClickException) -> str:
    """Return click's message, for a usage error with the command that prints the help."""
    message = error.format_message().rstrip(".")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message += f" ({error.ctx.command_path} --help has the details)"
    return message


def _exit_with_error(*lines: str) -> NoReturn:
    """Print the error and exit. It is escaped and cut, because it may contain text from outside."""
    from checker_smtp.report.visible import visible

    room = (_MAX_MESSAGE - len("checker-smtp: ")) // len(lines) - 1
    click.echo("checker-smtp: " + "\n".join(_shorten(visible(line), room) for line in lines), err=True)
    sys.exit(_USAGE)


def _shorten(line: str, room: int) -> str:
    half = (room - len(" … ")) // 2
    return line if len(line) <= room else f"{line[:half]} … {line[-half:]}"
