"""Accepted findings in every format: shown with the reason, not counted; and unused acceptances."""

import json
import re
from dataclasses import replace
from datetime import date
from itertools import pairwise
from xml.etree.ElementTree import fromstring

import pytest
from jsonschema import Draft202012Validator

from checker_smtp import Result, render
from checker_smtp.api import Format
from checker_smtp.probes.policy import accept
from checker_smtp.probes.rules import Acceptance, Severity
from checker_smtp.report.diff.compare import compare
from checker_smtp.report.diff.sections import build_headline
from checker_smtp.report.diff.text import render_difference_text
from checker_smtp.report.document import dump, dump_line, load
from checker_smtp.report.formats import FORMATS
from checker_smtp.report.model.panels import ReportPanel, count_findings, panel_of
from checker_smtp.report.schema import build_schema
from checker_smtp.report.summary.buckets import Group, values_of
from checker_smtp.report.summary.line import read_line
from tests.report.page import parse, words
from tests.report.results import NASTY, POSTURES, WIDER, hidden

RELAY = POSTURES["relay"]()
REASON = "a honeypot, see ticket 12"
HONEYPOT = Acceptance(code="smtp.open_relay", reason=REASON, until=date(2026, 12, 31))
OVER = Acceptance(code="smtp.starttls.missing", reason="old", subject="192.0.2.1:25", until=date(2026, 1, 31))
NOTHING = Acceptance(code="smtp.ptr.missing", reason="gone")
ACCEPTED = accept(RELAY, [HONEYPOT, OVER, NOTHING])
ENDED = (
    "The acceptance of smtp.starttls.missing at 192.0.2.1:25 (old) ended on 2026-01-31: "
    "remove it, or give a later day"
)
UNMATCHED = "The acceptance of smtp.ptr.missing (gone) matches no finding: remove it if the fault is fixed"


def shown(result: Result, form: Format) -> str:
    """Return the text of a format on one line, as a reader has it."""
    text = render(result, form)
    if form == "html":
        text = words(parse(text))
    if form == "junit":
        text = " ".join((*fromstring(text).itertext(), *re.findall(r'value="([^"]*)"', text)))  # noqa: S314 - ours
    return " ".join(text.split())


def test_it_is_in_a_panel_of_its_own() -> None:
    assert [panel_of(one) is ReportPanel.ACCEPTED for one in ACCEPTED.findings] == [False, False, True]


@pytest.mark.parametrize("form", ["text", "html", "nagios", "junit"])
def test_formats_for_people_show_the_finding_the_day_and_the_reason(form: Format) -> None:
    text = shown(ACCEPTED, form)
    assert "The server relays." in text
    assert f"accepted until 2026-12-31: {REASON}" in text
    assert ENDED in text
    assert UNMATCHED in text
    assert "accepted until" not in shown(RELAY, form)
    assert "The acceptance of" not in shown(RELAY, form)


def test_every_format_counts_without_it() -> None:
    counts = count_findings(ACCEPTED.findings)
    assert counts == {Severity.INFO: 1, Severity.WARN: 1, Severity.CRIT: 0}
    assert ACCEPTED.status == json.loads(render(ACCEPTED, "json"))["status"] == "warning"
    assert shown(ACCEPTED, "text").startswith("example.org: WARNING. ")
    assert " 1 warning to fix, 1 accepted. " in shown(ACCEPTED, "text")
    assert "1 warning, 1 note, 1 accepted." in shown(ACCEPTED, "html")
    assert "verdict. Critical Accepted The server accepts mail from outside" in shown(ACCEPTED, "html")
    first = render(ACCEPTED, "nagios").splitlines()[0]
    assert first.startswith("SMTP WARNING: ")
    assert ", 1 warning, 1 note, 1 accepted; " in first
    assert "'critical'=0;;;0 'warnings'=1;;;0 'notes'=1;;;0" in first
    suite = fromstring(render(ACCEPTED, "junit"))  # noqa: S314 - our own
    failed = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert failed == ["smtp.starttls_offered"]
    metrics = render(ACCEPTED, "prometheus")
    assert 'checker_smtp_findings{domain="example.org",severity="crit"} 0.0' in metrics
    assert not re.search(r'_finding\{code="smtp.open_relay"', metrics)
    assert re.search(
        r'_finding_accepted\{code="smtp.open_relay",.*severity="crit",subject="192.0.2.1:25"\} 1', metrics
    )
    assert 'checker_smtp_unused_acceptances{domain="example.org"} 2.0' in metrics


