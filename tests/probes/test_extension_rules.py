"""Extensions, and how well the replies keep to the protocol: never more than a remark."""

from dataclasses import replace

import pytest

from checker_smtp.probes.observation import Irregularity
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

BARE_LF = Irregularity(kind="bare-lf", line=1, offset=6, excerpt="x\n", reference="RFC 5321 §2.3.8")
MIXED = Irregularity(kind="mixed-codes", line=2, offset=8, excerpt="x", reference="RFC 5321 §4.2.1")
LEGAL = Irregularity(kind="ehlo-keyword-case", line=2, offset=8, excerpt="x")


@pytest.mark.parametrize(
    ("words", "verdicts"),
    [
        ({}, []),
        ({"ehlo": "250-mx|250 STARTTLS"}, []),
        ({"ehlo": EHLO, "ehlo_tls": "250 mx"}, []),
        ({"ehlo": "250-mx|250 STARTTLS", "ehlo_tls": "250-mx|250 8bitmime"}, ["ext.pipelining info fail"]),
        ({"ehlo": "250-mx|250-STARTTLS|250 PIPELINING", "ehlo_tls": "250 mx"}, ["ext.8bitmime info fail"]),
        (
            {"ehlo": "250-mx|250 STARTTLS", "ehlo_tls": "250 mx"},
            ["ext.pipelining info fail", "ext.8bitmime info fail"],
        ),
    ],
)
def test_what_is_not_offered_on_either_side_of_tls(words: dict[str, str], verdicts: list[str]) -> None:
    assert finding_lines(observation(endpoint(**words))) == [f"{verdict} {HERE}" for verdict in verdicts]


OFFERED = "250-mx|250-PIPELINING|250-8BITMIME|250-STARTTLS|250 "


@pytest.mark.parametrize(
    ("line", "verdicts", "words"),
    [
        ("SIZE 10240000", [], ""),
        ("SIZE 10000000", [], ""),
        ("SIZE", [], ""),
        ("SIZE 0", [], ""),
        ("SIZE unlimited", [], ""),
        ("SIZE ²", [], ""),
        ("SIZE 65536 1", [], ""),
        (f"SIZE {'9' * 5000}", [], ""),
        (f"SIZE {'0' * 5000}1", [], ""),
        ("SIZE 1000|250 SIZE 10240000", [], ""),
        ("SIZE 9999999", ["ext.size info fail"], "at most 9,999,999 octets (SIZE)."),
        ("SIZE 65536", ["ext.size info fail"], "at most 65,536 octets (SIZE)."),
        ("SIZE 1000", ["ext.size warn fail"], "at most 1,000 octets (SIZE); every server must take 65,536."),
        ("SMTPUTF8", [], ""),
        (
            "BINARYMIME",
            ["ext.incomplete warn fail"],
            "BINARYMIME is offered without CHUNKING, which it needs.",
        ),
    ],
)
def test_the_limit_of_a_message_and_what_an_extension_needs(
    line: str, verdicts: list[str], words: str
) -> None:
    seen = observation(endpoint(ehlo=OFFERED + line, ehlo_tls=OFFERED + line))
    assert finding_lines(seen) == [f"{verdict} {HERE}" for verdict in verdicts]
    assert not verdicts or only(seen).message.endswith(words)


def test_a_limit_is_that_of_the_last_hello() -> None:
    small, large = OFFERED + "SIZE 1000", OFFERED + "SIZE 10240000"
    for after in (large, OFFERED + "DSN"):
        assert finding_lines(observation(endpoint(ehlo=small, ehlo_tls=after))) == []
    assert finding_lines(observation(endpoint(ehlo=large, ehlo_tls=small))) == [f"ext.size warn fail {HERE}"]


def test_utf_8_needs_eight_bits() -> None:
    seen = observation(
        endpoint(ehlo="250-mx|250-PIPELINING|250-STARTTLS|250 DSN", ehlo_tls="250-mx|250 SMTPUTF8")
    )
    assert finding_lines(seen) == [f"ext.incomplete warn fail {HERE}", f"ext.8bitmime info fail {HERE}"]


