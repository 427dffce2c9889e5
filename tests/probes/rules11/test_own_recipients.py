"""Refusals of the domain's own recipients, row by row: the reason decides whose fault they are."""

import pytest

from checker_smtp.probes.observation import Endpoint, Mx, Observation
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import apply_rules, judge_delivery, status_of
from tests.probes.observations import (
    DENIED,
    HERE,
    SERVED,
    endpoint,
    observation,
    session,
    target,
    unreached,
)
from tests.probes.rules11.findings import lines, of

UNKNOWN = "550 5.1.1 <postmaster@example.org>: Recipient address rejected: User unknown"
NOT_SERVED = "554 5.7.1 <postmaster@example.org>: Relay access denied"
FULL = "552 5.2.2 <postmaster@example.org>: mailbox full"
NO_SENDER = "553 5.1.8 <postmaster@probe.test>: Sender address rejected: Domain not found"
GREYLISTED = "450 4.2.0 <postmaster@example.org>: Recipient address rejected: Greylisted"
BLOCKED = "554 5.7.1 Your IP is blocked"
OLD = {"address": "192.0.2.8", "targets": ("old.example.org",)}
UNCLEAR, POLICY = "550 no", "550 5.7.1 no"
BOTH_READINGS = "Either the server refuses this client, or it does not serve the domain or has no postmaster."

CRIT = "postmaster.rejected crit fail"
WARN = "postmaster.rejected warn fail"
DEFERRED_WARN = "postmaster.deferred warn fail"
DEFERRED = "postmaster.deferred info transient"
BOUNCES_DEFERRED = "null_sender.deferred info transient"
REFUSED_US = "refused_us info refused-us"
NOT_TESTED = "not_tested info not-tested"


def own(answer: str, *more: str, relay: str = DENIED) -> Observation:
    """Return a server with this answer to both own recipients, and one session more for each of `more`."""
    controls = (session("served-control", served=text) for text in more)
    return observation(endpoint(session(null=answer, postmaster=answer, relay=relay), *controls))


@pytest.mark.parametrize(
    ("null", "postmaster", "expected"),
    [
        (UNKNOWN, UNKNOWN, [CRIT, NOT_TESTED]),
        (UNKNOWN, f"MAIL {NO_SENDER}", [CRIT, NOT_TESTED]),
        (UNKNOWN, NO_SENDER, [CRIT, NOT_TESTED]),
        (UNKNOWN, None, [CRIT, NOT_TESTED, NOT_TESTED]),
        ("MAIL 550 5.7.1 <>: Sender rejected", UNKNOWN, ["null_sender.rejected crit fail", CRIT]),
        ("550 5.7.1 <>: Sender address rejected", UNKNOWN, [CRIT, NOT_TESTED]),
    ],
)
def test_an_unknown_mailbox_is_critical_whichever_sender_met_it(
    null: str, postmaster: str, expected: list[str]
) -> None:
    end = "RCPT/closed" if postmaster is None else None
    relay = None if postmaster is None else DENIED
    seen = observation(endpoint(null=null, postmaster=postmaster, relay=relay, end=end))
    assert [line for line in lines(seen) if line != NOT_TESTED] == [x for x in expected if x != NOT_TESTED]
    assert of("postmaster.rejected", seen).reason == "mailbox"


def test_foreign_recipients_that_hear_the_same_may_mean_a_domain_not_set_up() -> None:
    alike = own("550 No such user here", relay="550 No such user here")
    assert "the domain may not be set up on this server." in of("postmaster.rejected", alike).message
    assert "set up" not in of("postmaster.rejected", own(UNKNOWN)).message
    late = own(UNKNOWN, relay="450 4.1.1 No such user here")
    assert "set up" not in of("postmaster.rejected", late).message


def test_true_mailbox_words_with_4yz_are_a_deferral_to_act_on() -> None:
    seen = own("450 4.1.1 <postmaster@example.org>: User unknown in virtual mailbox table")
    assert lines(seen) == [DEFERRED_WARN, BOUNCES_DEFERRED]
    assert "waiting will not change that" in of("postmaster.deferred", seen).message
    assert of("postmaster.deferred", seen).fix.startswith("Create the address")


