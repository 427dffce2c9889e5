"""The row of each transaction says what a finding says, or that its rule passed, or repeats the reply."""

from dataclasses import replace

import pytest

from checker_smtp.probes.observation import Endpoint, ReplySeen, Session
from checker_smtp.probes.result import evaluate
from checker_smtp.report.formats import render
from checker_smtp.report.model.report import Report, build_report
from tests.report.results import FIXTURES, SETTINGS, endpoint, observation, replayed, reply, session

REFUSED = reply(554, "5.7.1 Relay access denied", 0.21, 8)


def asking(mail: ReplySeen | None, *purposes: str) -> Session:
    """Return a session in which MAIL of these transactions got this reply, so that RCPT was not sent."""
    held = session()
    transactions = tuple(
        replace(t, mail=mail, rcpt=None) if t.purpose in purposes else t for t in held.transactions
    )
    return replace(held, transactions=transactions)


def checked(*endpoints: Endpoint, **other: object) -> Report:
    return build_report(evaluate(observation(*endpoints, **other)))


def row(report: Report, question: str, at: int = 0) -> tuple[str, str]:
    (found,) = (r.verdict for r in report.endpoints[at].transactions if r.purpose == question)
    return found.level, found.text


def badges(report: Report) -> set[str]:
    return {badge.text for badge in report.endpoints[0].badges}


@pytest.mark.parametrize("code", [421, 450, 503, 530, 550, 554])
def test_no_relaying_is_not_said_where_the_recipient_was_never_named(code: int) -> None:
    report = checked(endpoint("192.0.2.1", asking(reply(code, "5.7.1 No", 0.2, 8), "relay")))
    assert "No relaying" not in badges(report)
    assert row(report, "relay")[0] == "info"
    assert all(r.remark == "" for r in report.endpoints[0].transactions)
    assert "No relaying" not in badges(checked(endpoint("192.0.2.1", asking(None, "relay"))))


def test_a_login_that_everybody_needs_shows_nothing_about_relaying() -> None:
    login = reply(530, "5.7.0 Authentication required", 0.2, 8)
    report = checked(endpoint("192.0.2.1", asking(login, "null-sender", "postmaster", "relay")))
    assert "Login required" in badges(report)
    assert "No relaying" not in badges(report)
    assert row(report, "relay") == ("info", "refused")
    assert row(report, "postmaster")[0] == "crit"


def test_what_is_right_is_said_once_its_rule_passed() -> None:
    report = checked(endpoint())
    assert badges(report) == {"TLS 1.3", "No relaying", "Accepts mail"}
    assert row(report, "relay") == ("good", "refused, as it should be")
    assert row(report, "postmaster") == ("good", "accepted")


def test_a_fault_of_another_kind_hides_nothing_that_is_right() -> None:
    report = checked(endpoint("192.0.2.1", session(tls="")))
    assert badges(report) == {"No STARTTLS", "No relaying", "Accepts mail"}


def test_a_rule_that_was_not_chosen_has_not_passed() -> None:
    report = checked(endpoint(), rules=("smtp.postmaster",))
    assert badges(report) == {"TLS 1.3", "Accepts mail"}
    assert row(report, "relay") == ("info", "refused")


def test_the_severity_of_a_row_is_that_of_its_finding() -> None:
    lasting = reply(451, "4.3.5 Server configuration problem", 0.21, 8)
    held = session()
    own = tuple(t if t.purpose == "relay" else replace(t, rcpt=lasting) for t in held.transactions)
    report = checked(endpoint("192.0.2.1", replace(held, transactions=own)))
    assert row(report, "postmaster") == ("warn", "deferred")


@pytest.mark.parametrize(
    ("name", "question", "level", "text"),
    [
        ("postfix-blocklisted", "relay", "info", "refused, which shows nothing"),
        ("postfix-no-postmaster", "null-sender", "info", "refused, which shows nothing"),
        ("odd-serves-the-probe-domain", "relay", "info", "accepted, which shows nothing"),
        ("odd-serves-the-probe-domain", "relay-control", "info", "refused"),
        ("odd-relays-for-postmaster-only", "relay", "warn", "accepted from outside"),
        ("odd-relays-for-postmaster-only", "relay-control", "info", "refused"),
        ("postfix-dislikes-our-name", "postmaster", "info", "deferred"),
    ],
)
def test_rows_of_recorded_checks(name: str, question: str, level: str, text: str) -> None:
    result = replayed(next(folder for folder in FIXTURES if folder.name == name))
    assert row(build_report(result), question) == (level, text)


def test_the_questions_without_an_answer_are_one_row_that_shows_no_command() -> None:
    result = replayed(next(folder for folder in FIXTURES if folder.name == "smtp-sink-421-at-mail"))
    *_, last = build_report(result).endpoints[0].transactions
    assert (last.question, last.verdict.text, last.reply) == ("Postmaster, Relaying", "not answered", ())
    assert render(result, "text").count("not answered") == 1
    assert "  Postmaster, Relaying: not answered\n" in render(result, "text")
    page = render(result, "html")
    assert page.count("not answered") == 1
    assert "RCPT TO:" not in page.partition("Postmaster, Relaying")[2].partition("</tr>")[0]


def test_the_remark_about_the_default_relay_probe_stands_once() -> None:
    report = checked(endpoint(), endpoint("192.0.2.2"))
    (remark,) = (r.remark for e in report.endpoints for r in e.transactions if r.remark)
    assert "postmaster@example.com" in remark
    assert "`--probe-address`" in remark
    own = replace(SETTINGS, probe_address="x7@example.edu")
    assert not any(r.remark for r in checked(endpoint(), settings=own).endpoints[0].transactions)
    relaying = checked(endpoint("192.0.2.1", session(relays=True)))
    assert not any(r.remark for r in relaying.endpoints[0].transactions)


def test_a_reply_of_several_lines_is_shown_as_lines() -> None:
    lines = [f"550-5.7.1 line {number}" for number in range(9)]
    refusal = replace(reply(550, "5.7.1 no", 0.2, 8), raw="\r\n".join([*lines, "550 5.7.1 no"]) + "\r\n")
    report = checked(endpoint("192.0.2.1", asking(refusal, "null-sender", "postmaster", "relay")))
    (shown,) = (r.reply for e in report.endpoints for r in e.transactions if r.purpose == "postmaster")
    assert shown == ("MAIL: 550-5.7.1 line 0", *lines[1:8], "… 2 more lines")
    seen = observation(endpoint("192.0.2.1", asking(refusal, "null-sender", "postmaster", "relay")))
    for form in ("text", "html", "junit"):
        page = render(evaluate(seen), form)
        assert "550-5.7.1 line 7" in page
        assert r"\r" not in page
    assert "line 7" not in render(evaluate(seen), "nagios").partition("|")[0]
