"""The state of the domain's mail, from observations built by hand, and in each format."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given, settings

from checker_smtp import Result, evaluate, render
from checker_smtp.probes.observation import (
    Ending,
    Endpoint,
    Mx,
    MxTarget,
    Observation,
    ReplySeen,
    Session,
)
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import MAIL_REASONS, MailState, Severity
from checker_smtp.report.diff.compare import compare
from checker_smtp.report.diff.sections import build_sections
from checker_smtp.report.diff.text import dump_difference, render_difference_text
from checker_smtp.report.document import dump_line
from checker_smtp.report.model.report import build_report
from tests.probes.strategies import observations
from tests.report.results import (
    MX,
    SETTINGS,
    endpoint,
    observation,
    reply,
    result,
    session,
    unreached,
)


def answering(code: int, text: str, *, tls: str = "TLSv1.3", address: str = "192.0.2.1") -> Endpoint:
    """Return a server with this reply to RCPT for the domain's own recipients."""
    held = session(tls=tls)
    own = reply(code, text, 0.21, 8)
    transactions = tuple(t if t.purpose == "relay" else replace(t, rcpt=own) for t in held.transactions)
    return endpoint(address, replace(held, transactions=transactions))


def greeting(code: int, text: str) -> Endpoint:
    return endpoint("192.0.2.1", Session(purpose="main", connected_at=0.01, greeting=reply(code, text, 1, 1)))


def no_endpoint(**mx: object) -> Observation:
    return replace(observation(), endpoints=(), mx=Mx(**mx))  # type: ignore[arg-type]


def hello(code: int, text: str) -> Endpoint:
    refused = reply(code, text, 0.06, 3)
    ready = reply(220, "mx.example.org ESMTP", 0.03, 1)
    held = Session(purpose="main", connected_at=0.01, greeting=ready, ehlo=refused, helo=refused)
    return endpoint("192.0.2.1", held)


def dropped(**words: ReplySeen) -> Endpoint:
    """Return a server that ended the session with one of these replies, before any question."""
    return endpoint("192.0.2.1", replace(session(), transactions=(), tls=None, **words))  # type: ignore[arg-type]


def lost(kind: str) -> Endpoint:
    end = Ending(step="greeting", kind=kind, detail="", at=0.02, entry=1)
    return endpoint("192.0.2.1", Session(purpose="main", connected_at=0.01, end=end))


NO_ADDRESS = MxTarget(preference=10, target=MX, ipv4_status=DnsStatus.NODATA, ipv6_status=DnsStatus.NXDOMAIN)
DESYNC = endpoint("192.0.2.1", replace(session(), unsolicited=(reply(500, "Not recognized", 0.04, 2),)))
OFF = replace(SETTINGS, test_null_sender=False, test_postmaster=False)
UNKNOWN_USER = answering(550, "5.1.1 User unknown")
BLOCKED = answering(550, "5.7.1 Your IP 198.51.100.7 is listed by zen.spamhaus.example")
DISK_FULL = answering(452, "4.3.1 Insufficient system storage")
GREYLISTED = answering(451, "4.7.1 Greylisted, try again later")

