"""Findings, and the record of each code that a finding can carry.

A `Code` holds all that is particular to one kind of finding and does not depend on the case at hand. It is
the only place for it: reports, badges, commands and the advice read the record, and no other module lists
codes. A new property of codes is a new field here, with a default that suits most of them.
"""

from dataclasses import KW_ONLY, dataclass
from datetime import date
from enum import IntEnum, StrEnum

from checker_smtp.probes.observation import Purpose
from checker_smtp.probes.refusals import Refusal

from ._reproduction import Reproduction

__all__ = ["Acceptance", "Code", "Evidence", "Finding", "Outcome", "Severity", "Urgency", "finding_id"]

_MAX_WORDS = 200


class Severity(StrEnum):
    """How bad it is for the domain."""

    INFO = "info"
    WARN = "warn"
    CRIT = "crit"

    @property
    def rank(self) -> int:
        """The position in the order from harmless to critical, from 0."""
        return list(Severity).index(self)


class Outcome(StrEnum):
    """The result of a test; only FAIL may be CRIT."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    TRANSIENT = "transient"
    REFUSED_US = "refused-us"
    NOT_TESTED = "not-tested"
    NOT_APPLICABLE = "not-applicable"


class Urgency(IntEnum):
    """Which of two faults of the same severity is to be fixed first: the lower one."""

    STOPS_MAIL = 0
    HELPS_SPAMMERS = 1
    EXPOSES_SECRETS = 2
    LOSES_MAIL = 3
    LOSES_PRIVACY = 4
    HIDES_FAULTS = 5
    OTHER = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece of evidence, verbatim, and where it was recorded.

    `source` is `dns` (then `where` is the question, as in `MX example.com`) or `session` (then `where` is the
    endpoint, `session` its number and `entry` the line of its transcript, both from 0).
    """

    source: str
    where: str
    quote: str
    session: int | None = None
    entry: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A fault that the operator accepts: findings of `code`, for a `reason` in words.

    `domain` and `subject` narrow it to one domain and to one endpoint or MX target; empty means all of them.
    `until` is its last day, None for no end.
    """

    code: str
    reason: str
    domain: str = ""
    subject: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One verdict. `subject` is an endpoint (`ip:25`), an MX name, or empty for the domain as a whole."""

    code: str
    severity: Severity
    outcome: Outcome
    rule: str
    subject: str
    message: str
    fix: str
    reference: str
    evidence: tuple[Evidence, ...] = ()
    id: str = ""
    """Domain, code and subject: the same for the same fault in every check."""
    reason: str = ""
    """Why a server refused (`probes.refusals.Reason`); empty where nothing was refused."""
    words: str = ""
    """The words of the reply, or its code, from which the reason was read, verbatim."""
    rule_severity: Severity | None = None
    """The severity that the rule gave, where the configuration gives another one."""
    acceptance: Acceptance | None = None
    """Why the operator accepts it: it is reported, and does not count."""


def finding_id(domain: str, code: str, subject: str) -> str:
    """Return the id of a finding, which is the same for the same fault in every check."""
    return " ".join((domain, code, subject)).strip()


@dataclass(frozen=True, slots=True)
class Code:
    """The record of a kind of finding.

    `severity` is the highest that it is ever given. `title` is a fact that is true in every outcome, `why` is
    the consequence for mail to this domain, `fix` the general remedy, `reference` RFC and section.
    """

    code: str
    severity: Severity
    _: KW_ONLY
    title: str
    why: str
    fix: str
    reference: str
    reproduce: Reproduction
    urgency: Urgency = Urgency.OTHER
    badge: str = ""
    """A word or three for the endpoint's headline; empty for none."""
    advice: str = ""
    """The file in `report/advice/texts` with the fix for each mail server; empty for the code's own name."""
    transactions: tuple[Purpose, ...] = ()
    """The transactions that it settles, in the order in which they are given as evidence."""
    controls: tuple[Purpose, ...] = ()
    """The transactions that these are compared with; their evidence follows."""
    quoted_keyword: str = ""
    """Of a long reply only the lines with this keyword, in capitals, are quoted; empty for all."""
    fix_everywhere: bool = False
    """True where the fix concerns every server of the domain, whichever is the evidence."""
    is_weak_tls: bool = False
    """True where the TLS version that was agreed on is the fault."""
    about_checker: bool = False
    """True where it is about this checker: its address, names, network or resolver, not about the domain."""
    source: str = ""
    """The checker that made these findings, where another one did; `code` is then how their codes begin."""

    def finding(
        self,
        subject: str,
        message: str,
        *evidence: Evidence,
        outcome: Outcome = Outcome.FAIL,
        severity: Severity | None = None,
        fix: str = "",
        suffix: str = "",
        refusal: Refusal | None = None,
    ) -> Finding:
        """Return a finding of this kind; the defaults are the record's.

        `suffix` completes the code of a finding that another checker made; `refusal` is what a server's
        reply says.
        """
        return Finding(
            code=self.code + suffix,
            severity=severity or self.severity,
            outcome=outcome,
            rule="",
            subject=subject,
            message=message,
            fix=fix or self.fix,
            reference=self.reference,
            evidence=evidence,
            reason=str(refusal.reason) if refusal is not None else "",
            words=refusal.words[:_MAX_WORDS] if refusal is not None else "",
        )