def test_a_summary_counts_without_it() -> None:
    line = read_line(dump_line(ACCEPTED))
    assert list(values_of(line, Group.STATUS)) == ["warning"]
    assert set(values_of(line, Group.WARN)) == {"smtp.starttls.missing"}
    assert set(values_of(line, Group.CRIT)) == set()
    assert set(values_of(read_line(dump_line(RELAY)), Group.CRIT)) == {"smtp.open_relay"}


def test_the_document_has_it_and_is_read_again() -> None:
    document = json.loads(dump(ACCEPTED))
    assert document["findings"][2]["acceptance"] == {
        "code": "smtp.open_relay",
        "reason": REASON,
        "domain": "",
        "subject": "",
        "until": "2026-12-31",
    }
    assert [one["code"] for one in document["unused_acceptances"]] == [OVER.code, NOTHING.code]
    Draft202012Validator(build_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
        document
    )
    assert load(dump(ACCEPTED)) == load(dump_line(ACCEPTED)) == ACCEPTED


def test_a_badge_says_that_it_is_accepted() -> None:
    assert "OPEN RELAY, accepted" in shown(ACCEPTED, "text")
    assert "OPEN RELAY, accepted" not in shown(RELAY, "text")


@pytest.mark.parametrize("form", FORMATS)
def test_a_reason_cannot_attack_a_reader(form: Format) -> None:
    hostile = replace(HONEYPOT, reason=NASTY + WIDER + "x" * 5000)
    text = render(accept(RELAY, [hostile, replace(NOTHING, reason=NASTY, subject=NASTY)]), form)
    assert not hidden(text)
    assert form.startswith("json") or "x" * 500 not in text
    assert form in ("text", "json", "jsonl") or "<script" not in text


# differences


def test_a_fault_that_is_not_accepted_any_more_is_worse() -> None:
    difference = compare(ACCEPTED, RELAY)
    assert difference.worse
    assert difference.reasons == ("smtp.open_relay at 192.0.2.1:25 is not accepted any more (crit)",)
    assert difference.worst is Severity.CRIT
    assert f"was accepted until 2026-12-31: {REASON}" in render_difference_text(difference)


def test_a_fault_that_is_accepted_is_no_fault() -> None:
    difference = compare(RELAY, accept(RELAY, [HONEYPOT]))
    assert (difference.worse, difference.is_change) == (False, True)
    assert build_headline(difference) == "it changed, but did not get worse"
    assert f"accepted until 2026-12-31: {REASON}" in render_difference_text(difference)
    appeared = compare(replace(RELAY, findings=(), status="ok"), accept(RELAY, [HONEYPOT]))
    assert [reason.split()[0] for reason in appeared.reasons] == ["smtp.starttls.missing"]
    assert appeared.worst is Severity.WARN


def test_an_acceptance_that_is_newly_unused_is_a_change_once() -> None:
    used = accept(RELAY, [HONEYPOT])
    difference = compare(used, accept(RELAY, [HONEYPOT, OVER]))
    assert (difference.is_change, difference.worse) == (True, False)
    assert ENDED in " ".join(render_difference_text(difference).split())
    assert not compare(ACCEPTED, ACCEPTED).is_change


def test_the_page_skips_no_level_of_headings() -> None:
    levels = [
        int(e.tag[1]) for e in parse(render(ACCEPTED, "html")).iter() if re.fullmatch("h[1-6]", str(e.tag))
    ]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_document_with_many_unused_acceptances_is_cut() -> None:
    many = replace(RELAY, unused_acceptances=tuple(replace(NOTHING, reason=f"r{n}") for n in range(5000)))
    for form in ("text", "html", "nagios", "junit"):
        text = shown(many, form)
        assert text.count("matches no finding:") in (20, 40)
        assert "4980 more acceptances match no finding, or are over" in text