@pytest.mark.parametrize(
    "answer",
    [
        "450 4.2.0 Mailbox temporarily unavailable",
        "450 4.2.1 mailbox temporarily locked",
        "450 4.2.1 <postmaster@example.org>: Recipient address rejected: account temporarily disabled",
        "450 Requested mail action not taken: mailbox unavailable",
        "450 Postfach voruebergehend nicht verfuegbar",
        "450 Buzon temporalmente no disponible",
    ],
)
def test_mailbox_words_that_speak_of_a_time_ask_for_a_retry(answer: str) -> None:
    found = of("postmaster.deferred", own(answer))
    assert (found.severity, found.outcome) == ("info", "transient")
    assert "waiting" not in found.message
    assert "--retry-deferred" in found.fix


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        ("451 4.3.0 Temporary lookup failure", "the server reports a fault of its own."),
        ("451 4.7.0 Temporary server error. Please try again later. PRX4", "a fault of its own."),
        ("454 4.7.1 Relay access denied", "accept mail for this domain, and waiting will not change that."),
    ],
)
def test_a_deferral_to_act_on_says_what_it_is_about(answer: str, end: str) -> None:
    found = of("postmaster.deferred", own(answer))
    assert (found.severity, found.outcome) == ("warn", "fail")
    assert found.message.endswith(end)


@pytest.mark.parametrize("answer", [FULL, "552 no", "452 4.2.2 over quota", "452 no"])
def test_a_full_mailbox_is_a_warning(answer: str) -> None:
    finding = of("postmaster.rejected", own(answer))
    assert (finding.severity, finding.reason) == ("warn", "mailbox-full")
    assert finding.outcome == ("fail" if answer.startswith("5") else "transient")
    assert finding.message.startswith("The mailbox of postmaster@example.org is full: ")
    assert finding.fix.startswith("Free space")


def test_a_domain_that_is_not_served_is_critical() -> None:
    finding = of("postmaster.rejected", own(NOT_SERVED))
    assert (finding.severity, finding.reason, finding.words) == ("crit", "not-served", "Relay access denied")
    assert "the server does not accept mail for this domain" in finding.message
    assert finding.fix.startswith("Add the domain")


def test_a_server_in_trouble_that_says_so_with_5yz_is_a_warning() -> None:
    finding = of("postmaster.rejected", own("550 5.3.0 local configuration error"))
    assert (finding.severity, finding.reason) == ("warn", "server-state")
    assert "the server reports a fault of its own" in finding.message


@pytest.mark.parametrize(
    "answer",
    [
        "454 4.7.1 <postmaster@example.org>: Relay access denied",
        "450 4.1.1 <postmaster@example.org>: unverified address: connect to mx.local: Connection refused",
        "450 4.1.1 <postmaster@example.org>: unverified address: host not found",
        "452 4.3.1 Insufficient system storage",
        "451 4.3.5 Server configuration problem",
        "451 4.3.0 <postmaster@example.org>: Temporary lookup failure",
        "451 4.3.0 internal error",
        "421 4.3.2 down for maintenance",
        "451 4.7.1 Service unavailable - policy service is down",
    ],
)
def test_a_deferral_for_what_waiting_does_not_change_is_a_warning(answer: str) -> None:
    seen = own(answer)
    assert lines(seen)[0] == DEFERRED_WARN
    assert BOUNCES_DEFERRED in lines(seen)
    assert "greylisting" not in of("postmaster.deferred", seen).message
    assert of("postmaster.deferred", seen).outcome == "fail"


@pytest.mark.parametrize(
    "answer",
    [
        "450 4.1.1 <postmaster@example.org>: unverified address: Address verification in progress",
        "451 4.3.2 Service currently unavailable",
        "451 Internal resources are temporarily unavailable - https://community.mimecast.com/docs/DOC-1369",
        "450 later",
        GREYLISTED,
    ],
)
def test_a_deferral_that_is_not_understood_or_passes_is_a_note_and_unknown(answer: str) -> None:
    seen = own(answer)
    assert lines(seen) == [BOUNCES_DEFERRED, DEFERRED]
    assert status_of(seen, apply_rules(seen)) == "unknown"


@pytest.mark.parametrize(
    ("answer", "greylisting"),
    [
        (GREYLISTED, True),
        ("450 4.7.1 try later", True),
        ("450 4.2.0 later", True),
        ("450 later", False),
        ("450 4.1.1 unverified address: Address verification in progress", False),
    ],
)
def test_greylisting_is_said_only_where_words_or_codes_say_so(answer: str, greylisting: bool) -> None:
    assert ("greylisting" in of("postmaster.deferred", own(answer)).message) is greylisting


@pytest.mark.parametrize(("answer", "verdict"), [(UNCLEAR, CRIT), (POLICY, WARN)])
@pytest.mark.parametrize("relay", [DENIED, UNCLEAR, POLICY])
def test_policy_and_unclear_are_the_domains_where_the_control_is_accepted(
    answer: str, verdict: str, relay: str
) -> None:
    seen = own(answer, "250 2.1.5 ok", relay=relay)
    assert lines(seen) == [verdict, NOT_TESTED]
    finding = of("postmaster.rejected", seen)
    assert finding.message.endswith("although this client is welcome: postmaster@hoster.example is accepted.")
    assert [e.quote for e in finding.evidence] == [f"{answer}\r\n", "250 2.1.5 ok\r\n"]


