"""Logins, TLS, replies out of step and RSET, row by row."""

from dataclasses import replace

import pytest

from checker_smtp.probes.rules import Delivery, MailState, apply_rules, judge_delivery, status_of
from tests.probes.observations import (
    EHLO,
    PLAIN_EHLO,
    endpoint,
    finding_lines,
    observation,
    reply,
    session,
)
from tests.probes.rules11.findings import lines, of

LOGIN = "530 5.7.0 Authentication required"
TLS_FIRST = "530 5.7.0 Must issue a STARTTLS command first"
AUTH = "auth.required crit fail"
REQUIRED = "starttls.required warn fail"
REFUSED_US = "refused_us info refused-us"
OWN = ("null", "postmaster")
ALL = (*OWN, "relay")


@pytest.mark.parametrize("asked", [OWN, ALL])
@pytest.mark.parametrize(
    "answer", [LOGIN, f"MAIL {LOGIN}", "530 no", "550 5.7.1 Authentication required", "MAIL 530 no"]
)
def test_a_login_demanded_on_tls_is_critical(answer: str, asked: tuple[str, ...]) -> None:
    seen = observation(endpoint(**dict.fromkeys(asked, answer)))
    assert lines(seen) == [AUTH]
    finding = of("auth.required", seen)
    assert (finding.rule, finding.reason) == ("smtp.postmaster", "login")
    assert "the server requires a login" in finding.message


def test_a_login_demanded_where_no_tls_is_offered_is_critical() -> None:
    seen = observation(endpoint(ehlo=PLAIN_EHLO, **dict.fromkeys(ALL, LOGIN)))
    assert AUTH in lines(seen)


CLIENT_RULE = "530 5.7.0 <mx[203.0.113.9]>: Client host rejected: Authentication required"


@pytest.mark.parametrize("control", [None, "530 5.7.0 Authentication required", "550 no"])
def test_a_login_demanded_by_a_rule_for_clients_may_be_of_this_client_alone(control: str | None) -> None:
    """Postfix says so of the restrictions for clients: all clients, or the range that this one is in."""
    controls = [session("served-control", served=control)] if control else []
    seen = observation(
        endpoint(session(null=CLIENT_RULE, postmaster=CLIENT_RULE, relay=CLIENT_RULE), *controls)
    )
    assert lines(seen) == [REFUSED_US]
    finding = of("refused_us", seen)
    assert (finding.reason, finding.words) == ("login", "Authentication required")
    assert "a login from everybody, or from clients such as this one" in finding.message
    assert "smtpd_client_restrictions" in finding.fix
    assert judge_delivery(seen, apply_rules(seen)) == Delivery(state=MailState.UNKNOWN, reason="login")


def test_a_login_demanded_of_a_client_that_is_welcome_elsewhere_is_the_domains() -> None:
    asked = session(null=CLIENT_RULE, postmaster=CLIENT_RULE, relay=CLIENT_RULE)
    seen = observation(endpoint(asked, session("served-control", served="250 ok")))
    assert lines(seen) == [AUTH]


@pytest.mark.parametrize(
    "answer",
    [
        CLIENT_RULE.replace("Authentication required", "Access denied"),
        f"{CLIENT_RULE}, dynamic address",
        CLIENT_RULE.replace("530 5", "450 4"),
    ],
)
def test_a_rule_for_clients_without_a_demand_on_everybody_blames_the_client(answer: str) -> None:
    seen = observation(endpoint(**dict.fromkeys(ALL, answer)))
    assert lines(seen) == [REFUSED_US]
    assert "The server refuses this client" in of("refused_us", seen).message


def test_a_login_demanded_for_now_is_a_warning() -> None:
    seen = observation(endpoint(**dict.fromkeys(OWN, "450 4.7.1 Authentication required")))
    assert lines(seen) == ["auth.required warn fail"]


@pytest.mark.parametrize(
    "answer",
    [
        "530 5.7.0 Authentication required: your IP is a dynamic address",
        "530 authentication required, 203.0.113.9 is listed in the PBL",
        "550 dynamic address: please use your provider's server, authentication required",
    ],
)
def test_a_login_demanded_of_a_dynamic_address_is_a_refusal_of_the_client(answer: str) -> None:
    assert lines(observation(endpoint(**dict.fromkeys(ALL, answer)))) == [REFUSED_US]


@pytest.mark.parametrize("answer", [TLS_FIRST, f"MAIL {TLS_FIRST}", f"MAIL {LOGIN}"])
def test_tls_demanded_by_a_session_in_the_clear_is_a_warning_and_the_rest_untested(answer: str) -> None:
    refused = {"starttls": "454 4.7.0 TLS not available", **dict.fromkeys(ALL, answer)}
    seen = observation(endpoint(**refused))
    assert sorted(lines(seen)) == ["starttls.deferred warn transient", REQUIRED]
    finding = of("starttls.required", seen)
    assert finding.rule == "smtp.starttls_offered"
    assert "was not tested" in finding.message
    broken = session(ehlo_tls=None, end="TLS/tls: handshake failure", tls=None)
    clear = session("without-tls", **dict.fromkeys(ALL, answer))  # type: ignore[arg-type]
    assert sorted(lines(observation(endpoint(broken, clear)))) == [
        "starttls.failed crit fail",
        REQUIRED,
    ]


def test_tls_demanded_and_not_offered_is_both() -> None:
    seen = observation(endpoint(ehlo=PLAIN_EHLO, **dict.fromkeys(ALL, TLS_FIRST)))
    assert REQUIRED in lines(seen)
    assert "all_no_starttls crit fail" in finding_lines(seen)