def test_the_answer_to_the_last_hello_is_the_evidence() -> None:
    seen = observation(endpoint(ehlo="250-mx|250-STARTTLS|250 8BITMIME", ehlo_tls="250 mx two"))
    assert [e.quote for e in only(seen).evidence] == ["250 mx two\r\n"]
    seen = observation(endpoint(ehlo="250-mx|250 8BITMIME"))
    quotes = {f.code: [e.quote for e in f.evidence] for f in apply_rules(seen)}
    assert quotes["smtp.ext.pipelining"] == ["250-mx\r\n250 8BITMIME\r\n"]


@pytest.mark.parametrize(
    "words", [{"ehlo": "450 later"}, {"ehlo": "502 no", "helo": "250 mx"}, {"greeting": "421 no"}]
)
def test_who_told_no_extensions_misses_none(words: dict[str, str]) -> None:
    assert not [code for code in finding_lines(observation(endpoint(**words))) if code.startswith("ext.")]


def test_deviations_are_one_remark_for_each_endpoint() -> None:
    held = session()
    assert held.greeting is not None
    assert held.ehlo is not None
    assert held.quit is not None
    odd = replace(
        held,
        greeting=replace(held.greeting, deviations=(BARE_LF,)),
        ehlo=replace(held.ehlo, deviations=(LEGAL, MIXED, BARE_LF)),
        quit=replace(held.quit, deviations=(BARE_LF, BARE_LF)),
    )
    seen = observation(endpoint(odd), endpoint(address="192.0.2.8"))
    assert finding_lines(seen) == [f"protocol.deviation info fail {HERE}"]
    assert only(seen).message == (
        "The replies have a line that ends with LF alone (RFC 5321 §2.3.8; 4 times, first in "
        '"220 mx.example.org ESMTP") and lines with different codes (RFC 5321 §4.2.1; in "250-STARTTLS").'
    )
    assert [e.entry for e in only(seen).evidence] == [held.greeting.entry, held.ehlo.entry]


def test_a_deviation_is_quoted_with_its_line() -> None:
    held = session(ehlo="250-mx|250-STARTTLS|250 AUTH=" + "X" * 80)
    assert held.ehlo is not None
    syntax = replace(BARE_LF, kind="ehlo-keyword-syntax", line=3, reference="RFC 5321 §4.1.1.1")
    newer = replace(syntax, kind="of-a-later-version", line=9)
    odd = replace(held, ehlo=replace(held.ehlo, deviations=(syntax, newer)))
    message = next(f.message for f in apply_rules(observation(endpoint(odd))) if "protocol" in f.code)
    assert message == (
        "The replies have an EHLO line without a well-formed keyword (RFC 5321 §4.1.1.1; in "
        f'"250 AUTH={"X" * 51}…") and of-a-later-version (RFC 5321 §4.1.1.1; in '
        "the same line)."
    )


def test_deviations_of_every_connection_count() -> None:
    first, second = session(relay=None, end="RCPT/timeout"), session("one-by-one")
    assert second.greeting is not None
    odd = replace(second, greeting=replace(second.greeting, deviations=(BARE_LF, MIXED)))
    seen = observation(endpoint(first, odd))
    assert [(e.session, e.entry) for e in only(seen).evidence] == [(1, 1)]


def test_what_is_legal_but_rare_is_left_to_the_transcript() -> None:
    held = session()
    assert held.ehlo is not None
    legal = replace(held, ehlo=replace(held.ehlo, deviations=(LEGAL,)))
    assert finding_lines(observation(endpoint(legal))) == []


def test_whether_it_was_tested() -> None:
    rule = RULES["smtp.extension_posture"]
    assert rule.tested(observation(endpoint(greeting="421 no")))
    assert not rule.tested(observation(endpoint(connected=False, end="connect/refused")))
    assert EHLO_TLS == PLAIN_EHLO
