"""The report as a page: one document, no script, nothing from elsewhere, fit for a sandboxed iframe.

What is told and in which words is the story's business; the templates give it a shape. Three things keep a
hostile server out of the page: every text in a story is visible text, jinja2 escapes each value (a missing
one is an error), and a content security policy forbids whatever could still slip through.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from checker_smtp.probes.result import Result

from .environment import build_environment
from .explain import steps
from .timeline import Phase
from .verdict import STATUS_WORDS
from .view_model import build_report

__all__ = ["render_html", "render_index"]

SEVERITIES = {"crit": "Critical", "warn": "Warning", "info": "Note"}
OUTCOMES = {
    "refused-us": "Refuses this checker",
    "transient": "Put off",
    "not-tested": "Not tested",
}
# A segment of the time-line narrower than this (in percent) has no room for its number.
_ROOM_FOR_NUMBER = 6.0
_THINNEST = 0.6


def render_html(result: Result) -> str:
    """The whole report on one page."""
    return _render("report.html.j2", report=build_report(result), severities=SEVERITIES, outcomes=OUTCOMES)


def render_index(pages: Iterable[tuple[str, str, str]]) -> str:
    """A page that leads to reports: (title, href, status) each, in this order."""
    return _render("index.html.j2", pages=list(pages), words=STATUS_WORDS)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    made = build_environment("checker_smtp.report")
    made.filters["paragraphs"] = _paragraphs
    made.globals.update(segments=_segments, newline=Markup("\n"))
    return made


def _paragraphs(text: str) -> list[tuple[bool, str]]:
    """Advice in blocks: prose, or lines to be copied (True), those that follow each other together."""
    blocks: list[tuple[bool, str]] = []
    for copied, line in steps(text):
        if blocks and copied and blocks[-1][0]:
            blocks[-1] = (True, f"{blocks[-1][1]}\n{line}")
        else:
            blocks.append((copied, line))
    return blocks


def _segments(phases: tuple[Phase, ...]) -> list[dict[str, Any]]:
    """Where each phase stands on a line of 100 percent, none too thin to be seen."""
    total = sum(phase.length for phase in phases)
    if not total:
        return []
    widths = [max(100 * phase.length / total, _THINNEST) for phase in phases]
    scale, at, segments = 100 / sum(widths), 0.0, []
    for number, (phase, width) in enumerate(zip(phases, widths, strict=True), start=1):
        width *= scale
        segments.append(
            {
                "kind": phase.kind,
                "x": f"{at:.2f}%",
                "width": f"{width:.2f}%",
                "middle": f"{at + width / 2:.2f}%" if width >= _ROOM_FOR_NUMBER else "",
                "number": number,
            }
        )
        at += width
    return segments
