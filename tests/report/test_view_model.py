"""The view model: the order, the words, the confidence, and one item for each problem."""

import re
from dataclasses import replace

import pytest

from checker_smtp.probes.observation import GIVEN_WITH_REQUEST, Control, Mx, MxTarget, Observation
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.probes.result import evaluate
from checker_smtp.probes.rules import CODES, Outcome, Severity
from checker_smtp.report.formats.html import render_html
from checker_smtp.report.formats.text import render_text
from checker_smtp.report.model.certificate import describe_certificate
from checker_smtp.report.model.report import Report, build_report
from checker_smtp.report.model.timeline import format_seconds, split_phases
from smtp_sansio import Certificate
from tests.report.results import (
    FIXTURES,
    MX,
    POSTURES,
    SETTINGS,
    endpoint,
    finding,
    observation,
    replayed,
    result,
    session,
    unreached,
)


def recorded(name: str) -> Report:
    return build_report(replayed(next(folder for folder in FIXTURES if folder.name == name)))


ARRIVAL = {
    "postfix-healthy": "Mail can arrive.",
    "postfix-open-relay": "Mail can arrive.",
    "dns-null-mx": "The domain declares that it receives no mail.",
    "dns-no-such-domain": "Mail cannot arrive: the domain has no mail server.",
    "dns-nothing-listens": "Mail is deferred: no mail server of the domain replies.",
    "dns-mx-without-address": "Mail cannot arrive: the domain's mail servers have no address that can be "
    "reached.",
    "dns-servfail": "Mail is deferred: the lookup of the domain's mail servers fails.",
    "postfix-greylisting": "Mail is deferred: the server asks unknown senders to retry later (greylisting).",
    "postfix-no-postmaster": "Mail to postmaster is refused: the server does not know the mailbox. No other "
    "mailbox was tested.",
    "postfix-blocklisted": "It is not known if mail can arrive: the server refuses this checker.",
    "odd-silent": "Mail is deferred: no mail server of the domain replies.",
}


@pytest.mark.parametrize(("name", "sentence"), ARRIVAL.items())
def test_whether_mail_can_arrive(name: str, sentence: str) -> None:
    assert recorded(name).head.verdict.arrival == sentence


def test_arrival_is_not_known_without_a_session() -> None:
    verdict = build_report(POSTURES["unknown"]()).head.verdict
    assert verdict.arrival == "It is not known if mail can arrive: nothing could be tested from here."
    assert verdict.faults == "No fault was found, and none is ruled out."


def test_arrival_is_not_known_where_an_option_leaves_out_the_servers() -> None:
    only_ipv6 = MxTarget(preference=10, target=MX, ipv6=("2001:db8::1",), ipv6_status=DnsStatus.ANSWER)
    mx = Mx(status=DnsStatus.ANSWER, records=(only_ipv6,))
    seen = replace(observation(), endpoints=(), mx=mx, settings=replace(SETTINGS, ipv6=False))
    verdict = build_report(evaluate(seen)).head.verdict
    assert verdict.arrival == (
        "It is not known if mail can arrive: an option leaves out the addresses of the mail servers."
    )


def test_arrival_without_a_tested_recipient() -> None:
    quiet = observation(endpoint("192.0.2.1", replace(session(), transactions=())))
    off = replace(SETTINGS, test_null_sender=False, test_postmaster=False)
    verdict = build_report(result(replace(quiet, settings=off))).head.verdict
    assert verdict.arrival == "A mail server replies; no recipient was tested."
    verdict = build_report(result(quiet)).head.verdict
    assert verdict.arrival == (
        "It is not known if mail can arrive: no question about a recipient was answered."
    )


def test_the_worst_comes_first_and_among_equals_the_most_urgent() -> None:
    report = recorded("smtp-sink-takes-everything")
    assert [item.code for item in report.to_fix] == [
        "smtp.open_relay",
        "smtp.auth.plaintext",
        "smtp.all_no_starttls",
        "smtp.protocol.deviation",
        "smtp.ipv6.none",
    ]


def test_one_problem_on_several_endpoints_is_one_item() -> None:
    subjects = ("192.0.2.1:25", "[2001:db8::1]:25")
    own = CODES["smtp.open_relay"].fix
    found = tuple(replace(finding(subject=subject), fix=own) for subject in subjects)
    report = build_report(result(observation(), found, "critical"))
    (item,) = report.to_fix
    assert tuple(subject.name for subject in item.subjects) == subjects
    assert [(fix.software, fix.subjects) for fix in item.fixes] == [("Postfix", ())]


def test_each_software_has_its_own_fix() -> None:
    exim = replace(session(), greeting=replace(session().greeting, text="x ESMTP Exim 4.96 Sun"))  # type: ignore[type-var]
    seen = observation(endpoint(), endpoint("192.0.2.2", exim))
    own = CODES["smtp.open_relay"].fix
    found = tuple(replace(finding(subject=e.subject), fix=own) for e in seen.endpoints)
    (item,) = build_report(result(seen, found, "critical")).to_fix
    assert [(fix.software, fix.subjects) for fix in item.fixes] == [
        ("Postfix", ("192.0.2.1:25",)),
        ("Exim", ("192.0.2.2:25",)),
    ]


