"""The difference between two checks in a format: for `diff` and for `check --changes-only`."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from checker_smtp.report.terminal import Terminal

if TYPE_CHECKING:
    from checker_smtp.report.diff.compare import Difference

__all__ = ["DIFFERENCE_FORMATS", "join_reports", "render_difference", "status_of_change"]

DIFFERENCE_FORMATS = ("text", "json", "html")


def render_difference(difference: "Difference", form: str, terminal: Terminal) -> str:
    """Return the difference in one of `DIFFERENCE_FORMATS`."""
    if form == "html":
        from checker_smtp.report.diff.html import render_difference_html

        return render_difference_html(difference)
    from checker_smtp.report.diff.text import dump_difference, render_difference_text

    return dump_difference(difference) if form == "json" else render_difference_text(difference, terminal)


def join_reports(parts: "Iterable[str]", form: str, *, several: bool) -> "Iterator[str]":
    """Yield the reports of one or several domains as one text: in JSON an array if there are several."""
    is_array = form == "json" and several
    for number, part in enumerate(parts):
        if is_array:
            yield (",\n" if number else "[\n") + part.rstrip("\n")
        else:
            yield ("\n" if number else "") + part
    if is_array:
        yield "\n]\n"


def status_of_change(difference: "Difference") -> str:
    """Return the status that a change has for the exit code.

    It is `critical` or `warning` if the domain got worse, by the worst finding that is new, `unknown` if it
    can be tested no longer, and `ok` for every other change and for none.
    """
    if difference.worse:
        return "critical" if difference.worst == "crit" else "warning"
    is_lost = difference.new_status == "unknown" != difference.old_status
    return "unknown" if is_lost else "ok"