STATES: dict[str, tuple[Observation, str, str]] = {
    "accepted": (observation(), "accepted", ""),
    "accepted by one": (observation(UNKNOWN_USER, endpoint("192.0.2.2")), "accepted", ""),
    "no such mailbox": (observation(UNKNOWN_USER), "refused", "mailbox"),
    "another domain": (observation(answering(550, "5.7.1 Relaying denied")), "refused", "not-served"),
    "full": (observation(answering(552, "5.2.2 Mailbox full")), "refused", "mailbox-full"),
    "full for now": (observation(answering(452, "4.2.2 Mailbox full")), "deferred", "mailbox-full"),
    "login": (observation(answering(530, "5.7.0 Authentication required")), "refused", "login"),
    "refused beside blocked": (observation(BLOCKED, UNKNOWN_USER), "refused", "mailbox"),
    "greylisting": (observation(GREYLISTED), "deferred", "greylist"),
    "disk full": (
        observation(answering(452, "4.3.1 Insufficient system storage")),
        "deferred",
        "server-state",
    ),
    "busy": (observation(greeting(421, "4.3.2 Too busy")), "deferred", "rate"),
    "dead": (observation(endpoint("192.0.2.1", unreached())), "deferred", "unreachable"),
    "dead beside blocked": (
        observation(endpoint("192.0.2.2", unreached()), BLOCKED),
        "unknown",
        "blocklist",
    ),
    "blocked": (observation(BLOCKED), "unknown", "blocklist"),
    "blocked or refused": (observation(answering(550, "No")), "unknown", "unclear"),
    "a bare 554": (observation(greeting(554, "mx.example.org")), "unknown", "unclear"),
    "no service": (observation(greeting(521, "No SMTP service here")), "refused", ""),
    "a reply to no command": (observation(DESYNC), "unknown", "desync"),
    "EHLO is refused": (observation(hello(502, "5.5.1 Not implemented")), "refused", "unclear"),
    "blocked at STARTTLS": (
        observation(dropped(starttls=reply(421, "4.7.0 Too many connections from your IP", 0.1, 4))),
        "unknown",
        "rate",
    ),
    "blocked after the handshake": (
        observation(dropped(ehlo_tls=reply(554, "5.7.1 Your IP is blocked", 0.1, 4))),
        "unknown",
        "blocklist",
    ),
    "the session ends at STARTTLS": (
        observation(dropped(starttls=reply(421, "4.3.2 System shutting down", 0.1, 4))),
        "unknown",
        "not-tested",
    ),
    "no greeting": (observation(lost("closed")), "deferred", "unreachable"),
    "our network failed": (observation(lost("network-unreachable")), "unknown", "not-tested"),
    "not contacted": (
        no_endpoint(status=DnsStatus.ANSWER, records=(replace(NO_ADDRESS, ipv6=("2001:db8::1",)),)),
        "unknown",
        "not-tested",
    ),
    "silence": (observation(endpoint("192.0.2.1", unreached("timeout", 12.0))), "unknown", "not-tested"),
    "switched off": (
        observation(endpoint("192.0.2.1", replace(session(), transactions=())), settings=OFF),
        "unknown",
        "not-asked",
    ),
    "null MX": (no_endpoint(status=DnsStatus.ANSWER, null_mx=True), "none", "null-mx"),
    "no such domain": (no_endpoint(status=DnsStatus.NXDOMAIN), "none", "no-mx"),
    "no MX, no address": (
        no_endpoint(status=DnsStatus.NODATA, address_status=(DnsStatus.NODATA, DnsStatus.NODATA)),
        "none",
        "no-mx",
    ),
    "lookup failed": (no_endpoint(status=DnsStatus.SERVFAIL), "deferred", "unresolved"),
    "no target has an address": (
        no_endpoint(status=DnsStatus.ANSWER, records=(NO_ADDRESS,)),
        "refused",
        "unresolved",
    ),
    "no target is public": (
        no_endpoint(
            status=DnsStatus.ANSWER,
            records=(replace(NO_ADDRESS, ipv4=("10.0.0.1",), not_public=(("10.0.0.1", "private"),)),),
        ),
        "refused",
        "unresolved",
    ),
}


@pytest.mark.parametrize(("seen", "state", "reason"), STATES.values(), ids=STATES)
def test_states(seen: Observation, state: str, reason: str) -> None:
    mail = evaluate(seen).mail
    assert mail.state == state
    if reason or state == "accepted":
        assert mail.reason == reason
    assert mail.reason in ("", *MAIL_REASONS)


@pytest.mark.parametrize("case", STATES)
def test_the_sentence_never_claims_more_than_is_known(case: str) -> None:
    checked = evaluate(STATES[case][0])
    verdict = build_report(checked).head.verdict
    state = checked.mail.state
    assert verdict.arrival.startswith("Mail can arrive.") is (state is MailState.ACCEPTED)
    if state is MailState.UNKNOWN and case != "switched off":
        assert verdict.arrival.startswith("It is not known if mail can arrive: ")
        has_faults = any(found.severity is not Severity.INFO for found in checked.findings)
        assert (verdict.word == "Unknown") is not has_faults
    if state not in (MailState.ACCEPTED, MailState.NONE):
        assert verdict.faults != "Nothing to fix."
    if state is not MailState.ACCEPTED and state is not MailState.NONE and case != "switched off":
        assert verdict.word not in ("OK", "OK, with notes")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(observations)
