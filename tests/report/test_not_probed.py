"""A check with some rules only: endpoints that were not probed are not reported as faulty."""

import json
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest

from checker_smtp.probes.requirements import NOT_HELD
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.report.formats import FORMATS, render
from checker_smtp.report.formats.html import render_html
from checker_smtp.report.model.report import build_report
from tests.report.page import faults, parse, words
from tests.report.results import endpoint, observation, session

RULES = ("smtp.mx_sanity", "smtp.reverse_dns")


def dns_only() -> Result:
    seen = observation(endpoint("192.0.2.1", NOT_HELD), endpoint("2001:db8::1", NOT_HELD))
    families = replace(seen.coverage.ipv4, published=1, connected=0)
    coverage = replace(seen.coverage, ipv4=families, ipv6=families)
    return evaluate(replace(seen, rules=RULES, coverage=coverage))


@pytest.mark.parametrize("form", FORMATS)
def test_no_report_says_that_a_server_does_not_reply(form: str) -> None:
    output = render(dns_only(), form)
    for claim in ("0 of", "cannot arrive", "nreachable", "not-held: ", "0 ms went"):
        assert claim not in output.partition("</style>")[2 if form == "html" else 0]


def test_text_and_page_say_that_no_endpoint_was_probed() -> None:
    page = render_html(dns_only())
    assert faults(page) == []
    for output in (render(dns_only(), "text"), words(parse(page))):
        text = " ".join(output.split())
        assert "It was not tested if mail can arrive: no server was probed." in text
        assert "1 published, none probed" in text
        assert text.count("Not probed") == 2
        assert text.count("none: no selected rule needs one") == 2
    assert ("Rules", "smtp.mx_sanity, smtp.reverse_dns") in build_report(dns_only()).head.details
    assert "Rules" not in dict(build_report(evaluate(observation())).head.details)


def test_monitoring_has_no_figure_without_a_test() -> None:
    nagios = render(dns_only(), "nagios")
    assert "no endpoint probed" in nagios
    assert "'reached'" not in nagios
    metrics = render(dns_only(), "prometheus")
    assert 'checker_smtp_endpoints{domain="example.org"} 2.0' in metrics
    assert "checker_smtp_endpoints_reachable{" not in metrics
    assert "checker_smtp_endpoint_up{" not in metrics
    json.loads(render(dns_only(), "json"))


def test_a_disabled_rule_has_passed_no_test() -> None:
    cases = fromstring(render(dns_only(), "junit")).iter("testcase")  # noqa: S314 - our own
    passed = [case.get("name") for case in cases if case.find("skipped") is None]
    assert passed == list(RULES)


@pytest.mark.parametrize(
    ("purpose", "title"),
    [
        ("revisit", "Again later, as the server had asked for"),
        ("relay", "Elsewhere, for all domains of this server at once: relaying"),
    ],
)
def test_each_session_has_a_title(purpose: str, title: str) -> None:
    seen = observation(endpoint("192.0.2.1", session(), replace(session(), purpose=purpose)))
    (report,) = build_report(evaluate(seen)).endpoints
    assert [held.title for held in report.sessions] == ["Session", title]
