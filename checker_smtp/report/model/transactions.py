"""The transactions at an endpoint, each with its reply and the word for it.

The word is that of a finding. Where there is none, the rule for the transaction passed, or the word is that
of the reply alone.
"""

from dataclasses import dataclass, replace

from checker_smtp.probes.observation import Endpoint, Observation, ReplySeen, Transaction
from checker_smtp.probes.rules import RULES, Evidence, Finding, Outcome, purposes_of, record_of
from checker_smtp.report.visible import visible

from .panels import UNSETTLED
from .transcript import more_lines, shorten

__all__ = ["Badge", "TransactionResult", "build_rows"]

_QUESTIONS = {
    "null-sender": "Bounces (null sender)",
    "postmaster": "Postmaster",
    "relay": "Relaying",
    "relay-control": "Relaying, random mailbox",
    "served-control": "Control: a recipient that the server should accept",
}
# Lines shown of one reply; the transcript has all of them.
_MAX_LINES = 8
_RELAYING = ("relay", "relay-control")
# Domains with a null MX: a relay that looks recipients up rejects them.
_NULL_MX_DOMAINS = ("example.com", "example.net", "example.org")
_WEAK_PROBE = (
    "The domain of {} has a null MX: an open relay may reject it for that alone. To be certain, repeat the "
    "check with an address of your own (`--probe-address`)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """`level` is `crit`, `warn`, `info` or `good`."""

    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionResult:
    """A row of the table of transactions; `remark` is what its verdict leaves open.

    The row of the questions that were not answered has no purpose, sender and recipient.
    """

    question: str
    verdict: Badge
    purpose: str = ""
    sender: str = ""
    recipient: str = ""
    reply: tuple[str, ...] = ()
    remark: str = ""


def build_rows(
    endpoint: Endpoint, findings: list[Finding], observation: Observation
) -> tuple[TransactionResult, ...]:
    """Return the rows of an endpoint's transactions; `findings` are those about it.

    Those without an answer are one row, the last, because nothing distinguishes them.
    """
    held, table = _held(endpoint), _Table(endpoint, findings, observation)
    rows = [table.row(t, reply) for t in held if (reply := t.verdict) is not None]
    if unanswered := dict.fromkeys(_question(t) for t in held if t.verdict is None):
        verdict = Badge(level="info", text="not answered")
        rows.append(TransactionResult(question=", ".join(unanswered), verdict=verdict))
    return tuple(rows)


def _question(asked: Transaction) -> str:
    return _QUESTIONS.get(asked.purpose, visible(asked.purpose))


def _held(endpoint: Endpoint) -> list[Transaction]:
    """Every transaction that was begun, and those that never were but should have been."""
    begun = [t for s in endpoint.sessions for t in s.transactions if t.mail is not None]
    known = {t.purpose for t in begun}
    wanted = endpoint.main.transactions if endpoint.ready_session is not None else ()
    return [*begun, *(t for t in wanted if t.purpose not in known)]


@dataclass(frozen=True, slots=True)
class _Table:
    endpoint: Endpoint
    findings: list[Finding]
    observation: Observation

    def row(self, asked: Transaction, reply: ReplySeen) -> TransactionResult:
        step = "MAIL" if reply is asked.mail else "RCPT"
        verdict = self._verdict(asked, reply)
        probe = self.observation.settings.probe_address
        is_weak = asked.purpose == "relay" and probe.rpartition("@")[2] in _NULL_MX_DOMAINS
        return TransactionResult(
            purpose=asked.purpose,
            question=_question(asked),
            sender=visible(f"<{asked.sender}>"),
            recipient=visible(f"<{asked.recipient}>"),
            reply=_lines(step, reply),
            verdict=verdict,
            remark=_WEAK_PROBE.format(probe) if is_weak and verdict.level == "good" else "",
        )

    def _verdict(self, asked: Transaction, reply: ReplySeen) -> Badge:
        """Return what the findings say of a transaction; without one, that its rule passed, or the reply."""
        relaying = asked.purpose in _RELAYING
        word = "accepted" if reply.positive else "deferred" if reply.transient else "refused"
        settled_by = next((f for f in self.findings if asked.purpose in _transactions(f)), None)
        if settled_by is not None and reply.positive is relaying:
            text = "accepted from outside" if relaying else word
            return Badge(level=settled_by.severity, text=text)
        if settled_by is not None or reply.transient:
            return Badge(level="info", text=word)
        if any(_is_left_open(asked, finding, self.endpoint) for finding in self.findings):
            return Badge(level="info", text=f"{word}, which shows nothing")
        if reply.positive is relaying or reply is not asked.rcpt or not self._is_passed(asked):
            return Badge(level="info", text=word)
        return Badge(level="good", text="refused, as it should be" if relaying else word)

    def _is_passed(self, asked: Transaction) -> bool:
        """Return whether the rules that ask this question had an answer at this endpoint, and no finding."""
        only = replace(self.observation, endpoints=(self.endpoint,))
        found = {finding.rule for finding in self.findings}
        rules = [
            rule
            for rule in RULES.values()
            if rule.option and any(asked.purpose in code.transactions for code in rule.codes)
        ]
        is_tested = any(rule.applies_to(only) and rule.tested(only) for rule in rules)
        return is_tested and not any(rule.name in found for rule in rules)


def _lines(step: str, reply: ReplySeen) -> tuple[str, ...]:
    """Return the lines of the reply to `step`."""
    lines = reply.raw.rstrip().split("\n")
    shown = [shorten(line.removesuffix("\r"), 300) for line in lines[:_MAX_LINES]]
    return (f"{step}: {shown[0]}", *shown[1:], *more_lines(len(lines) - len(shown)))


def _transactions(finding: Finding) -> tuple[str, ...]:
    record = record_of(finding.code)
    return record.transactions if record is not None else ()


def _is_left_open(asked: Transaction, finding: Finding, endpoint: Endpoint) -> bool:
    """Return whether the finding says that the reply to this transaction shows nothing."""
    reply = asked.verdict
    if finding.outcome is Outcome.REFUSED_US:
        return reply is not None and not reply.positive
    return finding.outcome in UNSETTLED and _is_cited(asked, finding, endpoint)


def _is_cited(asked: Transaction, finding: Finding, endpoint: Endpoint) -> bool:
    """Return whether the reply to the transaction is evidence: of equal replies, that of the rule alone."""
    purposes = purposes_of(finding)
    for number, item in enumerate(finding.evidence):
        own = endpoint.asked(purposes[number]) if number < len(purposes) else None
        chosen = own if own is not None and _is_reply(own, item) else asked
        if chosen.purpose == asked.purpose and _is_reply(asked, item):
            return True
    return False


def _is_reply(asked: Transaction, item: Evidence) -> bool:
    reply = asked.verdict
    return reply is not None and (item.entry, item.quote) == (reply.entry, reply.raw)
