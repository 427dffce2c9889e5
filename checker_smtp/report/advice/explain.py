"""The explanation of a code: its meaning, why it matters and how to fix it, without a case at hand.

There is one source: the records in `probes.rules` and the advice for each mail server in `advice`. The
command `explain` and the page of all codes are both made from it.
"""

from collections.abc import Iterator
from difflib import get_close_matches

from checker_smtp.probes.rules import CODES, RULES, Code, record_of
from checker_smtp.report.advice import all_advice
from checker_smtp.report.terminal import Terminal
from checker_smtp.report.visible import visible

__all__ = ["SEVERITIES", "UnknownCodeError", "find_code", "render_explanation", "steps"]

SEVERITIES = {"crit": "critical", "warn": "warning", "info": "note"}
_CLOSE = 3
# Codes named of those that begin like an unknown one.
_MOST = 6


class UnknownCodeError(ValueError):
    """There is no such code; the message is one sentence."""


def find_code(code: str) -> Code:
    """Return the record of `code`, in any case. Raises `UnknownCodeError`."""
    name = code.strip().lower()
    if name not in CODES:
        raise UnknownCodeError(_unknown(code, name))
    return CODES[name]


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


def render_explanation(record: Code, terminal: Terminal | None = None) -> str:
    """Return the explanation of a code as text."""
    terminal, severity = terminal or Terminal(), record.severity
    rules = [f"{rule.name}: {rule.description}" for rule in RULES.values() if record in rule.codes]
    parts = [
        terminal.lines(f"{record.code} ({SEVERITIES[severity]})", severity),
        terminal.lines(f"{record.title}."),
        _titled("Why it matters", terminal, record.why),
        _titled("How to fix", terminal, record.fix),
        *(_titled(f"How to fix in {name}", terminal, text) for name, text in all_advice(record.code).items()),
        _titled("References", terminal, record.reference),
        _titled("Reported by", terminal, *rules),
    ]
    return "".join(parts)


def _titled(title: str, terminal: Terminal, *texts: str) -> str:
    lines = [
        terminal.verbatim(line, first=" " * 6) if copied else terminal.lines(line, first="  ")
        for text in texts
        for copied, line in steps(text)
    ]
    return "\n" + terminal.lines(title, "bold") + "".join(lines)
