"""The decisions of the operator about findings: the severity of a code, and the faults that are accepted.

The rules give every finding a severity. The configuration may give the findings of a code another one, and
the finding keeps that of its rule, so that every report can say both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from .result import Result
from .rules import Finding, Outcome, Severity, status_of

__all__ = ["Acceptance", "FindingPolicy", "with_severities"]


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
class FindingPolicy:
    """All decisions of one configuration: severities by code, and accepted faults in the order given."""

    severities: Mapping[str, Severity] = field(default_factory=dict)
    acceptances: tuple[Acceptance, ...] = ()


def with_severities(result: Result, severities: Mapping[str, Severity]) -> Result:
    """Return the result with these severities by code, its findings in order and its status anew.

    Only a finding with the outcome `fail` may be critical: any other one becomes a warning at most. The state
    of the domain's mail is a fact and stays.
    """
    changed = tuple(_changed(finding, severities) for finding in result.findings)
    if changed == result.findings:
        return result
    findings = tuple(sorted(changed, key=lambda finding: -finding.severity.rank))
    return replace(result, findings=findings, status=status_of(result.observation, findings))


def _changed(finding: Finding, severities: Mapping[str, Severity]) -> Finding:
    severity = severities.get(finding.code, finding.severity)
    if severity is Severity.CRIT and finding.outcome is not Outcome.FAIL:
        severity = Severity.WARN
    if severity is finding.severity or finding.rule_severity is not None:
        return finding
    return replace(finding, severity=severity, rule_severity=finding.severity)
