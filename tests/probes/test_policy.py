"""Severities by the configuration: the finding keeps its rule's, and only a failure is critical."""

from checker_smtp.probes.policy import with_severities
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.rules import Finding, Outcome, Severity
from tests.probes.observations import PLAIN_EHLO, endpoint, observation, session

RESULT = evaluate(observation(endpoint(session(ehlo=PLAIN_EHLO))))
DEFERRED = evaluate(observation(endpoint(session(null="451 4.3.0 try later"))))


def the(code: str, result: Result) -> Finding:
    (finding,) = (one for one in result.findings if one.code == code)
    return finding


def test_without_a_change_the_result_is_the_same_object() -> None:
    assert with_severities(RESULT, {}) is RESULT
    assert with_severities(RESULT, {"smtp.ptr.missing": Severity.INFO}) is RESULT
    same = {one.code: one.severity for one in RESULT.findings}
    assert with_severities(RESULT, same) is RESULT


def test_a_finding_has_the_severity_of_the_configuration_and_names_its_rule_s() -> None:
    (starttls,) = (one.code for one in RESULT.findings if one.severity is Severity.CRIT)
    eased = with_severities(RESULT, {starttls: Severity.INFO})
    assert (RESULT.status, eased.status) == ("critical", "info")
    finding = the(starttls, eased)
    assert (finding.severity, finding.rule_severity) == (Severity.INFO, Severity.CRIT)
    assert eased.mail == RESULT.mail
    # the worst come first
    raised = with_severities(RESULT, {RESULT.findings[-1].code: Severity.CRIT, starttls: Severity.INFO})
    ranks = [one.severity.rank for one in raised.findings]
    assert ranks == sorted(ranks, reverse=True)
    # a second time changes nothing
    assert with_severities(eased, {starttls: Severity.WARN}) == eased


def test_only_a_failure_becomes_critical() -> None:
    deferred = the("smtp.null_sender.deferred", DEFERRED)
    assert (deferred.severity, deferred.outcome) == (Severity.INFO, Outcome.TRANSIENT)
    raised = with_severities(DEFERRED, {deferred.code: Severity.CRIT})
    assert the(deferred.code, raised).severity is Severity.WARN
    assert raised.status == "warning"
