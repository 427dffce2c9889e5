"""One fault is one item: what follows from it stands below it, and is counted all the same."""

from dataclasses import replace

import pytest

from checker_smtp import Result, evaluate, render
from checker_smtp.probes.rules import Acceptance, Severity
from checker_smtp.report.model.report import build_report
from tests.probes.observations import endpoint, observation
from tests.report.page import parse, words

BUSY = "421 4.3.2 System shutting down"
GREYLISTED = "451 4.7.1 Greylisting in action, please come back later"


def checked(**said: str | None) -> Result:
    return evaluate(observation(endpoint(**said)))  # type: ignore[arg-type]


CASES = [
    (
        {"null": f"MAIL {BUSY}", "postmaster": None, "relay": None, "end": "MAIL/closed"},
        "postmaster.deferred",
        2,
    ),
    ({"null": BUSY, "postmaster": None, "relay": None, "end": "RCPT/closed"}, "postmaster.deferred", 2),
    ({"null": GREYLISTED, "postmaster": GREYLISTED, "relay": GREYLISTED}, "postmaster.deferred", 2),
    ({"null": "550 5.1.1 no", "postmaster": "550 5.1.1 no"}, "postmaster.rejected", 1),
    ({"starttls": BUSY, "null": None, "postmaster": None, "relay": None, "end": "STARTTLS/closed"}, "", 1),
]


@pytest.mark.parametrize(("said", "code", "following"), CASES)
def test_one_fault_is_one_item(said: dict[str, str | None], code: str, following: int) -> None:
    result = checked(**said)
    report = build_report(result)
    (item,) = (*report.problems, *report.unsettled, *report.checker)
    assert item.code == f"smtp.{code or 'starttls.deferred'}"
    assert len(item.consequences) == following
    assert item.number == len(result.findings) == following + 1


def test_both_formats_show_what_follows_and_count_it() -> None:
    result = checked(**CASES[0][0])
    page = words(parse(render(result, "html")))
    text = " ".join(render(result, "text").split())
    for finding in result.findings:
        assert finding.code in page
        assert finding.code in text
    assert "3 notes; of these 3 not settled" in page
    assert text.count("--retry-deferred") == 1


def test_postmaster_is_not_called_untested_beside_its_deferral() -> None:
    result = checked(**CASES[0][0])
    (untested,) = (finding for finding in result.findings if finding.code == "smtp.not_tested")
    assert untested.message == "Not tested: relaying; the server replied 421 4.3.2."


def test_other_words_are_another_problem() -> None:
    later = "450 4.3.2 Please try again later"
    report = build_report(checked(null=GREYLISTED, postmaster=GREYLISTED, relay=later))
    assert [len(item.consequences) for item in report.unsettled] == [1, 0]


def test_an_accepted_finding_hides_no_other() -> None:
    result = checked(**CASES[3][0])
    accepted = Acceptance(code="smtp.postmaster.rejected", reason="known")
    findings = tuple(
        replace(f, acceptance=accepted) if f.severity is not Severity.INFO else f for f in result.findings
    )
    report = build_report(replace(result, findings=findings))
    assert [item.consequences for item in (*report.accepted, *report.unsettled)] == [(), ()]
