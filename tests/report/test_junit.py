"""The JUnit report, parsed strictly: CI systems reject files with unknown elements."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from checker_smtp.probes.observation import Mx
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.result import evaluate
from checker_smtp.probes.rules import RULES, Outcome, Severity
from checker_smtp.report.formats.junit import render_junit
from tests.report.results import (
    FIXTURES,
    POSTURES,
    everywhere_hostile,
    finding,
    golden,
    hidden,
    observation,
    replayed,
)


def parse(text: str) -> tuple[ET.Element, dict[str, ET.Element]]:
    """Return the suite and its cases by name, with the counts checked."""
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert root.tag == "testsuites"
    (suite,) = root
    properties, *elements = suite
    assert properties.tag == "properties"
    assert [one.get("name") for one in properties] == ["mail", "mail.reason"]
    cases = {case.get("name", ""): case for case in elements}
    assert len(cases) == len(elements)
    for counted in (root, suite):
        assert int(counted.get("tests", "")) == len(cases)
        assert int(counted.get("failures", "")) == len(suite.findall("*/failure"))
        assert int(counted.get("skipped", "")) == len(suite.findall("*/skipped"))
        assert counted.get("errors") == "0"
    assert {child.tag for case in elements for child in case} <= {"failure", "skipped", "system-out"}
    return suite, cases


@pytest.mark.parametrize("posture", POSTURES)
def test_there_is_a_case_for_each_rule(posture: str) -> None:
    text = render_junit(POSTURES[posture]())
    suite, cases = parse(text)
    assert list(cases) == list(RULES)
    assert suite.get("name") == "example.org"
    assert suite.get("timestamp") == "2026-03-01T12:00:00"
    golden(f"{posture}.xml", text)


def test_warnings_and_worse_are_failures_and_notes_are_output() -> None:
    _, cases = parse(render_junit(POSTURES["relay"]()))
    failure = cases["smtp.open_relay"].find("failure")
    assert failure is not None
    assert failure.get("type") == "smtp.open_relay"
    assert failure.get("message") == "192.0.2.1:25: The server relays."
    assert failure.text is not None
    assert "> 192.0.2.1:25: 250 2.1.5 Ok" in failure.text.splitlines()
    assert cases["smtp.starttls_offered"].find("failure") is not None
    banner = cases["smtp.banner_sanity"]
    assert [child.tag for child in banner] == ["system-out"]


def test_a_rule_with_several_findings_fails_once_and_quotes_all() -> None:
    found = (finding(), finding(subject="[2001:db8::1]:25", message="That one too."))
    _, cases = parse(render_junit(replace(POSTURES["relay"](), findings=found)))
    (failure,) = cases["smtp.open_relay"].findall("failure")
    assert "That one too." in (failure.text or "")


def test_a_rule_that_was_not_evaluated_is_skipped_and_not_passed() -> None:
    _, cases = parse(render_junit(POSTURES["unknown"]()))
    skipped = [name for name, case in cases.items() if case.find("skipped") is not None]
    assert "smtp.endpoint_reachable" in skipped
    assert "smtp.open_relay" in skipped
    assert "smtp.mx_present" not in skipped


def test_a_refusal_of_the_checker_is_not_a_pass() -> None:
    refused = finding("smtp.refused_us", Severity.INFO, outcome=Outcome.REFUSED_US, message="Not you.")
    _, cases = parse(render_junit(replace(POSTURES["healthy"](), findings=(refused,))))
    skipped = cases["smtp.open_relay"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "192.0.2.1:25: Not you."


def test_a_note_about_this_checker_skips_no_rule() -> None:
    note = finding("smtp.mx.translated", Severity.INFO, outcome=Outcome.NOT_APPLICABLE, rule="smtp.mx_sanity")
    _, cases = parse(render_junit(replace(POSTURES["healthy"](), findings=(note,))))
    assert [child.tag for child in cases["smtp.mx_sanity"]] == ["system-out"]


def test_a_null_mx_passes_its_own_rule_only() -> None:
    seen = observation(mx=Mx(status=DnsStatus.ANSWER, null_mx=True, null_preferences=(0,)), endpoints=())
    _, cases = parse(render_junit(evaluate(seen)))
    assert [name for name, case in cases.items() if case.find("skipped") is None] == ["smtp.null_mx"]


def test_findings_of_a_removed_rule_are_reported() -> None:
    old = finding("smtp.gone", rule="smtp.a_rule_of_old")
    _, cases = parse(render_junit(replace(POSTURES["healthy"](), findings=(old,))))
    assert cases["smtp.a_rule_of_old"].find("failure") is not None


def test_hostile_content_is_valid_xml_and_only_text() -> None:
    text = render_junit(everywhere_hostile())
    suite, _ = parse(text)
    text_of_suite = "".join(suite.itertext())
    assert "<script>" in text_of_suite  # as text, which is what it is
    assert not hidden(text_of_suite)
    assert not hidden("".join(value for element in suite.iter() for value in element.attrib.values()))
    assert text.isascii()


def test_an_invalid_time_is_left_out() -> None:
    healthy = POSTURES["healthy"]()
    result = replace(healthy, observation=replace(healthy.observation, run_at="soon"))
    suite, _ = parse(render_junit(result))
    assert "timestamp" not in suite.attrib


def test_recorded_checks_are_parsed() -> None:
    for folder in FIXTURES:
        parse(render_junit(replayed(folder)))
