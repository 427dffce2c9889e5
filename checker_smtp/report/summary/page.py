"""The summary as a page of the report's family: one document, no script, nothing from elsewhere."""

from checker_smtp.report.environment import environment

from .tally import Tally
from .view_model import build_summary

__all__ = ["render_summary"]


def render_summary(tally: Tally, path: str) -> str:
    """The page. `path` is where the results were read from, `-` for standard input: the commands name it."""
    return (
        environment("checker_smtp.report")
        .get_template("summary.html.j2")
        .render(summary=build_summary(tally, path))
    )
