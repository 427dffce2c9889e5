"""The group of all commands, and the end of each: its exit code or its error.

Wrong usage is one sentence on standard error and the exit code 3, because 2 means critical to a monitoring
system. An interrupt exits at once with 130.
"""

import pkgutil
import sys
import traceback
from importlib import import_module
from keyword import iskeyword
from typing import NoReturn

import click

from checker_smtp import __version__

from . import commands
from .arguments import INTERRUPTED
from .option_names import commands_of
from .user_errors import user_error

__all__ = ["find_commands", "group", "main"]

_USAGE = 3


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        code = group(prog_name="checker-smtp", standalone_mode=False) or 0
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - Python's exit code 1 would mean "warnings" here
        if (message := user_error(error)) is not None:
            _exit_with_error(message)
        traceback.print_exc()
        _exit_with_error(
            "this is a bug: please report it with all of the above to checker-smtp, or to the package of the "
            "rule that raised it"
        )
    except BaseExceptionGroup as errors:
        # trio wraps an interrupt in the exception groups of its tasks
        if errors.subgroup(KeyboardInterrupt) is None:
            raise
        sys.exit(INTERRUPTED)
    sys.exit(code)


class _Commands(click.Group):
    """The modules of `commands`. Only the one that is used is imported, so that the start is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(module.name.rstrip("_") for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        # PEP 8's spelling of a name that Python keeps for itself
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command = getattr(import_module(f"{commands.__name__}.{name}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 - the rule for the modules of `commands`
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, as click does, and propose one in the error about an unknown one."""
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        raise click.UsageError(f"No such command {name!r}: {self._proposal(ctx, name)}", ctx)

    def _proposal(self, ctx: click.Context, name: str) -> str:
        from difflib import get_close_matches

        domain = name.rpartition("@")[2]
        if "." in domain and not domain.startswith((".", "/")):
            return f"to check the domain, type checker-smtp check {domain}"
        near = get_close_matches(name, self.list_commands(ctx), n=1)
        return f"{near[0]!r} is near to it" if near else f"give one of {', '.join(self.list_commands(ctx))}"


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="checker-smtp", message="%(prog)s %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """Check whether a domain can receive mail. No mail is ever sent: every session stops at RCPT.

    \b
        checker-smtp check example.com

    Exit codes of a check are those of monitoring plugins: 0 nothing to fix, 1 warnings, 2 critical findings,
    3 unknown. Wrong usage of any command is 3, and 130 is an interrupt. The help of each command has its own.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def find_commands() -> dict[str, click.Command]:
    """Return all commands by name."""
    return commands_of(click.Context(group))


def _exit_with_error(message: str) -> NoReturn:
    from .output import print_error

    print_error(message)
    sys.exit(_USAGE)