def test_every_observation_has_a_state_and_a_sentence(seen: Observation) -> None:
    checked = evaluate(seen)
    assert checked.mail.reason in ("", *MAIL_REASONS)
    assert (checked.mail.reason == "") is (checked.mail.state is MailState.ACCEPTED)
    verdict = build_report(checked).head.verdict
    if "not known" in verdict.arrival:
        assert verdict.faults != "Nothing to fix."
        is_ok = verdict.word in ("OK", "OK, with notes")
        assert not is_ok


def test_every_format_has_the_state() -> None:
    checked = evaluate(observation(UNKNOWN_USER))
    assert json.loads(render(checked, "json"))["mail"] == {"state": "refused", "reason": "mailbox"}
    assert json.loads(dump_line(checked))["mail"] == {"state": "refused", "reason": "mailbox"}
    assert render(checked, "nagios").startswith("SMTP CRITICAL: mail refused (mailbox); example.org: ")
    suite = ET.fromstring(render(checked, "junit"))[0]  # noqa: S314 - our own
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties == {"mail": "refused", "mail.reason": "mailbox"}
    sentence = "Mail to postmaster is refused: the server does not know the mailbox."
    assert sentence in " ".join(render(checked, "text").split())
    assert sentence in render(checked, "html")
    metrics = render(checked, "prometheus").splitlines()
    assert 'checker_smtp_mail_accepted{domain="example.org"} 0.0' in metrics
    assert (
        'checker_smtp_finding{code="smtp.postmaster.rejected",domain="example.org",outcome="fail",'
        'severity="crit",subject="192.0.2.1:25"} 1.0'
    ) in metrics


@pytest.mark.parametrize(
    ("seen", "value"),
    [
        (observation(), "1.0"),
        (observation(GREYLISTED), "0.0"),
        (no_endpoint(status=DnsStatus.NXDOMAIN), "0.0"),
    ],
)
def test_the_metric_of_accepted_mail(seen: Observation, value: str) -> None:
    assert f'checker_smtp_mail_accepted{{domain="example.org"}} {value}\n' in render(
        evaluate(seen), "prometheus"
    )


def test_an_unknown_state_has_no_metric() -> None:
    assert "checker_smtp_mail_accepted{" not in render(evaluate(observation(BLOCKED)), "prometheus")


def test_reason_and_words_stand_with_the_evidence() -> None:
    checked = evaluate(observation(UNKNOWN_USER))
    (item,) = (one for one in build_report(checked).to_fix if one.code == "smtp.postmaster.rejected")
    assert item.reasons == ("mailbox, by the code 5.1.1",)
    line = "Reason: mailbox, by the code 5.1.1"
    assert line in render(checked, "text")
    assert line in ET.fromstring(render(checked, "junit")).find(".//failure").text  # type: ignore[union-attr, operator] # noqa: S314
    assert '<span class="label">Reason</span> mailbox, by the code' in render(checked, "html")
    blocked = render(evaluate(observation(BLOCKED)), "text")
    assert "Reason: blocklist, by the words “" in blocked


def changed(old: Observation, new: Observation) -> tuple[list[str], bool, Result]:
    before, after = evaluate(old), evaluate(new)
    difference = compare(before, after)
    lines = [line.text for part in build_sections(difference) if part.title == "Mail" for line in part.items]
    document = json.loads(dump_difference(difference))
    assert document["old_mail"]["state"] == before.mail.state
    assert document["new_mail"]["state"] == after.mail.state
    assert all(line in render_difference_text(difference) for line in lines)
    return lines, difference.worse, after


def test_a_difference_has_the_change_of_state() -> None:
    lines, worse, _ = changed(observation(), observation(UNKNOWN_USER))
    assert lines == ["accepted → refused (mailbox)"]
    assert worse
    lines, worse, _ = changed(observation(), observation(GREYLISTED))
    assert lines == ["accepted → deferred (greylist)"]
    assert not worse
    lines, worse, _ = changed(observation(UNKNOWN_USER), observation(endpoint()))
    assert lines == ["refused (mailbox) → accepted"]
    assert not worse
    assert changed(observation(), observation())[0] == []


def test_refused_mail_alone_is_worse() -> None:
    accepted = result(observation())
    refused = replace(accepted, mail=evaluate(observation(UNKNOWN_USER)).mail)
    difference = compare(accepted, refused)
    assert difference.reasons == ("mail was accepted and is refused (mailbox)",)
