"""A difference as a page of the report's family: one document, no script, nothing from elsewhere.

Every text in a section is visible text, and jinja2 escapes each value.
"""

from .diff import Difference
from .diff_sections import build_headline, build_sections, describe_status
from .environment import build_environment
from .visible import visible

__all__ = ["render_difference_html"]

_WORDS = {"crit": "Critical", "warn": "Warning", "info": "Note"}


def render_difference_html(difference: Difference) -> str:
    """The page, with a final newline."""
    calm = "unknown" if difference.new_status == "unknown" else "ok"
    return (
        build_environment("checker_smtp.report")
        .get_template("diff.html.j2")
        .render(
            difference=difference,
            headline=build_headline(difference),
            status=visible(describe_status(difference)),
            tone="critical" if difference.worse else calm,
            sections=build_sections(difference),
            words=_WORDS,
        )
    )
