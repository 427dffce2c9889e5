"""The three panels, what to do next in them, and the counts, which are the same in every format."""

import re
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given, settings

from checker_smtp import Result, evaluate, render
from checker_smtp.probes.rules import Finding, Outcome, Severity
from checker_smtp.report.model.panels import ReportPanel, count_findings, panel_of
from checker_smtp.report.model.report import Report, build_report
from tests.probes.strategies import observations
from tests.report.page import parse, words
from tests.report.results import FIXTURES, finding, observation, replayed, result

CASES = [pytest.param(folder, id=folder.name) for folder in FIXTURES]
INFO, WARN, CRIT = Severity.INFO, Severity.WARN, Severity.CRIT


def recorded(name: str) -> Result:
    return replayed(next(folder for folder in FIXTURES if folder.name == name))


@pytest.mark.parametrize(
    ("found", "panel"),
    [
        (finding(), ReportPanel.FIX),
        # the outcome alone decides, not the severity
        (finding("smtp.starttls.deferred", WARN, outcome=Outcome.TRANSIENT), ReportPanel.UNSETTLED),
        (finding("smtp.starttls.deferred", WARN), ReportPanel.FIX),
        (finding("smtp.ipv6.none", INFO), ReportPanel.FIX),
        (finding("smtp.null_mx", INFO, "", outcome=Outcome.PASS), ReportPanel.FIX),
        (finding("smtp.postmaster.deferred", INFO, outcome=Outcome.TRANSIENT), ReportPanel.UNSETTLED),
        (finding("smtp.not_tested", INFO, outcome=Outcome.NOT_TESTED), ReportPanel.UNSETTLED),
        (finding("smtp.refused_us", INFO, outcome=Outcome.REFUSED_US), ReportPanel.CHECKER),
        # its record says that it is about this side's resolver
        (finding("smtp.mx.translated", INFO, "mx.example.org"), ReportPanel.CHECKER),
        # a whole family could not be reached from here
        (finding("smtp.not_tested", INFO, "", outcome=Outcome.NOT_TESTED), ReportPanel.CHECKER),
        (finding("smtp.from.the.future", INFO, outcome=Outcome.TRANSIENT), ReportPanel.UNSETTLED),
    ],
)
def test_each_finding_is_in_one_panel(found: Finding, panel: ReportPanel) -> None:
    assert panel_of(found) is panel


def counted(checked: Result) -> set[tuple[int, int, int]]:
    """Return the numbers of critical findings, warnings and notes that the formats give."""
    page = parse(render(checked, "html"))
    shown = " ".join(words(e) for e in page.iter("p") if e.attrib.get("class") == "counts").partition(";")[0]
    assert not re.search(r"\b0 ", shown)
    in_words = {word: int(number) for number, word in re.findall(r"(\d+) (critical|warning|note)s?\b", shown)}
    html = tuple(in_words.get(word, 0) for word in ("critical", "warning", "note"))
    first = render(checked, "nagios").splitlines()[0]
    nagios = tuple(int(re.search(rf"'{name}'=(\d+)", first)[1]) for name in ("critical", "warnings", "notes"))  # type: ignore[index]
    metrics = dict(re.findall(r'_findings\{.*severity="(\w+)"\} (\d+)', render(checked, "prometheus")))
    head = " ".join(render(checked, "text").partition("\n\n")[0].split())
    text = [int(n) for n in re.findall(r"(\d+) critical fault|(\d+) warning", head) for n in n if n]
    assert sum(text) == html[0] + html[1]
    return {html, nagios, tuple(int(metrics[word]) for word in ("crit", "warn", "info"))}  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("folder", CASES)
def test_every_format_counts_the_same(folder: object) -> None:
    checked = replayed(folder)  # type: ignore[arg-type]
    counts = count_findings(checked.findings)
    assert counted(checked) == {(counts[CRIT], counts[WARN], counts[INFO])}
    junit = fromstring(render(checked, "junit"))  # noqa: S314 - our own
    failed = {case.get("name") for case in junit.iter("testcase") if case.find("failure") is not None}
    assert failed == {found.rule for found in checked.findings if found.severity is not INFO}


def test_a_broken_key_is_a_warning_in_every_format() -> None:
    checked = recorded("postfix-tls-without-key")
    report = build_report(checked)
    assert [item.code for item in report.problems] == ["smtp.starttls.deferred"]
    assert report.unsettled == report.checker == ()
    assert counted(checked) == {(0, 1, len(report.notes))}
    assert report.head.verdict.faults == "1 warning to fix."
    assert "the server reports a fault of its own" in report.problems[0].subjects[0].message
    for output in (render(checked, "text"), words(parse(render(checked, "html")))):
        assert "Nothing to fix" not in output
        assert "fault of the domain" not in output