def test_a_fix_of_the_rule_has_priority_over_advice() -> None:
    (item,) = build_report(result(observation(), (finding(),), "critical")).to_fix
    assert [(fix.software, fix.text) for fix in item.fixes] == [("", "Relay for nobody.")]


@pytest.mark.parametrize("outcome", [Outcome.TRANSIENT, Outcome.REFUSED_US, Outcome.NOT_TESTED])
def test_findings_that_are_not_the_domains_fault_are_separate(outcome: Outcome) -> None:
    note = finding("smtp.ipv6.none", Severity.INFO, "")
    aside = finding("smtp.not_tested", Severity.INFO, outcome=outcome)
    report = build_report(result(observation(), (note, aside), "info"))
    assert [item.code for item in report.to_fix] == ["smtp.ipv6.none"]
    is_checker = outcome is Outcome.REFUSED_US
    assert [item.code for item in report.checker] == ["smtp.not_tested"] * is_checker
    assert [item.code for item in report.unsettled] == ["smtp.not_tested"] * (not is_checker)
    assert report.panels == ("unsettled", "checker", "fix", "accepted")
    assert report.head.counts == ("2 notes",)


def test_the_head_lists_disabled_tests() -> None:
    off = replace(SETTINGS, test_open_relay=False, test_null_sender=False, ipv6=False)
    facts = dict(build_report(result(observation(settings=off))).head.facts)
    assert facts["Not tested, by option"] == "null sender, open relay, IPv6"
    assert facts["IPv6"] == "not tested, by option"
    assert facts["Checked"] == "2026-03-01 12:00:00 UTC, in 0.34 s"


def test_probed_controls_are_listed() -> None:
    asked = Control(host="mx.example.edu", address="198.51.100.7", port=25, outcome="timeout")
    report = build_report(result(observation(controls=(asked,))))
    assert dict(report.head.details)["Control hosts"] == "mx.example.edu at 198.51.100.7: timeout"


def test_an_unknown_code_is_reported() -> None:
    found = (finding("smtp.tls.expired"), finding("smtp.from.the.future"))
    report = build_report(result(observation(), found, "critical"))
    assert [item.title for item in report.to_fix] == [
        "The TLS checker found a weakness",
        "A finding that this version does not know",
    ]


def test_the_mx_table() -> None:
    rows = recorded("dns-one-dead-address-of-two").mx
    assert len(rows) == 2
    assert {row.preference for row in rows} == {"10"}
    assert all(row.ttl and row.address_ttl for row in rows)
    assert "confirmed" in rows[0].reverse
    (row,) = recorded("dns-mx-ip-literal").mx
    assert (row.address, row.note.partition(" (")[0]) == ("", "an IP address")
    (row,) = recorded("dns-mx-alias-dangling").mx
    assert row.note.startswith("alias → ")
    assert row.note.endswith("(dangling)")
    assert recorded("dns-implicit-mx").mx[0].preference == "implicit"


@pytest.mark.parametrize("ttl", ["9" * 5000, "²"])
def test_a_ttl_of_a_document_that_is_no_number_is_left_out(ttl: str) -> None:
    folder = next(folder for folder in FIXTURES if folder.name == "dns-one-dead-address-of-two")
    seen = replayed(folder).observation
    answers = tuple(
        replace(answer, records=tuple(re.sub(r"^(\S+) \d+ ", rf"\1 {ttl} ", line) for line in answer.records))
        for answer in seen.dns
    )
    rows = build_report(evaluate(replace(seen, dns=answers))).mx
    assert [row.address_ttl for row in rows] == ["", ""]


def test_badges() -> None:
    (endpoint_report,) = recorded("postfix-open-relay").endpoints
    assert [(badge.level, badge.text) for badge in endpoint_report.badges] == [
        ("crit", "OPEN RELAY"),
        ("good", "TLS 1.3"),
        ("good", "Accepts mail"),
    ]
    (endpoint_report,) = recorded("postfix-blocklisted").endpoints
    assert [badge.text for badge in endpoint_report.badges] == ["Refuses this checker", "TLS 1.3"]
    assert endpoint_report.level == ""


def test_the_certificate_is_shown_and_not_judged() -> None:
    facts = dict(build_report(result(observation())).endpoints[0].facts)
    assert facts["Certificate"] == (
        "seen, not judged: common name Büro · DNS names mx.example.org, mx2.example.org, mx3.example.org "
        "and 21 more · issuer CN=R11,O=Let's Encrypt,C=US · from 2026-01-01 · to 2026-04-01 · "
        f"SHA-256 {'5f' * 32}"
    )


