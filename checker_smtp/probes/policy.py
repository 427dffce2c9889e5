"""The decisions of the operator about findings: the severity of a code, and the faults that are accepted.

The rules give every finding a severity. The configuration may give the findings of a code another one, and
the finding keeps that of its rule, so that every report can say both. A finding that is accepted is reported
as such, and counts neither in the status nor in the exit code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import overload

from .result import Result, evaluate
from .rules import RULES, Acceptance, Finding, Outcome, Severity, record_of, status_of

__all__ = ["FindingPolicy", "accept", "decide", "decide_one", "evaluate_again", "is_over", "with_severities"]


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


class _DecidedResults(Sequence[Result]):
    """Results under a policy, each made when it is asked for: the undecided ones may be on disk."""

    def __init__(self, results: Sequence[Result], policy: FindingPolicy) -> None:
        self._results = results
        self._policy = policy
        self._unused = {one for one in policy.acceptances if not one.domain}
        for result in results if self._unused else ():
            self._unused.intersection_update(_decide(result, policy).unused_acceptances)

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Result, ...]: ...

    def __getitem__(self, index: int | slice) -> Result | tuple[Result, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        result = _decide(self._results[index], self._policy)
        unused = tuple(a for a in result.unused_acceptances if a.domain or a in self._unused)
        return replace(result, unused_acceptances=unused)


def decide(results: Sequence[Result], policy: FindingPolicy) -> Sequence[Result]:
    """Return the results of one run as the operator decided, each made from `results` when it is asked for.

    An acceptance for all domains is used if it is used for one of them.
    """
    return _DecidedResults(results, policy)


def decide_one(result: Result, policy: FindingPolicy) -> Result:
    """Return one result of many as the operator decided: of a scan, or of a service.

    Another domain may use an acceptance for all domains, so none of these is among the `unused_acceptances`.
    """
    decided = _decide(result, policy)
    own = tuple(acceptance for acceptance in decided.unused_acceptances if acceptance.domain)
    return replace(decided, unused_acceptances=own)


def _decide(result: Result, policy: FindingPolicy) -> Result:
    return accept(with_severities(result, policy.severities), policy.acceptances)


def accept(result: Result, acceptances: Iterable[Acceptance]) -> Result:
    """Return the result with its accepted findings marked and behind the others, and the status without them.

    The acceptances of this domain that are over on the day of the check, in UTC, or match no finding of a
    test that was made are the result's `unused_acceptances`.
    """
    domain, run_at = result.observation.domain, result.observation.run_at
    own = [one for one in acceptances if one.domain in ("", domain)]
    valid = [one for one in own if not is_over(one, run_at)]
    findings = tuple(
        replace(finding, acceptance=next((one for one in valid if _is_match(one, finding)), None))
        for finding in result.findings
    )
    unused = [one for one in own if one not in valid or _is_unmatched(one, result)]
    return replace(
        result,
        findings=tuple(sorted(findings, key=lambda finding: finding.acceptance is not None)),
        status=status_of(result.observation, tuple(f for f in findings if f.acceptance is None)),
        unused_acceptances=tuple(unused),
    )


def _is_match(acceptance: Acceptance, finding: Finding) -> bool:
    """Return whether the acceptance is for this finding of its domain."""
    return acceptance.code == finding.code and acceptance.subject in ("", finding.subject)


def _is_unmatched(acceptance: Acceptance, result: Result) -> bool:
    """Return whether no finding is accepted by it, although the check tested what it is about."""
    if any(_is_match(acceptance, finding) for finding in result.findings):
        return False
    seen = result.observation
    subject = tuple(one for one in seen.endpoints if one.subject == acceptance.subject)
    seen = replace(seen, endpoints=subject) if subject else seen
    rules = [rule for rule in RULES.values() if record_of(acceptance.code) in rule.codes]
    return not rules or any(rule.applies_to(seen) and rule.tested(seen) for rule in rules)


def evaluate_again(kept: Result) -> Result:
    """Return the verdict of the current rules on a kept result, under the decisions that it was made with."""
    severities = {f.code: f.severity for f in kept.findings if f.rule_severity is not None}
    accepted = [finding.acceptance for finding in kept.findings if finding.acceptance is not None]
    acceptances = dict.fromkeys((*accepted, *kept.unused_acceptances))
    return accept(with_severities(evaluate(kept.observation), severities), acceptances)


def is_over(acceptance: Acceptance, run_at: str) -> bool:
    """Return whether the last day of the acceptance, in UTC, is before a check at the time `run_at`."""
    try:
        today = datetime.fromisoformat(run_at).astimezone(UTC).date()
    except (ValueError, OverflowError):
        # a document of another program: without a time nothing is over
        return False
    return acceptance.until is not None and acceptance.until < today
