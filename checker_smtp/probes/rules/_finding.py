"""Findings, the codes they carry, and the rules that make them.

A `Code` holds everything about a kind of finding that does not depend on the case at hand: what it means,
why it matters to somebody sending mail here, how to mend it, where it is written. A `Rule` is a pure
function from an observation to findings, with the codes it may use. `probes.rules.RULES` lists them all,
once; CLI, JSON, report and service read that list.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from checker_smtp.probes.observation import Observation

__all__ = ["Code", "Evidence", "Finding", "Outcome", "Rule", "Severity", "code", "rule"]


class Severity(StrEnum):
    """How bad it is for the domain."""

    INFO = "info"
    WARN = "warn"
    CRIT = "crit"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Outcome(StrEnum):
    """What became of a question; only FAIL may be CRIT."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    TRANSIENT = "transient"
    REFUSED_US = "refused-us"
    NOT_TESTED = "not-tested"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a finding can be checked, and what stands there.

    `source` is `dns` (then `where` is the question, as in `MX example.com`) or `session` (then `where` is the
    endpoint, `session` its number and `entry` the line of its transcript, both from 0). `quote` is verbatim.
    """

    source: str
    where: str
    quote: str
    session: int | None = None
    entry: int | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A kind of finding; `severity` is the highest it is ever given."""

    code: str
    severity: Severity
    title: str
    why: str
    fix: str
    reference: str

    def finding(
        self,
        subject: str,
        message: str,
        *evidence: Evidence,
        outcome: Outcome = Outcome.FAIL,
        severity: Severity | None = None,
        fix: str = "",
    ) -> Finding:
        """A finding of this kind; what is not given is as the code has it."""
        return Finding(
            code=self.code,
            severity=severity or self.severity,
            outcome=outcome,
            rule="",
            subject=subject,
            message=message,
            fix=fix or self.fix,
            reference=self.reference,
            evidence=evidence,
        )


Evaluation = Callable[[Observation], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: `tested` tells whether the observation holds anything for it to judge."""

    name: str
    description: str
    severity: Severity
    codes: tuple[Code, ...]
    evaluate: Evaluation
    tested: Callable[[Observation], bool]

    def findings(self, observation: Observation) -> tuple[Finding, ...]:
        """What this rule has to say, each finding signed with the rule's name."""
        return tuple(replace(finding, rule=self.name) for finding in self.evaluate(observation))


def code(name: str, severity: Severity, *, title: str, why: str, fix: str, reference: str) -> Code:
    """A code by its name."""
    return Code(code=name, severity=severity, title=title, why=why, fix=fix, reference=reference)


def rule(
    name: str,
    severity: Severity,
    description: str,
    *codes: Code,
    tested: Callable[[Observation], bool],
) -> Callable[[Evaluation], Rule]:
    """Make a rule of the decorated function."""

    def make(evaluate: Evaluation) -> Rule:
        return Rule(
            name=name,
            description=description,
            severity=severity,
            codes=codes,
            evaluate=evaluate,
            tested=tested,
        )

    return make
