"""What holds of every verdict on every observation, be it made up or met on a visit in bad faults."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker_smtp.probes.observation import Endpoint, Observation
from checker_smtp.probes.result import evaluate
from checker_smtp.probes.rules import CODES, RULES, Finding, Outcome, Severity, apply_rules, status_of
from checker_smtp.report.document import dump, load
from checker_smtp.testing import NetworkFaults
from tests.probes.fuzzing import NETWORK_FAULTS, fuzz_server, result_of
from tests.probes.observations import NAMED, endpoint, observation
from tests.probes.sessions import probe_endpoint
from tests.probes.strategies import observations
from tests.probes.world import options
from tests.sansio.strategies import steady

STATUS = {"crit": "critical", "warn": "warning", "info": "info"}


def check_finding(seen: Observation, finding: Finding) -> None:
    rule = RULES[finding.rule]
    if finding.code.startswith("smtp.tls."):
        assert finding.rule == "smtp.tls_quality"
    else:
        assert finding.code in {code.code for code in rule.codes}
        assert finding.severity.rank <= CODES[finding.code].severity.rank
        check_text(finding)
    assert finding.severity is not Severity.CRIT or finding.outcome is Outcome.FAIL
    if finding.code == "smtp.refused_us":
        assert finding.outcome is Outcome.REFUSED_US
    if finding.code == "smtp.not_tested":
        assert finding.outcome in (Outcome.NOT_TESTED, Outcome.TRANSIENT)
    for evidence in finding.evidence:
        if evidence.source == "dns":
            assert evidence.where in {f"{answer.rdtype} {answer.name}" for answer in seen.dns}
        else:
            (held,) = (e.sessions for e in seen.endpoints if e.subject == evidence.where)
            session = held[evidence.session or 0]
            assert evidence.session is not None
            assert evidence.entry is None or 0 <= evidence.entry < len(session.transcript)


def check_text(finding: Finding) -> None:
    for text in (finding.message, finding.fix):
        assert text.endswith(".")
        assert ".." not in text
        assert "  " not in text
        assert "()" not in text
        assert not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in text)
    assert finding.reference


def check_verdict(seen: Observation) -> tuple[Finding, ...]:
    found = apply_rules(seen)
    assert found == apply_rules(seen)
    for finding in found:
        check_finding(seen, finding)
    assert len({(f.code, f.subject, f.message) for f in found}) == len(found)
    ranks = [f.severity.rank for f in found]
    assert ranks == sorted(ranks, reverse=True)
    status = status_of(seen, found)
    if status != "unknown":
        assert status == (STATUS[found[0].severity] if found else "ok")
    else:
        assert not ranks or ranks[0] == 0
    return found


@pytest.mark.slow
@steady
@given(observations)
def test_any_observation_is_judged(seen: Observation) -> None:
    found = check_verdict(seen)
    if seen.mx.null_mx:
        assert [f.code.partition(".mixed")[0] for f in found] == ["smtp.null_mx"]
    for rule in RULES.values():
        assert isinstance(rule.tested(seen), bool)


@pytest.mark.slow
@settings(steady, max_examples=40)
@given(observations)
def test_an_observation_goes_to_json_and_back_without_loss(seen: Observation) -> None:
    result = evaluate(seen)
    text = dump(result)
    assert text.isascii()
    assert load(text) == result
    assert evaluate(load(text).observation) == result


def visited(data: st.DataObject, faults: NetworkFaults, address: str) -> Endpoint:
    server = fuzz_server(data, faults)
    sessions = result_of(probe_endpoint(options(), server, address, "mx.example.org", 1))
    return Endpoint(address=address, port=25, targets=("mx.example.org",), reverse=NAMED, sessions=sessions)


@pytest.mark.slow
@steady
@given(st.data(), st.lists(NETWORK_FAULTS, min_size=1, max_size=2))
def test_a_visit_in_any_weather_is_judged(data: st.DataObject, weathers: list[NetworkFaults]) -> None:
    addresses = ("192.0.2.7", "2001:db8::7")
    held = [visited(data, faults, a) for faults, a in zip(weathers, addresses, strict=False)]
    seen = observation(*held)
    found = check_verdict(seen)
    for finding in found:
        for evidence in finding.evidence:
            assert evidence.source == "session"
            if evidence.entry is not None and evidence.quote.endswith("\n"):
                (sessions,) = (e.sessions for e in held if e.subject == evidence.where)
                transcript = sessions[evidence.session or 0].transcript
                got = str(transcript[evidence.entry].get("got", ""))
                assert evidence.quote[-len(got) :] in got or evidence.quote in got
    told = {f.subject for f in found}
    for e in held:
        refused = e.main.greeting is not None and not e.main.greeting.positive
        assert not refused or e.subject in told
        unanswered = [t for t in e.main.transactions if e.asked(t.purpose).verdict is None]  # type: ignore[union-attr]
        assert not unanswered or e.subject in told or "" in told
    assert load(dump(evaluate(seen))).observation == seen


@pytest.mark.parametrize("rule", RULES)
def test_a_server_in_order_is_not_blamed_by_any_rule(rule: str) -> None:
    seen = observation(endpoint())
    assert RULES[rule].findings(seen) == ()
    assert RULES[rule].tested(seen)


def test_nothing_is_said_where_all_is_well() -> None:
    seen = observation(endpoint(), endpoint(address="2001:db8::7"))
    result = evaluate(seen)
    assert (result.findings, result.status, result.observation) == ((), "ok", seen)
