"""The command `history`: the kept checks of a domain, as a time-line or each as its report."""

from datetime import datetime
from itertools import islice
from pathlib import Path

import click

from checker_smtp.cli.configured import ConfiguredCommand
from checker_smtp.cli.kept_checks import history_option
from checker_smtp.cli.output import Output
from checker_smtp.cli.periods import parse_age, parse_since
from checker_smtp.cli.report import report_options, report_target

__all__ = ["history"]

_file_option = history_option("File of `check --history`.", required=True)
_TIMELINE = "timeline"


class _History(click.Group):
    """The commands; arguments that begin with none of their names are those of the time-line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [_TIMELINE, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in super().list_commands(ctx) if name != _TIMELINE]


@click.group(cls=_History, subcommand_metavar="DOMAIN | COMMAND [ARGS]...", no_args_is_help=False)
def history() -> None:
    """Show the changes in the kept checks of DOMAIN.

    \b
        checker-smtp history example.org --since 30d --history FILE
        checker-smtp history show 17 --format html -o report.html --history FILE
        checker-smtp history prune --keep 90d --history FILE

    FILE is that of `check --history`. The time-line has the first check, and each later one with the findings
    that appeared or went, and changes of MX, addresses, TLS and extensions.

    The exit code is 0, for `show` that of the check, and 3 for wrong usage or a file that cannot be used.
    """


@history.command(_TIMELINE, cls=ConfiguredCommand)
@click.argument("domain")
@click.option(
    "--since",
    callback=parse_since,
    metavar="TIME",
    help="Begin at this date or time, or at an age as in 30d.",
)
@_file_option
def _timeline(domain: str, since: datetime | None, history_file: Path) -> None:
    """Show the changes in the kept checks of DOMAIN."""
    from checker_smtp.history.baseline import MAX_EARLIER, compare_each
    from checker_smtp.history.store import History
    from checker_smtp.history.timeline import render_timeline
    from checker_smtp.probes.options import host_name

    output = Output()
    with History(history_file, create=False) as kept:
        checks = kept.checks(host_name("domain", domain))
        start = _as_text(since) if since is not None else ""
        first = next((number for number, check in enumerate(checks) if check.run_at >= start), None)
        if first is None:
            hint = "Give an earlier time" if checks else "Keep one with `check --history FILE`"
            raise click.ClickException(f"{str(history_file)!r} has no such check of {domain}: {hint}.")
        # the first one shown is compared with those before it
        earlier = min(first, MAX_EARLIER)
        read = checks[first - earlier :]
        pairs = zip(read, compare_each(map(kept.load, read)), strict=True)
        output.write(render_timeline(islice(pairs, earlier, None), output.terminal))


@history.command(cls=ConfiguredCommand)
@click.argument("number", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@report_options
@_file_option
def show(number: int, form: str | None, path: Path | None, history_file: Path) -> int:
    """Show the kept report with the number ID of the time-line. The exit code is that of the check."""
    from checker_smtp.history.store import History

    target = report_target(form, path)
    with History(history_file, create=False) as kept:
        result = kept.load(kept.find(number))
    return target.write([result])


@history.command(cls=ConfiguredCommand)
@click.option(
    "--keep",
    callback=parse_age,
    metavar="AGE",
    required=True,
    help="Remove checks older than this, as in 90d.",
)
@_file_option
def prune(keep: datetime, history_file: Path) -> None:
    """Remove old checks.

    The exit code is 0, or 3 for a file that is no history.
    """
    from checker_smtp.history.store import History

    with History(history_file, create=False) as kept:
        removed = kept.prune(before=_as_text(keep))
        Output().write(f"Removed {removed} checks; {kept.count()} remain.\n")


def _as_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