@pytest.mark.parametrize(
    ("certificate", "shown"),
    [
        (Certificate(sha256="ab"), "SHA-256 ab"),
        (
            Certificate(sha256="ab", issuer="CN=mx", self_issued=True),
            "issuer and subject are the same (self-signed) · SHA-256 ab",
        ),
        (Certificate(sha256="ab", note="not parsed: x"), "SHA-256 ab · not parsed: x"),
        (
            Certificate(sha256="ab", common_name="mx.test", dns_names=("mx.test", "b.test")),
            "DNS names mx.test, b.test · SHA-256 ab",
        ),
        (Certificate(sha256="ab", omitted_names=2), "DNS names 2 more · SHA-256 ab"),
        (
            Certificate(sha256="ab", dns_names=("\x1b[31m", "a" * 101), issuer="b" * 401),
            rf"DNS names \x1b[31m, {'a' * 99}… · issuer {'b' * 399}… · SHA-256 ab",
        ),
    ],
)
def test_certificates(certificate: Certificate, shown: str) -> None:
    assert describe_certificate(certificate) == f"seen, not judged: {shown}"


@pytest.mark.parametrize("posture", POSTURES)
def test_each_report_says_what_was_not_looked_at(posture: str) -> None:
    sentence = "Not looked at: certificate validity, DANE, MTA-STS, DNSSEC signing."
    assert render_text(POSTURES[posture]()).splitlines()[-1] == sentence
    assert f"<p>{sentence}</p>" in render_html(POSTURES[posture]())


def test_extensions_and_what_tls_changed() -> None:
    (endpoint_report,) = recorded("postfix-healthy").endpoints
    assert endpoint_report.lost == ()
    assert endpoint_report.gained == ()
    (plain,) = recorded("postfix-no-starttls").endpoints
    assert plain.after is None
    assert plain.lost == ()


def test_transactions_and_their_verdicts() -> None:
    (endpoint_report,) = recorded("postfix-open-relay").endpoints
    assert [(row.question, row.verdict.text) for row in endpoint_report.transactions] == [
        ("Bounces (null sender)", "accepted"),
        ("Postmaster", "accepted"),
        ("Relaying", "accepted from outside"),
        ("Relaying, random mailbox", "accepted from outside"),
    ]
    (endpoint_report,) = recorded("odd-starttls-injection").endpoints
    assert [row.verdict.text for row in endpoint_report.transactions] == [
        "accepted",
        "accepted",
        "refused, as it should be",
    ]


def test_octets_of_single_reads_are_joined_to_lines() -> None:
    (endpoint_report,) = recorded("odd-byte-by-byte").endpoints
    lines = [line.text for line in endpoint_report.sessions[0].lines if line.speaker == "server"]
    assert all(line[:3].isdigit() and line[3] in " -" for line in lines)


def test_deviations_are_marked_on_their_line() -> None:
    (endpoint_report,) = recorded("odd-eight-bit-text").endpoints
    marked = {
        line.text: line.marks for session in endpoint_report.sessions for line in session.lines if line.marks
    }
    greeting = next(text for text in marked if text.startswith("220"))
    assert r"\x00 \x1b[31m" in greeting
    assert marked[greeting] == (
        "a control character · RFC 5321 §4.2",
        "a character that is not ASCII · RFC 5321 §4.2",
    )


def test_phases_of_a_session() -> None:
    all_phases = split_phases(session())
    assert [phase.name for phase in all_phases] == [
        "connect",
        "greeting",
        "EHLO",
        "STARTTLS and handshake",
        "EHLO again",
        "transactions",
    ]
    assert sum(phase.length for phase in all_phases) == pytest.approx(0.21)
    (only,) = split_phases(unreached("timeout", 12.0))
    assert (only.kind, only.name, only.length) == (
        "end",
        "waiting at connect: nothing was received in time",
        12.0,
    )


@pytest.mark.parametrize(
    ("length", "text"), [(0.0, "0 ms"), (0.0424, "42 ms"), (0.42, "0.42 s"), (61.5, "62 s")]
)
def test_seconds(length: float, text: str) -> None:
    assert format_seconds(length) == text


def test_a_report_is_the_same_every_time() -> None:
    seen: Observation = observation()
    odd = result(seen, (finding(),), "critical")
    assert build_report(odd) == build_report(odd)


def test_only_a_given_mx_set_is_said_to_be_given() -> None:
    """A resolver's remark beside an answer, such as an extended error, is no source of it."""
    seen = observation()
    asked = DnsAnswer(name=seen.domain, rdtype="MX", status=DnsStatus.ANSWER, detail="EDE 3 (Stale Answer)")
    given = replace(asked, detail=GIVEN_WITH_REQUEST)
    assert "MX records" not in dict(build_report(evaluate(replace(seen, dns=(asked,)))).head.facts)
    facts = dict(build_report(evaluate(replace(seen, dns=(given,)))).head.facts)
    assert facts["MX records"] == GIVEN_WITH_REQUEST
