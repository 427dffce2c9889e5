"""The summary as an HTML page in the report's style: one document, no script, no external resource."""

from checker_smtp.report.environment import build_environment

from .tally import Tally
from .view_model import build_summary

__all__ = ["render_summary"]


def render_summary(tally: Tally, path: str) -> str:
    """Return the page. `path` is that of the results, `-` for standard input; the commands on it use it."""
    return (
        build_environment("checker_smtp.report")
        .get_template("summary.html.j2")
        .render(summary=build_summary(tally, path))
    )
