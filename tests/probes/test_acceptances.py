"""Accepted findings: which ones an acceptance is for, until when, and the status without them."""

from dataclasses import replace
from datetime import date

import pytest

from checker_smtp.probes.policy import FindingPolicy, accept, decide, decide_one, evaluate_again
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.rules import Acceptance, Severity
from tests.probes.observations import PLAIN_EHLO, endpoint, observation, session

# on 2026-03-01, without STARTTLS
SEEN = replace(observation(endpoint(session(ehlo=PLAIN_EHLO))), run_at="2026-03-01T12:00:00Z")
RESULT = evaluate(SEEN)
CODE = "smtp.all_no_starttls"
SUBJECT = SEEN.endpoints[0].subject


def acceptance(code: str = CODE, **other: object) -> Acceptance:
    return Acceptance(code=code, reason="it is moving", **other)  # type: ignore[arg-type]


def codes(result: Result, *, accepted: bool) -> set[str]:
    return {f.code for f in result.findings if (f.acceptance is not None) is accepted}


def test_an_accepted_finding_is_kept_behind_the_others_and_sets_no_status() -> None:
    assert (RESULT.status, RESULT.findings[0].code) == ("critical", CODE)
    accepted = accept(RESULT, [acceptance()])
    assert (accepted.status, accepted.mail) == ("ok", RESULT.mail)
    assert accepted.findings[-1] == replace(RESULT.findings[0], acceptance=acceptance())
    assert codes(accepted, accepted=True) == {CODE}
    assert accepted.findings[:-1] == RESULT.findings[1:]
    assert accepted.unused_acceptances == ()


def test_without_an_acceptance_the_result_is_equal() -> None:
    assert accept(RESULT, []) == RESULT
    assert list(decide([RESULT], FindingPolicy())) == [RESULT]


@pytest.mark.parametrize(
    ("until", "status"),
    [(None, "ok"), (date(2026, 3, 1), "ok"), (date(2026, 2, 28), "critical"), (date.max, "ok")],
)
def test_the_last_day_of_an_acceptance_counts(until: date | None, status: str) -> None:
    accepted = accept(RESULT, [acceptance(until=until)])
    assert accepted.status == status
    assert accepted.unused_acceptances == (() if status == "ok" else (acceptance(until=until),))


def test_the_day_is_that_of_the_check_in_utc() -> None:
    early = replace(RESULT, observation=replace(SEEN, run_at="2026-03-02T01:00:00+02:00"))
    assert accept(early, [acceptance(until=date(2026, 3, 1))]).status == "ok"
    timeless = replace(RESULT, observation=replace(SEEN, run_at="soon"))
    assert accept(timeless, [acceptance(until=date(2026, 3, 1))]).status == "ok"


@pytest.mark.parametrize(
    ("given", "is_used", "is_own"),
    [
        ({"domain": SEEN.domain}, True, True),
        ({"domain": "example.invalid"}, False, False),
        ({"code": "smtp.ptr.missing"}, False, True),
        ({"code": CODE.removesuffix("s")}, False, True),
        # the finding is about the domain as a whole
        ({"subject": SUBJECT}, False, True),
    ],
)
def test_an_acceptance_is_for_its_domain_code_and_subject(
    given: dict[str, object], is_used: bool, is_own: bool
) -> None:
    one = acceptance(**given)  # type: ignore[arg-type]
    accepted = accept(RESULT, [one])
    assert (accepted.status == "ok") is is_used
    assert accepted.unused_acceptances == ((one,) if is_own and not is_used else ())


def test_a_finding_of_a_server_is_accepted_by_its_subject() -> None:
    two = (endpoint(session(ehlo=PLAIN_EHLO)), endpoint(session(), address="192.0.2.99"))
    result = evaluate(replace(SEEN, endpoints=two))
    (missing,) = (one for one in result.findings if one.code == "smtp.starttls.missing")
    here = accept(result, [acceptance(missing.code, subject=missing.subject)])
    assert codes(here, accepted=True) == {missing.code}
    other = accept(result, [acceptance(missing.code, subject="192.0.2.99:25")])
    assert [one.subject for one in other.unused_acceptances] == ["192.0.2.99:25"]


def test_an_acceptance_of_what_was_not_tested_is_not_said_to_match_nothing() -> None:
    unreached = evaluate(replace(SEEN, endpoints=()))
    assert accept(unreached, [acceptance()]).unused_acceptances == ()
    # one that is over is said all the same
    over = acceptance(until=date(2026, 1, 1))
    assert accept(unreached, [over]).unused_acceptances == (over,)
    # a code of another checker, or of a newer version
    unknown = acceptance("smtp.tls.expired")
    assert accept(unreached, [unknown]).unused_acceptances in ((), (unknown,))


def test_an_acceptance_for_all_domains_is_used_if_one_domain_has_the_fault() -> None:
    healthy = evaluate(replace(SEEN, domain="example.invalid", endpoints=(endpoint(session()),)))
    policy = FindingPolicy(acceptances=(acceptance(), acceptance("smtp.open_relay")))
    decided = decide([healthy, RESULT], policy)
    first, second = decided
    assert decided[:1] == (first,)
    assert (first.status, second.status) == (healthy.status, "ok")
    assert first.unused_acceptances == second.unused_acceptances == (acceptance("smtp.open_relay"),)
    (alone,) = decide([healthy], policy)
    assert alone.unused_acceptances == policy.acceptances


def test_among_many_domains_only_an_acceptance_for_this_one_is_unused() -> None:
    own = acceptance("smtp.open_relay", domain=SEEN.domain)
    policy = FindingPolicy(
        severities={CODE: Severity.WARN}, acceptances=(acceptance(), own, acceptance("smtp.ptr.missing"))
    )
    result = decide_one(RESULT, policy)
    assert (result.findings[-1].acceptance, result.findings[-1].severity) == (acceptance(), Severity.WARN)
    assert result.unused_acceptances == (own,)
    assert decide_one(RESULT, FindingPolicy()) == RESULT


def test_the_severity_is_decided_before() -> None:
    policy = FindingPolicy(severities={CODE: Severity.INFO}, acceptances=(acceptance(),))
    (result,) = decide([RESULT], policy)
    assert result.findings[-1].acceptance == acceptance()
    assert (result.findings[-1].severity, result.findings[-1].rule_severity) == (Severity.INFO, Severity.CRIT)


def test_a_kept_result_is_evaluated_again_under_its_own_decisions() -> None:
    over = acceptance("smtp.ptr.missing", until=date(2026, 1, 1))
    policy = FindingPolicy(severities={CODE: Severity.WARN}, acceptances=(acceptance(), over))
    (result,) = decide([RESULT], policy)
    assert evaluate_again(result) == result
    assert evaluate_again(RESULT) == RESULT
    by_older_rules = replace(result, findings=result.findings[-1:], status="ok")
    assert evaluate_again(by_older_rules) == result