@pytest.mark.parametrize("answer", [UNCLEAR, POLICY])
@pytest.mark.parametrize("control", ["550 no", "450 later", "MAIL 550 no", None])
def test_policy_and_unclear_stay_undecided_without_a_control_that_is_accepted(
    answer: str, control: str | None
) -> None:
    seen = own(answer, *([control] if control else []))
    assert lines(seen) == [REFUSED_US]
    assert status_of(seen, apply_rules(seen)) == "unknown"
    finding = of("refused_us", seen)
    assert finding.message.endswith(BOTH_READINGS)
    assert "--helo-name" in finding.fix
    assert "add the domain" in finding.fix
    tried = "postmaster@hoster.example, which the server should accept, is not accepted either"
    assert (tried in finding.message) is (control is not None)


@pytest.mark.parametrize("answer", [UNKNOWN, NOT_SERVED, FULL])
@pytest.mark.parametrize("control", ["550 no", "250 ok"])
def test_any_other_reason_needs_no_control(answer: str, control: str) -> None:
    assert lines(own(answer, control)) == lines(own(answer))


def two_mx(first: Endpoint, second: Endpoint) -> Observation:
    records = (target("mx.example.org"), target("old.example.org", preference=20, ipv4="192.0.2.8", ipv6=""))
    mx = Mx(status=DnsStatus.ANSWER, records=records)
    return observation(first, second, mx=mx)


def test_a_second_mx_that_refuses_the_domain_is_a_warning_to_remove_it() -> None:
    refused = {"null": NOT_SERVED, "postmaster": NOT_SERVED}
    seen = two_mx(endpoint(), endpoint(**OLD, **refused))  # type: ignore[arg-type]
    finding = of("postmaster.rejected", seen)
    assert (finding.severity, finding.subject) == ("warn", "192.0.2.8:25")
    assert "remove this one from the MX records" in finding.fix
    preferred = of("postmaster.rejected", two_mx(endpoint(**refused), endpoint(**OLD)))  # type: ignore[arg-type]
    assert (preferred.severity, preferred.subject) == ("crit", HERE)
    deferred = endpoint(null=GREYLISTED, postmaster=GREYLISTED)
    unproven = of("postmaster.rejected", two_mx(deferred, endpoint(**OLD, **refused)))  # type: ignore[arg-type]
    assert unproven.severity == "crit"


def test_accepted_under_one_sender_is_accepted() -> None:
    assert lines(observation(endpoint(postmaster=UNKNOWN))) == []
    assert lines(observation(endpoint(postmaster=UNCLEAR))) == []


@pytest.mark.parametrize(
    ("preferred", "state"),
    [
        (endpoint(null=BLOCKED, postmaster=BLOCKED, relay=BLOCKED), "unknown"),
        (endpoint(greeting="554 5.7.1 Your IP is blocked"), "unknown"),
        (unreached("not-permitted"), "unknown"),
        # a sender that is deferred goes on to the next target, and is refused there
        (endpoint(null=GREYLISTED, postmaster=GREYLISTED, relay=GREYLISTED), "refused"),
        (unreached("refused"), "refused"),
    ],
)
def test_behind_an_mx_that_cannot_be_judged_a_refusal_is_a_warning(preferred: Endpoint, state: str) -> None:
    seen = two_mx(preferred, endpoint(null=UNKNOWN, postmaster=UNKNOWN, **OLD))  # type: ignore[arg-type]
    assert judge_delivery(seen, apply_rules(seen)).state == state
    found = of("postmaster.rejected", seen)
    assert (found.severity == "warn") is (state == "unknown")
    assert ("more preferred MX could not be judged from here" in found.fix) is (state == "unknown")


@pytest.mark.parametrize("preferred", [endpoint(), endpoint(greeting="554 5.7.1 Your IP is blocked")])
def test_a_login_demanded_by_a_less_preferred_mx_is_a_warning(preferred: Endpoint) -> None:
    login = "530 5.7.0 Authentication required"
    seen = two_mx(preferred, endpoint(null=login, postmaster=login, relay=login, **OLD))  # type: ignore[arg-type]
    assert of("auth.required", seen).severity == "warn"


def test_a_control_that_was_not_answered_is_not_called_unknown() -> None:
    unserved = session("served-control", asked=(SERVED,), greeting="421 4.7.0 too many connections")
    seen = observation(endpoint(session(null=UNCLEAR, postmaster=UNCLEAR), unserved))
    assert (
        f"{SERVED.recipient}, which the server should accept, was not answered"
        in of("refused_us", seen).message
    )
