"""The rules about the greeting and EHLO: a server lets senders in or not."""

from dataclasses import replace

import pytest

from checker_smtp.probes.observation import Session
from checker_smtp.probes.rules import RULES, apply_rules, status_of
from tests.probes.observations import (
    HERE,
    PLAIN_EHLO,
    endpoint,
    finding_lines,
    observation,
    only,
    session,
)


@pytest.mark.parametrize(
    ("greeting", "verdicts"),
    [
        ("220 mx.example.org ESMTP", []),
        ("220 ****************", []),
        ("250 hello", []),
        ("@10 220 mx", []),
        ("@10.5 220 mx", ["banner.slow info fail"]),
        ("421 4.3.2 too busy", ["banner.deferred warn transient"]),
        ("421 too many connections from your host", ["refused_us info refused-us"]),
        ("450 later", ["banner.deferred warn transient"]),
        ("554 no SMTP service here", ["banner.refused crit fail"]),
        # Sendmail's greeting to a client in its access table
        ("554 mx.example.org ESMTP not accepting messages", ["refused_us info refused-us"]),
        ("554 no", ["refused_us info refused-us"]),
        ("521 never", ["refused_us info refused-us"]),
        ("521 5.3.2 mx.example.org", ["banner.refused crit fail"]),
        ("554 5.3.0 local configuration error", ["banner.refused crit fail"]),
        ("421 4.7.0 too busy, load is high", ["banner.deferred warn transient"]),
        ("421 4.7.1 try again", ["refused_us info refused-us"]),
        ("421 you may try again", ["banner.deferred warn transient"]),
        ("521 mx.example.org does not accept mail", ["banner.refused crit fail"]),
        ("354 what?", ["banner.refused crit fail"]),
        ("199 hm", ["banner.refused crit fail"]),
        ("554 5.7.1 no", ["refused_us info refused-us"]),
        ("554 your IP is blocked using zen.spamhaus.org", ["refused_us info refused-us"]),
        ("554 Access denied", ["refused_us info refused-us"]),
        ("550 No PTR record for 192.0.2.9", ["refused_us info refused-us"]),
    ],
)
def test_a_greeting(greeting: str, verdicts: list[str]) -> None:
    assert finding_lines(observation(endpoint(greeting=greeting))) == [
        f"{verdict} {HERE}" for verdict in verdicts
    ]


@pytest.mark.parametrize(
    ("end", "verdict", "message"),
    [
        (
            "greeting/timeout@12",
            "banner.missing warn transient",
            "The server accepted the connection and sent nothing for 12 s.",
        ),
        (
            "greeting/closed",
            "banner.missing crit fail",
            "No greeting: the server closed the connection.",
        ),
        (
            "greeting/reset",
            "banner.missing crit fail",
            "No greeting: the server reset the connection.",
        ),
        (
            "greeting/syntax.reply: no reply begins here",
            "banner.missing crit fail",
            "No SMTP greeting can be read: no reply begins here.",
        ),
        (
            "greeting/limit.line",
            "banner.missing crit fail",
            "No SMTP greeting can be read: limit.line.",
        ),
        (
            "greeting/budget",
            "not_tested info not-tested",
            "Not tested: the greeting; the time for this endpoint ran out.",
        ),
        (
            "greeting/host-unreachable",
            "not_tested info not-tested",
            "Not tested: the greeting; the network failed (host-unreachable).",
        ),
        (
            "greeting/network-unreachable",
            "not_tested info not-tested",
            "Not tested: the greeting; the network failed (network-unreachable).",
        ),
        (
            "greeting/other",
            "not_tested info not-tested",
            "Not tested: the greeting; the network failed (other).",
        ),
    ],
)
def test_no_greeting(end: str, verdict: str, message: str) -> None:
    seen = observation(endpoint(greeting=None, end=end))
    assert finding_lines(seen) == [f"{verdict} {HERE}"]
    assert only(seen).message == message
    assert only(seen).evidence[0].entry == 1


def test_no_greeting_and_no_end_kept_is_not_judged() -> None:
    assert finding_lines(observation(endpoint(greeting=None))) == []


def test_slow_is_measured_from_the_connection() -> None:
    slow = session(greeting="@25 220 mx")
    assert only(observation(endpoint(slow))).message == "The greeting was complete after 25 s."
    late = replace(slow, connected_at=11.0)
    assert only(observation(endpoint(late))).message == "The greeting was complete after 14 s."
    assert finding_lines(observation(endpoint(replace(slow, connected_at=15.0)))) == []
    silent = replace(session(greeting=None, end="greeting/timeout@20"), connected_at=8.0)
    assert only(observation(endpoint(silent))).message.endswith("sent nothing for 12 s.")


