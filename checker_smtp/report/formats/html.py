"""The report as an HTML page: one document, no script, no outside resource, fit for a sandboxed iframe.

The view model gives the content and the words, the templates give the layout. Three measures keep a hostile
server out of the page: every text in the model is visible text, jinja2 escapes each value (a missing value is
an error), and a content security policy forbids scripts and outside resources.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from checker_smtp.probes.result import Result
from checker_smtp.report.advice.explain import SEVERITIES, steps
from checker_smtp.report.environment import build_environment
from checker_smtp.report.model.report import build_report
from checker_smtp.report.model.timeline import Phase
from checker_smtp.report.model.verdict import STATUS_WORDS
from checker_smtp.report.terminal import Terminal

__all__ = ["render_html", "render_index"]

OUTCOMES = {
    "refused-us": "Refuses this checker",
    "transient": "Temporary",
    "not-tested": "Not tested",
}
# Widths in percent of the time-line: a narrower segment does not fit its number, or would not be visible.
_MIN_NUMBERED_WIDTH = 6.0
_MIN_WIDTH = 0.6


def render_html(result: Result, _: Terminal | None = None) -> str:
    """Return the whole report as one HTML page."""
    return _render("report.html.j2", report=build_report(result), severities=SEVERITIES, outcomes=OUTCOMES)


def render_index(pages: Iterable[tuple[str, str, str, str]]) -> str:
    """Return a page with links to reports; each of `pages` is title, href, status and a sentence."""
    return _render("index.html.j2", pages=list(pages), words=STATUS_WORDS)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = build_environment("checker_smtp.report")
    environment.filters["paragraphs"] = _paragraphs
    environment.globals.update(segments=_segments, newline=Markup("\n"))
    return environment


def _paragraphs(text: str) -> list[tuple[bool, str]]:
    """Split advice into blocks: prose, or consecutive lines to copy (marked with True)."""
    blocks: list[tuple[bool, str]] = []
    for copied, line in steps(text):
        if blocks and copied and blocks[-1][0]:
            blocks[-1] = (True, f"{blocks[-1][1]}\n{line}")
        else:
            blocks.append((copied, line))
    return blocks


def _segments(phases: tuple[Phase, ...]) -> list[dict[str, Any]]:
    """Return the position and width of each phase on the time-line, in percent."""
    total = sum(phase.length for phase in phases)
    if not total:
        return []
    widths = [max(100 * phase.length / total, _MIN_WIDTH) for phase in phases]
    scale, at, segments = 100 / sum(widths), 0.0, []
    for number, (phase, width) in enumerate(zip(phases, widths, strict=True), start=1):
        width *= scale
        segments.append(
            {
                "kind": phase.kind,
                "x": f"{at:.2f}%",
                "width": f"{width:.2f}%",
                "middle": f"{at + width / 2:.2f}%" if width >= _MIN_NUMBERED_WIDTH else "",
                "number": number,
            }
        )
        at += width
    return segments
