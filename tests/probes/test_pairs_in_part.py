"""Pairs that are not whole: questions switched off, sessions cut, answers spread over several connections."""

from dataclasses import replace

import pytest

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.observation import Observation
from checker_smtp.probes.rules import RULES
from tests.probes.observations import (
    DENIED,
    HERE,
    PLAIN_EHLO,
    apply_rules,
    endpoint,
    finding_lines,
    observation,
    reply,
    session,
    settings,
)
from tests.probes.world import options

LISTED = "554 5.7.1 Client host [203.0.113.9] blocked using zen.spamhaus.org"
UNKNOWN = "550 5.1.1 no such user"
BARE = "550 no"


def seen(*off: str, **words: str) -> Observation:
    """A server that was not asked everything."""
    given = {
        f"test_{question}": question not in off for question in ("null_sender", "postmaster", "open_relay")
    }
    asked = transactions_for(options(**given))
    return observation(endpoint(asked=asked, **words), settings=settings(**given))


@pytest.mark.parametrize(
    ("answer", "verdicts"),
    [
        (LISTED, ["refused_us info refused-us"]),
        (BARE, ["refused_us info refused-us"]),
        (UNKNOWN, ["postmaster.rejected crit fail", "not_tested info not-tested"]),
        ("550 5.7.1 no", ["refused_us info refused-us"]),
        (f"MAIL {BARE}", ["refused_us info refused-us"]),
        (f"MAIL {UNKNOWN}", ["refused_us info refused-us"]),
    ],
)
def test_without_the_relay_probe_only_a_reason_is_against_the_domain(
    answer: str, verdicts: list[str]
) -> None:
    """Two senders refused alike at RCPT without a reason: it may be us, or the mailbox."""
    assert finding_lines(seen("open_relay", null=answer, postmaster=answer)) == [
        f"{v} {HERE}" for v in verdicts
    ]


@pytest.mark.parametrize(
    ("postmaster", "relay", "verdicts"),
    [
        (LISTED, LISTED, ["refused_us info refused-us"]),
        (BARE, BARE, ["refused_us info refused-us"]),
        (BARE, DENIED, ["refused_us info refused-us"]),
        (UNKNOWN, UNKNOWN, ["postmaster.rejected crit fail"]),
        ("450 later", DENIED, ["postmaster.deferred info transient"]),
        (LISTED, DENIED, ["refused_us info refused-us"]),
        ("550 5.1.8 bad sender", "550 5.1.8 bad sender", ["refused_us info refused-us"]),
        ("550 Sender address rejected: user unknown",) * 2 + (["refused_us info refused-us"],),
        (f"MAIL {BARE}", f"MAIL {BARE}", ["refused_us info refused-us"]),
        ("530 TLS first", DENIED, ["refused_us info refused-us"]),
        ("530 Authentication required", DENIED, ["auth.required crit fail"]),
    ],
)
def test_without_the_null_sender(postmaster: str, relay: str, verdicts: list[str]) -> None:
    found = finding_lines(seen("null_sender", postmaster=postmaster, relay=relay))
    assert found == [f"{verdict} {HERE}" for verdict in verdicts]


@pytest.mark.parametrize(
    ("relay", "verdicts"),
    [
        (DENIED, []),
        (LISTED, ["refused_us info refused-us"]),
        ("250 ok", ["open_relay.suspected warn fail"]),
        ("450 later", ["not_tested info transient"]),
        (f"MAIL {LISTED}", ["refused_us info refused-us"]),
    ],
)
def test_the_relay_probe_alone(relay: str, verdicts: list[str]) -> None:
    found = finding_lines(seen("null_sender", "postmaster", relay=relay))
    assert found == [f"{verdict} {HERE}" for verdict in verdicts]


def test_postmaster_that_is_not_to_be_tested_is_neither_reported_nor_tested() -> None:
    unwanted = seen("postmaster", null=UNKNOWN, postmaster=UNKNOWN)
    assert unwanted.endpoints[0].asked("postmaster") is not None
    rule = RULES["smtp.postmaster"]
    assert (rule.tested(unwanted), rule.findings(unwanted)) == (False, ())
    assert rule.tested(seen())


def test_nothing_asked_nothing_reported() -> None:
    silent = seen("null_sender", "postmaster", "open_relay")
    assert finding_lines(silent) == []
    asking = ("smtp.null_sender", "smtp.postmaster", "smtp.open_relay")
    assert [RULES[name].tested(silent) for name in asking] == [False] * 3
    assert [RULES[name].tested(seen()) for name in asking] == [True] * 3


def test_a_rule_is_tested_where_any_endpoint_answered_it_and_not_about_us() -> None:
    refused = endpoint(null=LISTED, postmaster=LISTED, relay=LISTED)
    well = endpoint(address="192.0.2.8")
    rule = RULES["smtp.null_sender"]
    assert not rule.tested(observation(refused))
    assert rule.tested(observation(refused, well))


