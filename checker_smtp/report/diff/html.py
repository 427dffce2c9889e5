"""The difference between two checks as an HTML page: one document, no script, no outside resource.

Every text in a section is visible text, and jinja2 escapes each value.
"""

from checker_smtp.report.advice.explain import SEVERITIES
from checker_smtp.report.environment import build_environment
from checker_smtp.report.visible import visible

from .compare import Difference
from .sections import build_headline, build_sections, describe_status

__all__ = ["render_difference_html"]


def render_difference_html(difference: Difference) -> str:
    """Return the page, with a final newline."""
    tone = "unknown" if difference.new_status == "unknown" else "ok"
    return (
        build_environment("checker_smtp.report")
        .get_template("diff.html.j2")
        .render(
            difference=difference,
            headline=build_headline(difference),
            status=visible(describe_status(difference)),
            tone="critical" if difference.worse else tone,
            sections=build_sections(difference),
            words=SEVERITIES,
        )
    )