def test_a_hint_quotes_the_words() -> None:
    seen = observation(endpoint(greeting="554 5.7.1 your IP is listed"))
    assert only(seen).message == (
        'The greeting is 554 5.7.1 ("your IP is listed"): the server refuses this client.'
    )
    seen = observation(endpoint(greeting="421 4.3.2 too many connections"))
    assert only(seen).message == (
        'The greeting is 421 4.3.2 ("too many connections"): temporarily no service.'
    )
    assert only(observation(endpoint(greeting="554 5.7.1 no"))).message == (
        "The greeting is 554 5.7.1: the server refuses this client."
    )


@pytest.mark.parametrize(
    ("words", "verdicts"),
    [
        ({"ehlo": "502 what?", "helo": "250 mx"}, ["ehlo.fallback warn fail"]),
        ({"ehlo": "550 no", "helo": "550 no"}, ["ehlo.failed crit fail"]),
        ({"ehlo": "502 what?", "helo": "502 what?"}, ["ehlo.failed crit fail"]),
        ({"ehlo": "502 what?", "helo": "421 busy"}, ["ehlo.failed warn transient"]),
        ({"ehlo": "421 busy"}, ["ehlo.failed warn transient"]),
        ({"ehlo": "450 later"}, ["ehlo.failed warn transient"]),
        ({"ehlo": "354 go on"}, ["ehlo.failed crit fail"]),
        ({"ehlo": "550 5.7.1 no", "helo": "550 5.7.1 no"}, ["refused_us info refused-us"]),
        ({"ehlo": "550 no", "helo": "550 bad HELO"}, ["refused_us info refused-us"]),
        ({"ehlo": "550 no", "end": "HELO/closed"}, ["ehlo.failed crit fail"]),
        ({"ehlo": "554 Access denied", "end": "HELO/closed"}, ["refused_us info refused-us"]),
        ({"ehlo": None, "end": "EHLO/closed"}, ["ehlo.failed crit fail"]),
        ({"ehlo": None, "end": "EHLO/reset"}, ["ehlo.failed crit fail"]),
        ({"ehlo": None, "end": "EHLO/syntax.reply"}, ["ehlo.failed crit fail"]),
        ({"ehlo": None, "end": "EHLO/timeout@12"}, ["ehlo.failed warn transient"]),
        ({"ehlo": None, "end": "EHLO/budget@60"}, ["not_tested info not-tested"]),
        ({"ehlo": None, "end": "EHLO/other"}, ["not_tested info not-tested"]),
    ],
)
def test_a_hello(words: dict[str, str], verdicts: list[str]) -> None:
    assert finding_lines(observation(endpoint(**words))) == [f"{verdict} {HERE}" for verdict in verdicts]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"ehlo": "502 5.5.1 what?", "helo": "550 no"},
            "The server answers EHLO with 502 5.5.1 and HELO with 550.",
        ),
        (
            {"ehlo": "450 later"},
            'The server answers EHLO with 450 ("later"): temporarily refused.',
        ),
        (
            {"ehlo": "550 your name?", "helo": "550 5.7.1 no"},
            "The server answers EHLO with 550 and HELO with 550 5.7.1: it refuses this client.",
        ),
        (
            {"ehlo": "550 no", "helo": "554 RBL"},
            'The server answers EHLO with 550 and HELO with 554 ("RBL"): it refuses this client.',
        ),
        ({"ehlo": "354 go on"}, "The reply to EHLO neither accepts nor refuses it."),
        (
            {"ehlo": None, "end": "EHLO/closed"},
            "The session ended at EHLO: the server closed the connection.",
        ),
        (
            {"ehlo": None, "end": "EHLO/budget"},
            "Not tested: EHLO; the time for this endpoint ran out.",
        ),
    ],
)
def test_what_is_said_of_a_hello(words: dict[str, str], message: str) -> None:
    assert only(observation(endpoint(**words))).message == message


def test_helo_on_a_connection_of_its_own() -> None:
    refused = session(ehlo="550 no", end="HELO/closed")
    alone = session("helo-only", ehlo=None, helo="250 mx")
    seen = observation(endpoint(refused, alone))
    assert finding_lines(seen) == [f"ehlo.fallback warn fail {HERE}"]
    assert [(e.session, e.quote) for e in only(seen).evidence] == [(0, "550 no\r\n"), (1, "250 mx\r\n")]
    later = session("revisit", ehlo="502 5.5.1 what?", helo="250 mx")
    found = apply_rules(observation(endpoint(session(ehlo="421 busy"), later)))
    messages = [finding.message for finding in found if finding.code == "smtp.ehlo.fallback"]
    assert messages == ["EHLO is refused with 502 5.5.1 and HELO accepted: no extension, so no STARTTLS."]
    busy = session("helo-only", ehlo=None, helo="421 busy")
    assert finding_lines(observation(endpoint(refused, busy))) == [f"ehlo.failed warn transient {HERE}"]
    for nothing in (
        session("helo-only", connected=False, end="connect/refused"),
        session("helo-only", greeting="421 too many"),
    ):
        seen = observation(endpoint(refused, nothing))
        assert finding_lines(seen) == [f"ehlo.failed warn transient {HERE}"]
        assert only(seen).message.endswith("the next one, for HELO, was not served.")
    still = session("helo-only", ehlo=None, end="HELO/closed")
    assert finding_lines(observation(endpoint(refused, still))) == [f"ehlo.failed crit fail {HERE}"]


