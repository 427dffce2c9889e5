"""The time-line of a domain as text: the first check, and each later one with what changed.

Checks in a row without a change are one line. A server's text is made visible by the sections of the
difference and by the terminal.
"""

from collections.abc import Iterable
from itertools import groupby

from checker_smtp.report.diff.compare import Difference
from checker_smtp.report.diff.sections import build_headline, describe_status
from checker_smtp.report.diff.text import render_sections
from checker_smtp.report.model.timeline import format_time
from checker_smtp.report.terminal import Terminal

from .store import KeptCheck

__all__ = ["render_timeline"]


def render_timeline(
    entries: Iterable[tuple[KeptCheck, Difference | None]], terminal: Terminal | None = None
) -> str:
    """Return the time-line of the checks of one domain, given in order, each with what changed.

    The first check of the domain has None, and no other one.
    """
    terminal = terminal or Terminal()
    parts: list[str] = []
    for is_change, group in groupby(entries, key=lambda pair: pair[1] is None or pair[1].is_change):
        if is_change:
            parts += [_change(entry, difference, terminal) for entry, difference in group]
        else:
            parts.append(_unchanged([entry for entry, _ in group], terminal))
    return "\n".join(parts)


def _change(entry: KeptCheck, difference: Difference | None, terminal: Terminal) -> str:
    if difference is None:
        return terminal.lines(f"{_when(entry)}: the first check ({entry.status})", entry.status)
    headline = f"{_when(entry)}: {build_headline(difference)} ({describe_status(difference)})"
    style = "crit" if difference.worse else "good"
    return terminal.lines(headline, style) + render_sections(difference, terminal)


def _unchanged(entries: list[KeptCheck], terminal: Terminal) -> str:
    first, last = entries[0], entries[-1]
    if first is last:
        return terminal.lines(f"{_when(first)}: nothing changed", "dim")
    when = f"{_when(first)}, to {_when(last)}"
    return terminal.lines(f"{when}: nothing changed in {len(entries)} checks", "dim")


def _when(entry: KeptCheck) -> str:
    return f"#{entry.id}, {format_time(entry.run_at)}"
