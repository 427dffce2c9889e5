"""The explanation of a code: its meaning, why it matters and how to fix it, without a case at hand.

There is one source: the records in `probes.rules` and the advice for each mail server in `advice`. The
command `explain` and the page of all codes are both made from `Explanation`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from checker_smtp.probes.rules import CODES, RULES, Rule, record_of
from checker_smtp.report.advice import all_advice
from checker_smtp.report.terminal import Terminal
from checker_smtp.report.visible import visible

__all__ = ["SEVERITIES", "Explanation", "UnknownCodeError", "explain", "render_explanation", "steps"]

SEVERITIES = {"crit": "critical", "warn": "warning", "info": "note"}
_CLOSE = 3
# Codes named of those that begin like an unknown one.
_MOST = 6


class UnknownCodeError(ValueError):
    """There is no such code; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`severity` is the highest it is ever given; `software` has the fixes for particular mail servers."""

    code: str
    severity: str
    title: str
    why: str
    fix: str
    software: dict[str, str]
    reference: str
    rules: tuple[Rule, ...]


def explain(code: str) -> Explanation:
    """Return the explanation of `code`. Raises `UnknownCodeError`."""
    name = code.strip().lower()
    known = CODES.get(name)
    if known is None:
        raise UnknownCodeError(_unknown(code, name))
    return Explanation(
        code=name,
        severity=known.severity,
        title=known.title,
        why=known.why,
        fix=known.fix,
        software=all_advice(name),
        reference=known.reference,
        rules=tuple(rule for rule in RULES.values() if known in rule.codes),
    )


def _unknown(code: str, name: str) -> str:
    # quoted by hand, as repr() would escape the escapes
    shown = visible(code if len(code) <= 60 else f"{code[:57]}...")
    below = [known for known in CODES if known.startswith(f"{name.removesuffix('.')}.")]
    foreign = record_of(name)
    close = below[:_MOST] or get_close_matches(name[:80], CODES, n=_CLOSE, cutoff=0.85 if foreign else 0.6)
    if close:
        return f"there is no code '{shown}': did you mean {' or '.join(close)}?"
    if foreign:
        return f"'{shown}' is no code of this checker: {foreign.source} words its findings itself"
    return f"there is no code '{shown}': `checker-smtp rules` lists them all"


def steps(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the lines of an advice, each with True where it is to be copied as it is."""
    for line in text.split("\n"):
        copied = line.startswith("    ")
        if line.strip():
            yield copied, line.removeprefix("    ") if copied else line


def render_explanation(explanation: Explanation, terminal: Terminal | None = None) -> str:
    """Return the explanation as text."""
    terminal, severity = terminal or Terminal(), explanation.severity
    parts = [
        terminal.lines(f"{explanation.code} ({SEVERITIES[severity]})", severity),
        terminal.lines(f"{explanation.title}."),
        _titled("Why it matters", terminal, explanation.why),
        _titled("How to fix", terminal, explanation.fix),
        *(_titled(f"How to fix in {name}", terminal, text) for name, text in explanation.software.items()),
        _titled("References", terminal, explanation.reference),
        _titled("Reported by", terminal, *(f"{rule.name}: {rule.description}" for rule in explanation.rules)),
    ]
    return "".join(parts)


def _titled(title: str, terminal: Terminal, *texts: str) -> str:
    lines = [
        terminal.verbatim(line, first=" " * 6) if copied else terminal.lines(line, first="  ")
        for text in texts
        for copied, line in steps(text)
    ]
    return "\n" + terminal.lines(title, "bold") + "".join(lines)
