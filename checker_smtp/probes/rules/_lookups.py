"""Lookups that failed: whose fault it is, and the words for it.

A fault of the resolver is this side's. A server's own error is the domain's, because the resolver answered
the control questions. Silence is either's, so it is never more than a warning.
"""

from collections.abc import Iterable
from typing import NamedTuple

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.ports import DnsStatus

from ._finding import Code, Evidence, Finding, Outcome, Severity
from ._shared import LONGER_CHECK, NOT_TESTED

__all__ = ["LookupFailure", "failure_of", "failure_words"]

_OTHER_RESOLVER = "Repeat the check with another resolver, such as `--resolver 9.9.9.9`."


class LookupFailure(NamedTuple):
    """How much a failed lookup says about the domain, and what to do; an empty `fix` is the code's own.

    `cause` is what failed on this side, empty where that is not the reason.
    """

    outcome: Outcome
    severity: Severity
    fix: str = ""
    cause: str = ""

    @property
    def is_ours(self) -> bool:
        """True for a fault of this side."""
        return self.outcome is Outcome.NOT_TESTED

    def finding(self, code: Code, message: str, evidence: Iterable[Evidence]) -> Finding:
        """Return the finding about the domain: with `code`, or `NOT_TESTED` if the fault is ours."""
        record = NOT_TESTED if self.is_ours else code
        return record.finding(
            "", message, *evidence, outcome=self.outcome, severity=self.severity, fix=self.fix
        )


def failure_of(*statuses: DnsStatus, bogus: bool = False) -> LookupFailure:
    """Return what lookups that failed with these statuses, one at least, say: the mildest counts.

    `bogus` is True where they fail only while DNSSEC signatures are checked.
    """
    if any(status.is_limit for status in statuses):
        fix = LONGER_CHECK if DnsStatus.CHECK_BUDGET in statuses else ""
        return LookupFailure(Outcome.NOT_TESTED, Severity.INFO, fix, "a limit of this check")
    if DnsStatus.UNUSABLE in statuses:
        return LookupFailure(Outcome.NOT_TESTED, Severity.INFO, _OTHER_RESOLVER, "the resolver of this side")
    if DnsStatus.TIMEOUT in statuses:
        fix = (
            "Repeat the check, with a longer `--timeout` if the resolver is slow; if it persists, see that "
            "every name server of the zone answers (`dig +trace`)."
        )
        return LookupFailure(Outcome.TRANSIENT, Severity.WARN, fix)
    if bogus:
        fix = (
            "Sign the zone again, or correct the DS record at the registrar: with `dig +cd` the question is "
            "answered, without it resolvers that check signatures refuse to answer."
        )
        return LookupFailure(Outcome.FAIL, Severity.CRIT, fix)
    return LookupFailure(Outcome.FAIL, Severity.CRIT)


def failure_words(observation: Observation, name: str, rdtype: str) -> str:
    """Return how the lookup failed, with the server's own reason, for a sentence."""
    answers = [answer for answer in observation.answers_about(name, rdtype) if not answer.unvalidated]
    if not answers:
        return "no answer"
    status, detail = answers[0].status, answers[0].detail
    if status.known:
        return f"{status.upper()}, as this resolver answers for every name"
    return detail or ("no answer in time" if status is DnsStatus.TIMEOUT else status.upper())
