"""The comparison of two checks: the changes, and the decision if the domain got worse."""

from dataclasses import replace
from typing import Any

import pytest

from checker_smtp.probes.observation import MxTarget, Session
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.rules import Outcome, Severity
from checker_smtp.report.diff.compare import Difference, DifferenceError, compare
from checker_smtp.report.diff.sections import build_headline, build_sections
from tests.report.results import (
    KEYWORDS,
    MX,
    POSTURES,
    endpoint,
    finding,
    observation,
    session,
    unreached,
)

HEALTHY = observation()


def one(*sessions: Session) -> Result:
    """Return a result of a domain with one server."""
    return evaluate(observation(endpoint("192.0.2.1", *sessions)))


def with_findings(*findings: Any, **other: Any) -> Result:
    return replace(POSTURES["healthy"](), findings=findings, **other)


def titles(difference: Difference) -> list[str]:
    return [section.title for section in build_sections(difference)]


def test_nothing_changed() -> None:
    same = compare(evaluate(HEALTHY), evaluate(replace(HEALTHY, run_at="2026-03-02T12:00:00Z", seconds=9.0)))
    assert not same.worse
    assert not titles(same)
    assert build_headline(same) == "nothing changed"


def test_new_and_removed_findings() -> None:
    closed, opened = one(session()), one(session(relays=True))
    worse = compare(closed, opened)
    assert [f.code for f in worse.appeared] == ["smtp.open_relay.suspected"]
    assert worse.worse
    assert worse.reasons == ("smtp.open_relay.suspected at 192.0.2.1:25 appeared (warn)",)
    back = compare(opened, closed)
    assert [f.code for f in back.gone] == ["smtp.open_relay.suspected"]
    assert not back.worse
    assert build_headline(back) == "it got better"


def test_new_notes_are_not_worse() -> None:
    note = finding("smtp.ipv6.none", Severity.INFO, "")
    assert not compare(with_findings(), with_findings(note)).worse


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        (finding(severity=Severity.WARN), finding(), True),
        (finding(), finding(severity=Severity.WARN), False),
        (finding(message="a"), finding(message="b"), False),
        (finding(severity=Severity.WARN, outcome=Outcome.TRANSIENT), finding(severity=Severity.WARN), True),
        (finding(severity=Severity.WARN), finding(severity=Severity.WARN, outcome=Outcome.TRANSIENT), False),
    ],
)
def test_a_finding_that_changed(old: Any, new: Any, worse: bool) -> None:
    difference = compare(with_findings(old), with_findings(new))
    assert [(pair.old, pair.new) for pair in difference.changed] == [(old, new)]
    assert not difference.appeared
    assert not difference.gone
    assert difference.worse is worse


def test_two_findings_with_one_code_and_subject_are_kept_apart() -> None:
    a, b, c = (finding(message=text) for text in "abc")
    difference = compare(with_findings(a, b), with_findings(b, c))
    assert [(pair.old, pair.new) for pair in difference.changed] == [(a, c)]
    assert compare(with_findings(a), with_findings(a, a)).appeared == (a,)
    assert compare(with_findings(a, a), with_findings(a)).gone == (a,)


def test_values_that_differ_in_every_run_are_no_change() -> None:
    slow, slower = (finding(message=f"It took {n} s to greet.") for n in (11, 17))
    assert not compare(with_findings(slow), with_findings(slower)).changed

    def relay(mailbox: str) -> Result:
        held = session(relays=True)
        control = replace(held.transactions[2], purpose="relay-control", recipient=mailbox)
        return one(replace(held, transactions=(*held.transactions, replace(control, rcpt=control.mail))))

    difference = compare(relay("nobody-1@example.net"), relay("nobody-2@example.net"))
    assert relay("nobody-1@example.net").findings[0].code == "smtp.open_relay"
    assert build_headline(difference) == "nothing changed"


def test_a_fault_that_was_not_tested_again_is_not_gone() -> None:
    difference = compare(one(session(relays=True)), one(unreached("timeout", 12.0)))
    assert [f.code for f in difference.unsettled] == ["smtp.open_relay.suspected"]
    assert not difference.gone or all(f.code != "smtp.open_relay.suspected" for f in difference.gone)
    other_answers = evaluate(
        observation(endpoint("192.0.2.1", unreached("timeout", 12.0)), endpoint("2001:db8::1"))
    )
    difference = compare(evaluate(observation(endpoint("192.0.2.1", session(relays=True)))), other_answers)
    assert "smtp.open_relay.suspected" in [f.code for f in difference.unsettled]


def test_a_check_without_any_test_is_not_worse() -> None:
    difference = compare(one(session()), POSTURES["unknown"]())
    assert not difference.worse
    assert build_headline(difference) == "it could not be tested this time"


def test_a_server_that_moved_with_its_faults_is_not_worse() -> None:
    old, new = (evaluate(observation(endpoint(a, session(relays=True)))) for a in ("192.0.2.1", "192.0.2.2"))
    difference = compare(old, new)
    assert [f.subject for f in difference.appeared] == ["192.0.2.2:25"]
    assert not difference.worse
    both = evaluate(
        observation(endpoint("192.0.2.2", session(relays=True)), endpoint("192.0.2.3", session(relays=True)))
    )
    assert compare(old, both).worse