def test_a_temporary_warning_is_not_settled_and_sets_the_exit_code() -> None:
    checked = recorded("odd-starttls-454")
    report = build_report(checked)
    assert checked.status == "warning"
    assert report.problems == ()
    assert [item.code for item in report.unsettled] == ["smtp.starttls.deferred"]
    assert report.head.verdict.faults == "1 warning not settled."
    assert report.first is report.unsettled[0]
    assert counted(checked) == {(0, 1, len(report.notes))}
    text = render(checked, "text")
    assert text.index("Not settled") < text.index("  WARN  STARTTLS is offered") < text.index("Notes")
    assert "What to fix" not in text
    page = words(parse(render(checked, "html")))
    assert "Warning Temporary STARTTLS is offered" in page
    assert "What to fix" not in page


def test_what_is_to_fix_and_what_is_open_are_counted_apart() -> None:
    fault, later = finding(), finding("smtp.starttls.deferred", WARN, outcome=Outcome.TRANSIENT)
    report = build_report(result(observation(), (fault, later), "critical"))
    assert report.head.verdict.faults == "1 critical fault to fix, 1 warning not settled."
    assert [item.code for item in report.faults] == [fault.code, later.code]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(observations)
def test_no_status_contradicts_its_panels(seen: object) -> None:
    checked = evaluate(seen)  # type: ignore[arg-type]
    report = build_report(checked)
    assert bool(report.faults) is (checked.status in ("warning", "critical"))
    assert report.head.verdict.faults[0].isdigit() is bool(report.faults)
    items = (*report.to_fix, *report.unsettled, *report.checker)
    assert sum(item.number for item in items) == len(checked.findings)
    for endpoint in report.endpoints:
        good = {row.purpose for row in endpoint.transactions if row.verdict.level == "good"}
        badges = {badge.text for badge in endpoint.badges if badge.level == "good"}
        assert ("No relaying" in badges) is ("relay" in good)
        assert ("Accepts mail" in badges) is ("postmaster" in good)
        for row in endpoint.transactions:
            assert row.verdict.level != "good" or row.reply[0].startswith("RCPT: ")


def steps(report: Report) -> list[str]:
    items = (*report.to_fix, *report.unsettled, *report.checker)
    return [step for item in items for step in (*item.steps, *(fix.text for fix in item.fixes))]


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("postfix-greylisting", "--retry-deferred 5"),
        ("exim-greeting-451", "--retry-deferred 5"),
        ("postfix-dislikes-our-name", "--helo-name"),
        ("odd-mixed-codes", "--helo-name"),
        ("odd-serves-the-probe-domain", "--probe-address"),
        ("odd-silent", "--timeout 300"),
    ],
)
def test_the_option_that_settles_it_is_named(name: str, option: str) -> None:
    report = build_report(recorded(name))
    assert any(f"`{option}" in step for step in steps(report))
    for output in (render(recorded(name), "text"), words(parse(render(recorded(name), "html")))):
        assert option in " ".join(output.split())


@pytest.mark.parametrize(
    ("name", "option"),
    [
        # another name does not take an address off a list
        ("postfix-blocklisted", "--helo-name"),
        # the retry was made
        ("postfix-greylisting-passed", "--retry-deferred"),
        ("postfix-healthy", "--timeout"),
    ],
)
def test_an_option_that_changes_nothing_is_not_named(name: str, option: str) -> None:
    assert not any(option in step for step in steps(build_report(recorded(name))))


def test_a_fix_that_names_the_option_is_enough() -> None:
    report = build_report(recorded("postfix-greylisting"))
    assert all(item.steps == () for item in report.unsettled)


def test_what_is_no_fault_of_the_domain_is_not_to_be_fixed_there() -> None:
    note = finding("smtp.mx.translated", INFO, "mx.example.org", outcome=Outcome.NOT_APPLICABLE)
    text = render(result(observation(), (note,), "info"))
    assert "What to do: Relay for nobody." in text
    assert "Fix" not in text


def test_settings_stand_with_what_is_about_this_checker() -> None:
    refused = words(parse(render(recorded("postfix-blocklisted"), "html")))
    assert refused.index("About this checker") < refused.index("EHLO name") < refused.index("Notes")
    text = " ".join(render(recorded("postfix-blocklisted"), "text").split())
    assert text.index("About this checker") < text.index("EHLO name") < text.index("Notes")
    assert "Resolver 127.1.2.53" in " ".join(render(recorded("postfix-healthy"), "text").splitlines()[:3])
    healthy = words(parse(render(recorded("postfix-healthy"), "html")))
    assert healthy.index("Endpoints") < healthy.index("About this checker") < healthy.index("EHLO name")


def test_an_old_document_without_reasons_is_shown() -> None:
    found = finding("smtp.refused_us", INFO, outcome=Outcome.REFUSED_US)
    report = build_report(result(observation(), (replace(found, id="", reason="", words=""),), "info"))
    (item,) = report.checker
    assert item.reasons == ()
    assert any("--helo-name" in step for step in item.steps)
