"""Refusals of this client, row by row: they say nothing about the domain, and nothing about extensions."""

import re

import pytest

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.observation import Observation
from checker_smtp.probes.rules import apply_rules, judge_delivery, status_of
from tests.probes.observations import (
    DENIED,
    endpoint,
    observation,
    session,
    settings,
)
from tests.probes.rules11.findings import lines, of
from tests.probes.world import options

LISTED = "554 5.7.1 Service unavailable; Client host [203.0.113.9] blocked using zen.spamhaus.org"
NO_BOUNCE = "550 5.7.1 <>: Sender address rejected: Access denied"
GREYLISTED = "450 4.2.0 Greylisted"
BARE_EHLO = "250 mx.example.org"
REFUSED_US = "refused_us info refused-us"
NOT_TESTED = "not_tested info not-tested"


def alike(answer: str, **words: object) -> Observation:
    """Return a server with this answer to each recipient."""
    return observation(endpoint(**dict.fromkeys(("null", "postmaster", "relay"), answer) | words))


@pytest.mark.parametrize(
    ("answer", "reason", "fix"),
    [
        (LISTED, "blocklist", "is on a blocklist"),
        ("550 5.7.25 no PTR record", "ptr", "PTR name"),
        ("450 4.7.1 <probe.test>: Helo command rejected: Host not found", "helo", "--helo-name"),
        ("553 5.1.8 <postmaster@probe.test>: Domain not found", "sender", "--helo-name"),
        ("421 4.7.0 Too many connections from your host", "rate", "in an hour"),
        ("554 rejected due to your IP's poor reputation", "reputation", "reputation"),
    ],
)
def test_a_refusal_that_blames_the_client_is_unknown_with_advice_by_its_reason(
    answer: str, reason: str, fix: str
) -> None:
    for seen in (alike(answer), alike(f"MAIL {answer}")):
        assert lines(seen) == [REFUSED_US]
        assert status_of(seen, apply_rules(seen)) == "unknown"
        finding = of("refused_us", seen)
        assert (finding.reason, fix in finding.fix) == (reason, True)
        assert "nothing is known of the domain's mail" in finding.message
    assert " at MAIL with " in of("refused_us", alike(f"MAIL {answer}")).message
    assert " at RCPT with " in of("refused_us", alike(answer)).message


@pytest.mark.parametrize("answer", ["550 no", "550 5.7.1 no", "550 5.1.1 no such user"])
def test_every_mail_refused_is_unknown(answer: str) -> None:
    seen = alike(f"MAIL {answer}")
    assert lines(seen) == [REFUSED_US]
    assert status_of(seen, apply_rules(seen)) == "unknown"


def test_every_mail_deferred_without_blame_is_no_refusal_of_the_client() -> None:
    assert lines(alike("MAIL 450 later")) == [
        "null_sender.deferred info transient",
        "postmaster.deferred info transient",
        "not_tested info transient",
    ]


def test_some_mail_deferred_and_the_rest_refused_is_not_every_mail_refused() -> None:
    seen = observation(endpoint(null="MAIL 450 later", postmaster="MAIL 550 no", relay="MAIL 550 no"))
    assert lines(seen) == [REFUSED_US]
    assert of("refused_us", seen).message.startswith("Every MAIL is refused, with 550")


@pytest.mark.parametrize(
    "words",
    [
        {"null": "MAIL {}", "postmaster": "MAIL {}", "relay": "MAIL {}"},
        {"ehlo": "{}", "helo": "{}"},
        {"null": "{}", "postmaster": "{}", "relay": "{}"},
    ],
)
def test_what_may_be_said_to_everybody_is_given_both_readings(words: dict[str, str]) -> None:
    """Exim says so for any `deny` without a message: a rule for all clients, or for this one."""
    seen = observation(endpoint(**{k: v.format("550 Administrative prohibition") for k, v in words.items()}))
    assert lines(seen) == [REFUSED_US]
    finding = of("refused_us", seen)
    assert "Administrative prohibition" in finding.message
    assert re.search(r"Either (it|the server) refuses this client, or ", finding.message)
    assert judge_delivery(seen, apply_rules(seen)).reason == "policy"


def test_a_refusal_that_names_no_list_sends_nobody_to_one() -> None:
    for unnamed in (
        "550 Connections from 203.0.113.9 are refused",
        "550 Your host mx.example.net is blocked",
    ):
        finding = of("refused_us", alike(unnamed))
        assert (finding.reason, "names no list" in finding.fix) == ("blocklist", True)
    for named in (LISTED, "550 blocked, see https://lists.example/query?ip=203.0.113.9"):
        assert "the list that the reply names" in of("refused_us", alike(named)).fix