@pytest.mark.parametrize(
    ("words", "message", "outcome"),
    [
        (
            {"null": "421 4.3.2 going down", "postmaster": None, "relay": None, "end": "RCPT/closed"},
            "Not tested: relaying; the server replied 421 4.3.2.",
            "transient",
        ),
        (
            {"relay": None, "end": "RCPT/closed"},
            "Not tested: relaying; the server closed the connection at RCPT.",
            "not-tested",
        ),
        (
            {"null": None, "postmaster": None, "relay": None, "end": "MAIL/budget"},
            (
                "Not tested: the null sender, postmaster and relaying; the time for this endpoint ran out "
                "at MAIL."
            ),
            "not-tested",
        ),
        ({"relay": None}, "Not tested: relaying; they were not asked.", "not-tested"),
    ],
)
def test_what_was_not_answered_is_reported_once_with_the_reason(
    words: dict[str, str], message: str, outcome: str
) -> None:
    found = [f for f in apply_rules(observation(endpoint(**words))) if f.code == "smtp.not_tested"]
    assert [(f.message, f.outcome, f.rule) for f in found] == [(message, outcome, "smtp.null_sender")]


def test_a_refused_rset_is_why_the_rest_was_not_asked_and_a_finding() -> None:
    whole = session(postmaster=None, relay=None)
    null, *rest = whole.transactions
    assert null.rset is not None
    null = replace(null, rset=reply("502 what?", entry=null.rset.entry))
    cut = replace(whole, transactions=(null, *rest))
    noted, finding = sorted(apply_rules(observation(endpoint(cut))), key=lambda f: f.message, reverse=True)
    assert (noted.code, noted.severity) == ("smtp.protocol.rset", "info")
    assert noted.message == "RSET is answered with 502; a server must accept it at any time."
    assert noted.evidence == finding.evidence
    assert finding.message == "Not tested: postmaster and relaying; the server replied 502."
    assert finding.evidence[0].quote == "502 what?\r\n"


def test_a_second_connection_that_is_refused_is_why_the_rest_was_not_asked() -> None:
    broken = session(ehlo_tls=None, end="EHLO after STARTTLS/closed")
    busy = session("without-tls", greeting="554 too many connections")
    found = [f for f in apply_rules(observation(endpoint(broken, busy))) if f.code == "smtp.not_tested"]
    assert [f.message for f in found] == [
        "Not tested: the null sender, postmaster and relaying; the server replied 554."
    ]


def test_answers_may_come_from_different_connections() -> None:
    """The flight broke off; the one-by-one session carries the rest, and the last answer counts."""
    flight = session(null="450 later", postmaster=None, relay=None, end="MAIL/timeout@12")
    slowly = session("one-by-one", null="250 ok", postmaster="550 5.1.1 no", relay=DENIED)
    assert finding_lines(observation(endpoint(flight, slowly))) == []
    cut = session(
        "one-by-one", null="550 5.7.1 no bounces", postmaster="250 ok", relay=None, end="RCPT/closed"
    )
    assert finding_lines(observation(endpoint(flight, cut))) == [
        f"null_sender.rejected crit fail {HERE}",
        f"not_tested info not-tested {HERE}",
    ]


def test_a_server_that_did_not_let_us_in_is_not_asked_about_twice() -> None:
    assert finding_lines(observation(endpoint(greeting="554 5.7.1 not you"))) == [
        f"refused_us info refused-us {HERE}"
    ]
    assert finding_lines(observation(endpoint(ehlo="550 5.7.1 not you"))) == [
        f"refused_us info refused-us {HERE}"
    ]


def test_each_endpoint_is_judged_for_itself() -> None:
    found = finding_lines(
        observation(
            endpoint(null="550 5.7.1 no bounces"),
            endpoint(address="192.0.2.8", postmaster=UNKNOWN, null=UNKNOWN),
            endpoint(address="192.0.2.9", null=LISTED, postmaster=LISTED, relay=LISTED),
        )
    )
    assert found == [
        "null_sender.rejected crit fail 192.0.2.7:25",
        "postmaster.rejected crit fail 192.0.2.8:25",
        "refused_us info refused-us 192.0.2.9:25",
        "not_tested info not-tested 192.0.2.8:25",
    ]


def test_the_evidence_is_the_pair() -> None:
    seen_ = observation(endpoint(ehlo=PLAIN_EHLO, null="550 5.7.1 no bounces"))
    finding = next(f for f in apply_rules(seen_) if f.code == "smtp.null_sender.rejected")
    assert [(e.source, e.where, e.session, e.quote) for e in finding.evidence] == [
        ("session", HERE, 0, "550 5.7.1 no bounces\r\n"),
        ("session", HERE, 0, "250 2.1.5 ok\r\n"),
    ]
    transcript = seen_.endpoints[0].main.transcript
    assert [transcript[e.entry or 0]["got"] for e in finding.evidence] == [e.quote for e in finding.evidence]


def test_the_null_sender_refused_without_another_sender_to_compare_is_not_tested() -> None:
    refused = seen("postmaster", "open_relay", null="550 5.7.1 <>: Sender address rejected")
    alone = refused.endpoints[0].main
    alone = replace(alone, transactions=tuple(t for t in alone.transactions if t.purpose == "null-sender"))
    (finding,) = apply_rules(replace(refused, endpoints=(endpoint(alone),)))
    assert (finding.code, finding.outcome) == ("smtp.not_tested", "not-tested")
    assert finding.message.endswith("but no other sender was answered there.")
