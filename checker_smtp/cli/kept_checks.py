"""The history of checks on the command line: its option, and checks that are kept and reported.

A check is kept before it is reported, and marked as reported afterwards. So each check that a user saw is in
the history, and a change is reported once more if the first report was interrupted.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .arguments import CommandT
from .difference import DIFFERENCE_FORMATS
from .pages import Folder

if TYPE_CHECKING:
    from checker_smtp.history.store import History, KeptCheck
    from checker_smtp.probes.result import Result
    from checker_smtp.report.diff.compare import Difference

    from .report import ReportTarget

__all__ = ["history_option", "open_for_checks", "report_kept"]


def history_option(text: str, **more: Any) -> Callable[[CommandT], CommandT]:
    """Return the option `--history` with the help `text`; `more` is for `click.option`."""
    return click.option(
        "--history", "history_file", type=click.Path(path_type=Path), metavar="FILE", help=text, **more
    )


def open_for_checks(path: Path | None, target: "ReportTarget", *, changes_only: bool) -> "History | None":
    """Open the history for checks that are reported to `target`, before anything is sent.

    Raises `HistoryError` if no check can be kept in it, and `click.UsageError`.
    """
    if changes_only and path is None:
        raise click.UsageError(
            "--changes-only compares with the last kept check: give --history FILE, and no --mx"
        )
    if changes_only and (target.form not in DIFFERENCE_FORMATS or isinstance(target.output, Folder)):
        for_many = " for several domains" if isinstance(target.output, Folder) else ""
        raise click.UsageError(
            f"--changes-only has no {target.form}{for_many}: "
            "give --format text or json, or html for one domain"
        )
    if path is None:
        return None
    from checker_smtp.history.store import History

    history = History(path)
    history.require_writable()
    return history


def report_kept(
    history: "History",
    results: "Sequence[Result]",
    target: "ReportTarget",
    *,
    several: bool,
    changes_only: bool,
) -> int:
    """Keep the results, report them or what changed since the last report, and return the exit code.

    Results that cannot be kept are reported in full, and then `HistoryError` is raised.
    """
    from checker_smtp.history.failures import HistoryError

    try:
        entries = [history.keep(result) for result in results]
        differences = [_last_difference(history, entry) for entry in entries] if changes_only else []
    except HistoryError:
        target.write(results, several=several)
        raise
    if changes_only:
        code = target.write_changes(results, differences, several=several)
    else:
        code = target.write(results, several=several)
    for entry in entries:
        history.mark_reported(entry)
    return code


def _last_difference(history: "History", entry: "KeptCheck") -> "Difference | None":
    """Return the difference of a kept check to the last one that was reported, None if there is none."""
    from checker_smtp.history.baseline import MAX_EARLIER, compare_each

    checks = [*history.reported_before(entry, MAX_EARLIER), entry]
    *_, last = compare_each(map(history.load, checks))
    return last