def test_the_null_sender_refused_alone_says_nothing_about_the_client() -> None:
    cut = {"postmaster": None, "relay": None, "end": "RCPT/closed"}
    for null in (NO_BOUNCE, f"MAIL {NO_BOUNCE}"):
        seen = observation(endpoint(null=null, **cut))
        assert lines(seen) == [NOT_TESTED, NOT_TESTED]
        assert status_of(seen, apply_rules(seen)) == "unknown"


def test_the_null_sender_refused_while_others_are_deferred_is_undecided() -> None:
    seen = observation(endpoint(null=NO_BOUNCE, postmaster=GREYLISTED))
    assert lines(seen) == ["null_sender.deferred info transient", "postmaster.deferred info transient"]
    assert of("null_sender.deferred", seen).message.endswith(
        "a normal one deferred with 450 4.2.0: undecided."
    )


def test_sender_words_about_the_null_sender_alone_are_critical() -> None:
    for null in (NO_BOUNCE, f"MAIL {NO_BOUNCE}"):
        assert lines(observation(endpoint(null=null))) == ["null_sender.rejected crit fail"]


@pytest.mark.parametrize(
    "words",
    [
        "550 5.7.1 BATV validation failed, bounce refused",
        "550 this address never sent mail: no third-party DSNs",
    ],
)
def test_a_bounce_policy_is_a_warning_that_quotes_it(words: str) -> None:
    finding = of("null_sender.rejected", observation(endpoint(null=words)))
    assert (finding.severity, finding.outcome) == ("warn", "fail")
    assert finding.words
    assert finding.words in finding.message


@pytest.mark.parametrize("question", ["relay", "own"])
def test_words_that_blame_the_client_count_at_the_relay_probe_too(question: str) -> None:
    if question == "relay":
        given = {"test_null_sender": False, "test_postmaster": False, "test_open_relay": True}
        asked = transactions_for(options(**given))
        seen = observation(endpoint(asked=asked, relay=LISTED), settings=settings(**given))
    else:
        seen = observation(endpoint(null="550 no", postmaster="550 no", relay=LISTED))
    assert lines(seen) == [REFUSED_US]
    assert of("refused_us", seen).reason == "blocklist"


@pytest.mark.parametrize(
    "relay", ["454 4.7.1 <postmaster@example.com>: Relay access denied", "451 relaying denied", DENIED]
)
def test_a_relay_probe_that_hears_relay_words_passes(relay: str) -> None:
    seen = observation(endpoint(relay=relay))
    assert lines(seen) == []
    assert status_of(seen, apply_rules(seen)) in ("ok", "info")


@pytest.mark.parametrize("relay", ["530 5.7.0 Authentication required", "MAIL 530 Authentication required"])
def test_a_login_demanded_by_the_relay_probe_alone_is_a_refusal_to_relay(relay: str) -> None:
    assert lines(observation(endpoint(relay=relay))) == []


@pytest.mark.parametrize(
    "greeting",
    [
        "421 4.7.0 203.0.113.9 is on our list, try later",
        "421 too many connections from your host",
        "450 4.7.25 cannot find your reverse hostname",
        "421 4.7.1 try later",
    ],
)
def test_a_deferral_before_mail_that_blames_the_client_is_unknown(greeting: str) -> None:
    for words in ({"greeting": greeting}, {"ehlo": greeting}):
        seen = observation(endpoint(**words))
        assert lines(seen) == [REFUSED_US]
        assert status_of(seen, apply_rules(seen)) == "unknown"
        assert of("refused_us", seen).message.endswith(" refuses this client.")


@pytest.mark.parametrize("greeting", ["421 4.3.2 too busy", "421 4.7.0 load too high, too busy", "421 busy"])
def test_a_servers_own_limit_at_the_greeting_is_a_warning(greeting: str) -> None:
    seen = observation(endpoint(greeting=greeting))
    assert lines(seen) == ["banner.deferred warn transient"]
    assert "PROXY" not in of("banner.deferred", seen).message


@pytest.mark.parametrize("words", ["421 4.3.0 local error", "421 local error in processing"])
def test_a_local_error_after_seconds_of_silence_may_be_a_missing_proxy_line(words: str) -> None:
    finding = of("banner.deferred", observation(endpoint(greeting=f"@5 {words}")))
    assert "It came after 5 s of silence: the server may wait for the line of a proxy" in finding.message