@pytest.mark.parametrize("answer", [TLS_FIRST, f"MAIL {TLS_FIRST}"])
def test_tls_demanded_on_tls_is_unknown(answer: str) -> None:
    assert lines(observation(endpoint(**dict.fromkeys(ALL, answer)))) == [REFUSED_US]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("452 4.4.5 Insufficient disk space; try again later", "fail"),
        ("451 4.7.1 Service unavailable", "transient"),
        ("452 4.4.5 no", "fail"),
        ("450 no", "transient"),
    ],
)
def test_starttls_and_mail_deferred_is_one_warning_and_no_finding_of_tls(answer: str, outcome: str) -> None:
    seen = observation(endpoint(starttls=answer, **dict.fromkeys(ALL, f"MAIL {answer}")))
    assert f"postmaster.deferred warn {outcome}" in lines(seen)
    assert "starttls.deferred" not in str(lines(seen))
    finding = of("postmaster.deferred", seen)
    assert "and so is STARTTLS: the server defers everything" in finding.message
    assert status_of(seen, apply_rules(seen)) == "warning"


def test_starttls_deferred_and_rcpt_greylisted_are_two_things() -> None:
    seen = observation(endpoint(starttls="454 4.7.0 no", **dict.fromkeys(OWN, "450 4.2.0 Greylisted")))
    assert {"starttls.deferred warn transient", "postmaster.deferred info transient"} <= set(lines(seen))
    well = observation(endpoint(starttls="454 4.7.0 no"))
    assert lines(well) == ["starttls.deferred warn transient"]


def test_a_reply_to_no_command_behind_the_greeting_or_ehlo_is_critical() -> None:
    extra = reply("500 5.5.2 command not recognized", entry=2)
    whole = session()
    late = replace(extra, entry=99)
    for desync in (extra, reply("250 again", entry=3)):
        seen = observation(endpoint(replace(whole, unsolicited=(desync,))))
        finding = of("protocol.desync", seen)
        assert (finding.severity, finding.rule) == ("crit", "smtp.ehlo_supported")
        assert "PROXY" in finding.fix
        assert [e.quote for e in finding.evidence] == ["220 mx.example.org ESMTP\r\n", desync.raw]
    twice = observation(endpoint(*(replace(whole, unsolicited=(extra, extra)),) * 2))
    assert of("protocol.desync", twice)
    no_mail = session(null=None, postmaster=None, relay=None, end="MAIL/closed")
    assert of("protocol.desync", observation(endpoint(replace(no_mail, unsolicited=(late,)))))


@pytest.mark.parametrize("text", ["421 4.3.2 closing", "421 4.7.0 too many errors"])
def test_an_unsolicited_421_is_no_reply_out_of_step(text: str) -> None:
    seen = observation(endpoint(replace(session(), unsolicited=(reply(text, entry=2),))))
    assert "desync" not in str(lines(seen))


def test_replies_behind_the_first_mail_or_a_refused_greeting_are_not_out_of_step() -> None:
    late = observation(endpoint(replace(session(), unsolicited=(reply("500 what?", entry=99),))))
    assert lines(late) == []
    refused = replace(session(greeting="554 5.7.1 no"), unsolicited=(reply("500 what?", entry=2),))
    assert lines(observation(endpoint(refused))) == [REFUSED_US]


@pytest.mark.parametrize(
    ("offer", "verdict"),
    [("AUTH", "info"), ("AUTH CRAM-MD5", "warn"), ("AUTH PLAIN", "crit")],
)
def test_auth_without_a_mechanism_is_a_note(offer: str, verdict: str) -> None:
    seen = observation(endpoint(ehlo=EHLO.replace("250 8BITMIME", f"250-{offer}|250 8BITMIME")))
    assert lines(seen) == [f"auth.plaintext {verdict} fail"]


CERTIFICATE = "The server requires a client certificate of everybody: "


def test_a_certificate_demanded_of_everybody_is_critical_with_its_own_advice() -> None:
    alert = session(end="EHLO after STARTTLS/tls: alert certificate required", ehlo_tls=None)
    seen = observation(endpoint(alert))
    finding = of("starttls.failed", seen)
    assert (finding.severity, finding.message) == (
        "crit",
        f"{CERTIFICATE}TLS alert, alert certificate required.",
    )
    assert finding.fix.startswith("Do not require client certificates")
    for words in (
        {"ehlo_tls": "554 5.7.0 No client certificate presented"},
        dict.fromkeys(ALL, "MAIL 554 5.7.0 Error: no client certificate presented"),
        dict.fromkeys(ALL, "554 5.7.0 Client certificate not presented"),
    ):
        refused = of("starttls.failed", observation(endpoint(**words)))
        assert (refused.severity, refused.message) == ("crit", f"{CERTIFICATE}554 5.7.0.")
        assert "ertificate" in refused.evidence[0].quote


def test_another_tls_alert_is_named() -> None:
    broken = session(tls=None, ehlo_tls=None, end="TLS/tls: alert handshake failure")
    finding = of("starttls.failed", observation(endpoint(broken)))
    assert finding.message == "The TLS handshake failed: alert handshake failure."


@pytest.mark.parametrize(
    ("text", "noted"), [("502 no", True), ("450 later", True), ("421 enough", False), ("250 ok", False)]
)
def test_rset_refused_is_a_protocol_note(text: str, noted: bool) -> None:
    whole = session()
    first, *rest = whole.transactions
    assert first.rset is not None
    first = replace(first, rset=reply(text, entry=first.rset.entry))
    seen = observation(endpoint(replace(whole, transactions=(first, *rest))))
    assert lines(seen) == (["protocol.rset info fail"] if noted else [])
    if noted:
        assert of("protocol.rset", seen).reference == "RFC 5321 §4.1.1.5"
