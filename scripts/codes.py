"""Print every code that a finding can have: what it means, why it matters, how to fix it.

`make docs` writes the page with it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from checker_smtp.probes.rules import RULES, Code  # noqa: E402
from checker_smtp.report.advice import all_advice  # noqa: E402
from checker_smtp.report.advice.explain import SEVERITIES, steps  # noqa: E402


def page() -> str:
    """Return the page in Markdown, by rule, each code under the first rule that has it."""
    lines = [
        "# Findings and their fixes",
        "",
        "Printed by `make docs` from the texts of the report. In a terminal: `checker-smtp explain CODE`.",
        "",
        "The severity is the highest that a code is ever given. The findings of the TLS checker are added as",
        "`smtp.tls.…` in its own words, and are not listed here.",
    ]
    printed: set[str] = set()
    for rule in RULES.values():
        lines += ["", f"## {rule.name}", "", rule.description]
        for code in rule.codes:
            if code.code not in printed:
                printed.add(code.code)
                lines += _entry(code)
    return "\n".join(lines) + "\n"


def _entry(code: Code) -> Iterator[str]:
    yield from ("", f"### {code.code}", "", f"**{code.title}** ({SEVERITIES[code.severity]})")
    yield from ("", f"Why: {code.why}", "", f"Fix: {code.fix}")
    for name, text in all_advice(code.code).items():
        yield from ("", f"{name}:")
        yield from _advice(text)
    if code.reference:
        yield from ("", f"See {code.reference}.")


def _advice(text: str) -> Iterator[str]:
    """Yield paragraphs as they are, and lines to be copied in blocks."""
    inside = False
    for copied, line in steps(text):
        if copied != inside:
            yield from ("", "```") if copied else ("```",)
            inside = copied
        if not copied:
            yield ""
        yield line
    if inside:
        yield "```"


if __name__ == "__main__":
    print(page(), end="")
