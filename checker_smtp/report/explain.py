"""What a code means, why it matters, how to mend it: the texts of the report, without a case at hand.

There is one source: the codes in `probes.rules` and the advice for each mail server in `advice`. The
command `explain` and the page `docs/codes.md` are both made from `Explanation`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from checker_smtp.probes.rules import CODES, RULES, Rule

from .advice import all_advice
from .terminal import Terminal
from .visible import visible

__all__ = ["SEVERITIES", "Explanation", "UnknownCodeError", "explain", "render_explanation", "steps"]

SEVERITIES = {"crit": "critical", "warn": "warning", "info": "note"}
_STYLES = {"crit": "red", "warn": "yellow", "info": "cyan"}
_CLOSE = 3


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
    """What is known of `code`. Raises `UnknownCodeError`."""
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
    theirs = name.startswith("smtp.tls.")
    close = below or get_close_matches(name[:80], CODES, n=_CLOSE, cutoff=0.85 if theirs else 0.6)
    if close:
        return f"there is no code '{shown}': did you mean {' or '.join(close)}?"
    if theirs:
        return f"'{shown}' is no code of this checker: the TLS checker words its findings itself"
    return f"there is no code '{shown}': `checker-smtp rules` lists them all"


def steps(text: str) -> Iterator[tuple[bool, str]]:
    """The lines of an advice; True with those that are to be copied as they are."""
    for line in text.split("\n"):
        copied = line.startswith("    ")
        if line.strip():
            yield copied, line.removeprefix("    ") if copied else line


def render_explanation(told: Explanation, terminal: Terminal | None = None) -> str:
    """The explanation as text."""
    terminal = terminal or Terminal()
    parts = [
        terminal.lines(f"{told.code} ({SEVERITIES[told.severity]})", _STYLES[told.severity]),
        terminal.lines(f"{told.title}."),
        _titled("Why it matters", terminal, told.why),
        _titled("How to mend it", terminal, told.fix),
        *(_titled(f"How to mend it in {name}", terminal, text) for name, text in told.software.items()),
        _titled("Where it is written", terminal, told.reference),
        _titled("What tells it", terminal, *(f"{rule.name}: {rule.description}" for rule in told.rules)),
    ]
    return "".join(parts)


def _titled(title: str, terminal: Terminal, *texts: str) -> str:
    lines = [
        terminal.verbatim(line, first=" " * 6) if copied else terminal.lines(line, first="  ")
        for text in texts
        for copied, line in steps(text)
    ]
    return "\n" + terminal.lines(title, "bold") + "".join(lines)
