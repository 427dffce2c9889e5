"""The rules about encryption: offered, working, nothing injected, its version, and AUTH only inside it."""

from dataclasses import replace

import pytest

from checker_smtp.probes.observation import Keyword, Observation, TlsIssue, TlsProbe
from checker_smtp.probes.rules import RULES, apply_rules
from tests.probes.observations import (
    EHLO,
    EHLO_TLS,
    HERE,
    PLAIN_EHLO,
    endpoint,
    finding_lines,
    observation,
    only,
    session,
)

CLEAR = session("without-tls")
OTHER = "192.0.2.8"
NOT_CLEAR = "the password itself is not sent in the clear."


def after(*more: object, **words: object) -> Observation:
    """A main session of these words, and what followed it."""
    return observation(endpoint(session(**words), *more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("starttls", "verdict"),
    [
        ("454 4.3.0 no key", "starttls.deferred warn fail"),
        ("454 4.7.0 TLS not available due to local problem", "starttls.deferred warn fail"),
        ("454 4.7.0 TLS not available due to temporary reason", "starttls.deferred warn transient"),
        ("421 busy", "starttls.deferred warn transient"),
        ("501 no parameters", "starttls.failed crit fail"),
        ("554 5.7.3 unable to initialise", "starttls.failed crit fail"),
        ("354 what?", "starttls.failed crit fail"),
    ],
)
def test_starttls_refused(starttls: str, verdict: str) -> None:
    assert finding_lines(observation(endpoint(starttls=starttls))) == [f"{verdict} {HERE}"]


@pytest.mark.parametrize(
    "blame",
    [
        "554 5.7.1 Your IP is blocked using zen.spamhaus.org",
        "421 4.7.0 Too many connections from your IP",
        "450 4.7.25 cannot find your reverse hostname",
    ],
)
@pytest.mark.parametrize("step", ["starttls", "ehlo_tls"])
def test_words_against_this_client_are_no_fault_of_the_servers_tls(step: str, blame: str) -> None:
    found = only(after(CLEAR, **{step: blame}))
    assert (found.code, found.severity, found.outcome) == ("smtp.refused_us", "info", "refused-us")
    assert "the server refuses this client" in found.message
    assert "certificate" not in found.fix


@pytest.mark.parametrize("step", ["starttls", "ehlo_tls"])
def test_a_421_accuses_neither_key_nor_certificate(step: str) -> None:
    found = only(after(CLEAR, **{step: "421 4.3.2 System shutting down"}))
    assert found.outcome == "transient"
    assert found.fix.startswith("Repeat the check")
    assert "says nothing about the key" in found.fix


BROKEN = [
    (
        {"starttls": None, "end": "STARTTLS/closed"},
        "starttls.failed crit fail",
        "The session ended at STARTTLS: the server closed the connection.",
    ),
    (
        {"starttls": None, "end": "STARTTLS/syntax.reply"},
        "starttls.failed crit fail",
        "The session ended at STARTTLS: syntax.reply.",
    ),
    (
        {"starttls": None, "end": "STARTTLS/timeout"},
        "starttls.failed warn transient",
        "STARTTLS was not answered in time.",
    ),
    (
        {"starttls": None, "end": "STARTTLS/budget"},
        "not_tested info not-tested",
        "Not tested: the TLS handshake; the time for this endpoint ran out.",
    ),
    (
        {"tls": None, "end": "TLS/tls: wrong version number"},
        "starttls.failed crit fail",
        "The TLS handshake failed: wrong version number.",
    ),
    (
        {"tls": None, "end": "TLS/reset"},
        "starttls.failed crit fail",
        "The TLS handshake failed: the server reset the connection.",
    ),
    (
        {"tls": None, "end": "TLS/timeout"},
        "starttls.failed warn transient",
        "The TLS handshake was not finished in time.",
    ),
    (
        {"tls": None, "end": "TLS/budget"},
        "not_tested info not-tested",
        "Not tested: the TLS handshake; the time for this endpoint ran out.",
    ),
    (
        {"tls": None, "end": "TLS/network-unreachable"},
        "not_tested info not-tested",
        "Not tested: the TLS handshake; the network failed (network-unreachable).",
    ),
    (
        {"tls": None, "end": "TLS/starttls.plaintext"},
        "starttls.injection crit fail",
        "Octets in the clear follow the 220 to STARTTLS; they were not used.",
    ),
    (
        {"ehlo_tls": None, "end": "EHLO after STARTTLS/closed"},
        "starttls.failed crit fail",
        "The session ended right after the handshake: the server closed the connection.",
    ),
    (
        {"ehlo_tls": None, "end": "EHLO after STARTTLS/timeout"},
        "starttls.failed warn transient",
        "After the handshake EHLO was not answered in time.",
    ),
    (
        {"ehlo_tls": None, "end": "EHLO after STARTTLS/budget"},
        "not_tested info not-tested",
        "Not tested: the TLS handshake; the time for this endpoint ran out.",
    ),
    ({"ehlo_tls": "550 no"}, "starttls.failed crit fail", "After the handshake EHLO is answered with 550."),
    (
        {"ehlo_tls": "450 later"},
        "starttls.failed warn transient",
        "After the handshake EHLO is answered with 450.",
    ),
    (
        {"ehlo_tls": "354 what?"},
        "starttls.failed crit fail",
        "After the handshake EHLO is answered with 354.",
    ),
]


@pytest.mark.parametrize(("words", "verdict", "message"), BROKEN)
def test_starttls_that_breaks_the_session_hides_nothing_else(
    words: dict[str, str], verdict: str, message: str
) -> None:
    seen = after(CLEAR, **words)
    assert finding_lines(seen) == [f"{verdict} {HERE}"]
    assert only(seen).message == message
    assert only(seen).evidence


def test_a_name_that_is_refused_is_a_warning_where_it_works_without() -> None:
    main = {"tls": None, "end": "TLS/tls: tlsv1 unrecognized name"}
    seen = after(session("without-sni"), **main)
    assert finding_lines(seen) == [f"starttls.failed warn fail {HERE}"]
    assert "succeeds without one" in only(seen).message


def test_a_handshake_that_fails_with_and_without_a_name_is_one_fault() -> None:
    main = {"tls": None, "end": "TLS/tls: tlsv1 unrecognized name"}
    again = session("without-sni", tls=None, end="TLS/tls: tlsv1 unrecognized name")
    assert finding_lines(after(again, CLEAR, **main)) == [f"starttls.failed crit fail {HERE}"]


def test_what_fails_behind_the_handshake_without_a_name_is_reported_beside_it() -> None:
    main = {"tls": None, "end": "TLS/tls: tlsv1 unrecognized name"}
    behind = session("without-sni", ehlo_tls="550 no")
    assert finding_lines(after(behind, CLEAR, **main)) == [
        f"starttls.failed crit fail {HERE}",
        f"starttls.failed warn fail {HERE}",
    ]


def test_a_handshake_of_which_nothing_was_kept_is_not_judged() -> None:
    assert finding_lines(observation(endpoint(tls=None))) == [f"not_tested info not-tested {HERE}"]


def test_without_a_transcript_there_is_no_line_to_point_at() -> None:
    bare = replace(session(tls=None, end="TLS/reset"), transcript=())
    found = RULES["smtp.starttls_handshake"].findings(observation(endpoint(bare)))
    assert [[e.quote for e in f.evidence] for f in found] == [["220 2.0.0 go\r\n"]]


def test_starttls_offered_and_not_said_is_nothing() -> None:
    """The session was over before: `250 STARTTLS` and a 421 right behind it."""
    seen = observation(endpoint(starttls=None, end="EHLO/closed: shutting down"))
    assert finding_lines(seen) == [f"not_tested info not-tested {HERE}"]
    assert "STARTTLS" not in only(seen).message


@pytest.mark.parametrize(
    ("endpoints", "verdicts"),
    [
        ((EHLO, EHLO), []),
        ((PLAIN_EHLO,), ["all_no_starttls crit fail"]),
        ((PLAIN_EHLO, PLAIN_EHLO), ["all_no_starttls crit fail"]),
        ((EHLO, PLAIN_EHLO), ["starttls.missing warn fail 192.0.2.8:25"]),
        ((PLAIN_EHLO, "450 later"), ["all_no_starttls crit fail", "ehlo.failed warn transient 192.0.2.8:25"]),
        ((EHLO, "450 later"), ["ehlo.failed warn transient 192.0.2.8:25"]),
        (("450 later",), ["ehlo.failed warn transient 192.0.2.7:25"]),
    ],
)
def test_starttls_is_missed_only_by_those_who_listed_their_extensions(
    endpoints: tuple[str, ...], verdicts: list[str]
) -> None:
    addresses = ("192.0.2.7", OTHER)
    held = [endpoint(address=a, ehlo=ehlo) for a, ehlo in zip(addresses, endpoints, strict=False)]
    assert finding_lines(observation(*held)) == verdicts


@pytest.mark.parametrize(
    ("keyword", "masked"),
    [
        ("XXXXXXXA", True),
        ("XXXX", True),
        ("XXXB", True),
        ("XXX", False),
        ("X-EXPS", False),
        ("XXXXXXAB", False),
        ("XCLIENT", False),
    ],
)
def test_a_masked_keyword_names_the_device_in_between(keyword: str, masked: bool) -> None:
    ehlo = PLAIN_EHLO.replace("250 8BITMIME", f"250-{keyword}|250 8BITMIME")
    assert ("Cisco" in only(observation(endpoint(ehlo=ehlo))).message) is masked
    one = apply_rules(observation(endpoint(ehlo=ehlo), endpoint(address=OTHER)))
    assert ["Cisco" in f.message for f in one] == [masked]


@pytest.mark.parametrize(
    ("offer", "severity", "message"),
    [
        ("AUTH PLAIN", "crit", "AUTH PLAIN is offered before TLS."),
        ("AUTH cram-md5 login Plain", "crit", "AUTH LOGIN PLAIN is offered before TLS."),
        ("AUTH XOAUTH2 OAUTHBEARER", "crit", "AUTH XOAUTH2 OAUTHBEARER is offered before TLS."),
        (
            "AUTH CRAM-MD5 SCRAM-SHA-1",
            "warn",
            f"AUTH is offered before TLS (CRAM-MD5 and SCRAM-SHA-1); {NOT_CLEAR}",
        ),
        (
            "AUTH",
            "info",
            "AUTH is offered before TLS without any mechanism: no login is possible there.",
        ),
        (
            "AUTH \x1b[31m é PLAINER {}",
            "warn",
            f"AUTH is offered before TLS (PLAINER); {NOT_CLEAR}",
        ),
    ],
)
def test_auth_before_tls(offer: str, severity: str, message: str) -> None:
    seen = observation(endpoint(ehlo=EHLO.replace("250 8BITMIME", f"250-{offer}|250 8BITMIME")))
    assert finding_lines(seen) == [f"auth.plaintext {severity} fail {HERE}"]
    assert only(seen).message == message
    assert only(seen).evidence[0].quote == seen.endpoints[0].main.ehlo.raw  # type: ignore[union-attr]


def test_auth_offered_on_two_lines_is_reported_once() -> None:
    ehlo = EHLO.replace("250 8BITMIME", "250-AUTH LOGIN PLAIN|250-AUTH LOGIN|250 8BITMIME")
    assert only(observation(endpoint(ehlo=ehlo))).message == "AUTH LOGIN PLAIN is offered before TLS."


def test_auth_behind_tls_is_fine() -> None:
    assert (
        finding_lines(observation(endpoint(ehlo_tls=EHLO_TLS.replace("250 8", "250-AUTH PLAIN|250 8")))) == []
    )


def test_auth_is_read_where_ehlo_was_accepted_first() -> None:
    refused = session(ehlo="450 later")
    assert RULES["smtp.auth_posture"].findings(observation(endpoint(refused))) == ()
    assert not RULES["smtp.auth_posture"].tested(observation(endpoint(refused)))


@pytest.mark.parametrize(
    ("version", "verdicts"),
    [
        ("TLSv1.3", []),
        ("TLSv1.2", []),
        ("TLSv1.1", [f"tls.weak_tls_version warn fail {HERE}"]),
        ("TLSv1", [f"tls.weak_tls_version warn fail {HERE}"]),
        ("SSLv3", [f"tls.weak_tls_version warn fail {HERE}"]),
    ],
)
def test_the_version(version: str, verdicts: list[str]) -> None:
    assert finding_lines(observation(endpoint(tls=version))) == verdicts


def test_the_version_may_be_met_in_a_later_session() -> None:
    main = session(tls=None, end="TLS/tls: tlsv1 unrecognized name")
    seen = observation(endpoint(main, session("without-sni", tls="TLSv1")))
    weak = next(f for f in apply_rules(seen) if f.code == "smtp.tls.weak_tls_version")
    assert [e.session for e in weak.evidence] == [1]
    assert RULES["smtp.tls_quality"].tested(seen)
    assert not RULES["smtp.tls_quality"].tested(observation(endpoint(main)))


def test_the_issues_of_the_tls_checker_are_reported_as_it_has_them() -> None:
    expired = TlsIssue(code="expired", severity="crit", message="The certificate expired", fix="Renew it")
    soon = TlsIssue(code="expiring_soon", severity="info", message="Ten days left")
    odd = TlsIssue(code="novel", severity="fatal", message="What is this?")
    probes = (
        TlsProbe(endpoint="mx.example.org:25", issues=(expired, soon, expired)),
        TlsProbe(endpoint="mx.example.org:25", issues=(expired, odd)),
        TlsProbe(endpoint="b.example.org:25"),
    )
    seen = observation(endpoint(), tls_probes=probes)
    assert finding_lines(seen) == [
        "tls.expired crit fail mx.example.org:25",
        "tls.novel warn fail mx.example.org:25",
        "tls.expiring_soon info fail mx.example.org:25",
    ]
    assert next((f.message, f.fix, f.rule) for f in apply_rules(seen)) == (
        "The certificate expired",
        "Renew it",
        "smtp.tls_quality",
    )
    assert RULES["smtp.tls_quality"].tested(observation(tls_probes=probes))


def test_whether_the_handshake_was_tested() -> None:
    rule = RULES["smtp.starttls_handshake"]
    assert rule.tested(observation(endpoint()))
    assert not rule.tested(observation(endpoint(ehlo=PLAIN_EHLO)))
    assert not rule.tested(observation(endpoint(ehlo="450 later")))
    assert session().offers("STARTTLS")
    assert session().capabilities[0] == Keyword(keyword="STARTTLS")