def test_a_server_that_knows_helo_only_is_asked_all_the_same() -> None:
    found = finding_lines(observation(endpoint(ehlo="502 what?", helo="250 mx", null="550 5.7.1 no bounces")))
    assert found == [f"null_sender.rejected crit fail {HERE}", f"ehlo.fallback warn fail {HERE}"]


@pytest.mark.parametrize(
    ("words", "tested"),
    [
        ({}, [True, True, True]),
        ({"ehlo": "502 no", "helo": "250 mx"}, [True, True, False]),
        ({"greeting": "554 no"}, [True, False, False]),
        ({"greeting": None, "end": "greeting/timeout"}, [True, False, False]),
        ({"connected": False, "end": "connect/timeout"}, [False, False, False]),
    ],
)
def test_what_was_tested(words: dict[str, str], tested: list[bool]) -> None:
    seen = observation(endpoint(**words))
    names = ("smtp.banner_sanity", "smtp.ehlo_supported", "smtp.starttls_offered")
    assert [RULES[name].tested(seen) for name in names] == tested


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({}, "ok"),
        ({"ehlo": PLAIN_EHLO}, "critical"),
        ({"greeting": "@20 220 mx"}, "info"),
        ({"greeting": "554 5.7.1 not you"}, "unknown"),
        ({"greeting": "421 busy"}, "warning"),
        ({"greeting": "554 no"}, "unknown"),
        ({"greeting": "554 no SMTP service here"}, "critical"),
        (dict.fromkeys(("null", "postmaster", "relay"), "554 5.7.1 not you"), "unknown"),
        (dict.fromkeys(("null", "postmaster", "relay"), "450 later"), "unknown"),
        ({"null": None, "postmaster": None, "relay": None, "end": "MAIL/timeout"}, "unknown"),
        ({"connected": False, "end": "connect/timeout"}, "unknown"),
        ({"connected": False, "end": "connect/refused"}, "critical"),
        ({"ehlo": "502 no", "helo": "250 mx"}, "warning"),
    ],
)
def test_the_status(words: dict[str, str], status: str) -> None:
    seen = observation(endpoint(**words))
    assert status_of(seen, apply_rules(seen)) == status


def test_one_server_that_talks_to_us_is_enough_for_a_status() -> None:
    refused = dict.fromkeys(("null", "postmaster", "relay"), "554 5.7.1 not you")
    seen = observation(endpoint(**refused), endpoint(address="192.0.2.8"))
    assert status_of(seen, apply_rules(seen)) == "info"


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("greeting/timeout@12", "sent a greeting that it did not finish in 12 s."),
        ("greeting/closed@12", "No complete greeting: the server closed the connection."),
        ("greeting/reset@12", "No complete greeting: the server reset the connection."),
    ],
)
def test_a_greeting_that_was_begun_is_not_called_silence(end: str, message: str) -> None:
    seen = only(observation(endpoint(_begun("220-mx.example.org ESMTP\r\n", end))))
    assert seen.message.endswith(message)
    assert seen.evidence[0].quote == "220-mx.example.org ESMTP\r\n"


@pytest.mark.parametrize(
    "words", [{"greeting": None, "end": "greeting/closed"}, {"ehlo": None, "end": "EHLO/reset"}]
)
def test_a_connection_closed_without_a_word_may_be_this_clients_fault(words: dict[str, str]) -> None:
    assert only(observation(endpoint(**words))).fix.startswith("Repeat the check from another network first")


def test_a_tls_record_in_place_of_a_greeting_is_named() -> None:
    seen = only(observation(endpoint(_begun("\x15\x03\x03\x00\x02\x02\x50", "greeting/closed"))))
    assert seen.message.endswith("the port waits for TLS from the start (implicit TLS).")


def _begun(octets: str, end: str) -> Session:
    """Return a session of which these octets are all that the server sent."""
    silent = session(greeting=None, end=end)
    first, *rest = silent.transcript
    return replace(silent, transcript=(first, {"do": "receive", "got": octets, "at": 0.1}, *rest))