def test_extensions_lost_gained_and_changed_before_and_after_tls() -> None:
    now = ("PIPELINING", "SIZE 20480000", "8BITMIME", "DSN")
    difference = compare(one(session()), one(session(offered=now)))
    assert [change.tls for change in difference.extensions] == [False, True]
    for change in difference.extensions:
        assert change.lost == ("SMTPUTF8",)
        assert change.gained == ("DSN",)
        assert change.changed == (("SIZE 10240000", "SIZE 20480000"),)
    assert difference.reasons == ("SMTPUTF8 is not offered at 192.0.2.1:25 any more",)


def test_an_extension_that_no_mail_needs_may_be_removed() -> None:
    was = one(session(offered=(*KEYWORDS, "VRFY")))
    difference = compare(was, one(session()))
    assert difference.extensions
    assert not difference.worse


def test_a_server_without_a_session_has_lost_nothing() -> None:
    difference = compare(one(session()), one(unreached()))
    assert not difference.extensions
    assert not difference.tls


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("TLSv1.3", "TLSv1.2", "TLSv1.2 instead of TLSv1.3 at 192.0.2.1:25"),
        ("TLSv1.2", "TLSv1.3", ""),
        ("TLSv1.3", "", "no TLS at 192.0.2.1:25 any more"),
        ("", "TLSv1.3", ""),
        ("TLSv1.3", "TLSv1.4", ""),
    ],
)
def test_tls_changes(old: str, new: str, reason: str) -> None:
    difference = compare(one(session(tls=old)), one(session(tls=new)))
    (change,) = difference.tls
    assert (change.old_version, change.new_version) == (old, new)
    assert [r for r in difference.reasons if "TLS" in r and "smtp." not in r and "offered" not in r] == (
        [reason] if reason else []
    )


def test_a_cipher_alone_may_change() -> None:
    held = session()
    assert held.tls is not None
    other = replace(held, tls=replace(held.tls, cipher="TLS_CHACHA20_POLY1305_SHA256"))
    difference = compare(one(held), one(other))
    assert difference.tls[0].new_cipher == "TLS_CHACHA20_POLY1305_SHA256"
    assert not difference.worse


def mx(*records: MxTarget, status: DnsStatus = DnsStatus.ANSWER) -> Result:
    return evaluate(replace(HEALTHY, mx=replace(HEALTHY.mx, records=records, status=status)))


def target(name: str, preference: int, ipv4: str = "192.0.2.1", **other: Any) -> MxTarget:
    statuses: dict[str, Any] = {"ipv4_status": DnsStatus.ANSWER, "ipv6_status": DnsStatus.NODATA, **other}
    return MxTarget(target=name, preference=preference, ipv4=(ipv4,) if ipv4 else (), **statuses)


def test_mx_targets_and_preferences() -> None:
    old = mx(target("a.example", 10), target("b.example", 20))
    new = mx(target("b.example", 5), target("c.example", 10, "192.0.2.3"))
    difference = compare(old, new)
    assert [(c.target, c.old, c.new) for c in difference.mx] == [
        ("a.example", (10,), ()),
        ("b.example", (20,), (5,)),
        ("c.example", (), (10,)),
    ]
    assert [(c.target, c.lost, c.gained) for c in difference.addresses] == [
        ("a.example", ("192.0.2.1",), ()),
        ("c.example", (), ("192.0.2.3",)),
    ]


@pytest.mark.parametrize("status", [DnsStatus.SERVFAIL, DnsStatus.TIMEOUT, DnsStatus.REFUSED])
def test_a_failed_lookup_removes_no_record(status: DnsStatus) -> None:
    old = mx(target(MX, 10))
    assert not compare(old, mx(status=status)).mx
    assert not compare(old, mx(status=status)).addresses
    assert not compare(old, mx(target(MX, 10, "", ipv4_status=status))).addresses
    assert compare(old, mx(status=DnsStatus.NXDOMAIN)).mx


def test_a_disabled_address_family_has_lost_no_address() -> None:
    off = replace(HEALTHY, settings=replace(HEALTHY.settings, ipv6=False))
    without = replace(off, mx=replace(off.mx, records=(target(MX, 10, ipv6_status=None),)))
    difference = compare(evaluate(HEALTHY), evaluate(without))
    assert not difference.addresses
    assert [(s.name, s.old, s.new) for s in difference.settings] == [("ipv6", "True", "False")]
    assert "Different options" in titles(difference)


def test_a_domain_that_stopped_accepting_mail_got_worse() -> None:
    nowhere = replace(HEALTHY, mx=replace(HEALTHY.mx, records=(), null_mx=True), endpoints=())
    difference = compare(evaluate(HEALTHY), evaluate(nowhere))
    assert difference.reasons[0] == "the domain does not accept mail any more (null MX)"
    assert not compare(evaluate(nowhere), evaluate(nowhere)).worse


def test_a_status_alone_can_be_worse() -> None:
    difference = compare(with_findings(), with_findings(status="critical"))
    assert difference.reasons == ("the status was ok and is critical",)


def test_two_domains_cannot_be_compared() -> None:
    with pytest.raises(DifferenceError, match="compare two checks of one domain"):
        compare(evaluate(HEALTHY), evaluate(replace(HEALTHY, domain="example.net")))