@pytest.mark.parametrize("code", ["554", "521", "550"])
@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("5.7.1 no", REFUSED_US),
        ("not for you", REFUSED_US),
        ("client not allowed", REFUSED_US),
        ("your host is not welcome", REFUSED_US),
        ("no SMTP service here", "banner.refused crit fail"),
        ("no", REFUSED_US),
    ],
)
def test_a_greeting_of_refusal_is_critical_only_where_it_speaks_of_the_service(
    code: str, words: str, verdict: str
) -> None:
    seen = observation(endpoint(greeting=f"{code} {words}"))
    assert lines(seen) == [verdict]
    assert status_of(seen, apply_rules(seen)) == ("critical" if "crit" in verdict else "unknown")
    one_point = "one vantage point cannot decide that" in next(iter(apply_rules(seen))).message
    assert one_point is (words == "no")


@pytest.mark.parametrize(
    "words",
    [
        dict.fromkeys(("null", "postmaster", "relay"), LISTED),
        dict.fromkeys(("null", "postmaster", "relay"), "MAIL 550 no"),
        {"null": "421 4.7.0 Too many connections from your host", "postmaster": None, "relay": None},
    ],
)
def test_a_refused_client_says_nothing_about_extensions(words: dict[str, str]) -> None:
    assert lines(observation(endpoint(ehlo=BARE_EHLO, **words))) == [REFUSED_US]


def test_a_bare_421_after_a_full_reply_to_ehlo_does_not_excuse_what_is_missing() -> None:
    words = {"null": "421 4.3.2 closing", "postmaster": None, "relay": None, "end": "RCPT/closed"}
    seen = observation(endpoint(ehlo=BARE_EHLO, **words))
    codes = {f.code for f in apply_rules(seen)}
    assert {"smtp.all_no_starttls", "smtp.ext.pipelining", "smtp.ext.8bitmime"} <= codes


def test_every_mail_answered_with_530_does_not_excuse_what_is_missing() -> None:
    seen = alike("MAIL 530 5.7.0 Authentication required", ehlo=BARE_EHLO)
    assert {"smtp.all_no_starttls", "smtp.auth.required"} <= {f.code for f in apply_rules(seen)}


def test_another_endpoint_that_lets_us_in_is_judged_for_starttls() -> None:
    refused = endpoint(ehlo=BARE_EHLO, null=LISTED, postmaster=LISTED, relay=LISTED)
    bare = endpoint(ehlo=BARE_EHLO, address="192.0.2.8")
    found = {f.code: f for f in apply_rules(observation(refused, bare))}
    assert found["smtp.all_no_starttls"].message == "STARTTLS is not offered by 192.0.2.8:25."


def test_a_refusal_before_mail_that_a_later_session_did_not_meet_is_over() -> None:
    first = session(greeting="421 4.7.0 too many connections from your host")
    seen = observation(endpoint(first, session("revisit", ehlo=BARE_EHLO)))
    codes = [f.code for f in apply_rules(seen)]
    assert "smtp.all_no_starttls" in codes
    assert of("refused_us", seen).message.startswith(
        'The greeting is 421 4.7.0 ("too many connections from your host")'
    )


@pytest.mark.parametrize(
    ("ehlo", "verdict"),
    [
        ("550 Access denied", REFUSED_US),
        ("550 5.0.0 Rejected", REFUSED_US),
        ("550 5.7.1 no", REFUSED_US),
        ("504 5.5.2 <probe.test>: Helo command rejected: need fully-qualified hostname", REFUSED_US),
        ("452 no", "ehlo.failed warn fail"),
        ("450 no", "ehlo.failed warn transient"),
        ("550 no", "ehlo.failed crit fail"),
    ],
)
def test_a_refusal_of_ehlo(ehlo: str, verdict: str) -> None:
    assert lines(observation(endpoint(ehlo=ehlo, helo=ehlo))) == [verdict]


def test_no_answer_to_an_own_recipient_is_unknown_and_a_warning_stands() -> None:
    nothing = {"null": None, "postmaster": None, "relay": None, "end": "MAIL/timeout"}
    seen = observation(endpoint(**nothing))
    assert status_of(seen, apply_rules(seen)) == "unknown"
    warned = observation(endpoint(ehlo="502 no", helo="250 mx", **nothing))
    assert status_of(warned, apply_rules(warned)) == "warning"
    off = {"test_null_sender": False, "test_postmaster": False, "test_open_relay": False}
    unasked = observation(endpoint(asked=()), settings=settings(**off))
    assert status_of(unasked, apply_rules(unasked)) in ("ok", "info")
