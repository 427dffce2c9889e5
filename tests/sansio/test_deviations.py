"""Replies that are irregular but can be paired: each is an event that says what was odd, and where."""

import pytest

from smtp_sansio import DeviationKind, Policy
from tests.sansio.notation import converse
from tests.sansio.parsing import one_reply, parse

IRREGULAR = [
    # terminators
    (b"220 hi\n", 220, [("bare-lf", 1, 6)]),
    (b"220-a\n220 b\r\n", 220, [("bare-lf", 1, 5)]),
    (b"220-a\r\n220 b\n", 220, [("bare-lf", 2, 12)]),
    (b"220 a\rb\r\n", 220, [("bare-cr", 1, 5)]),
    (b"220 a\r\r\n", 220, [("bare-cr", 1, 5)]),
    (b"220-a\r\n220 b\rc\rd\r\n", 220, [("bare-cr", 2, 12)]),
    # separators
    (b"250\r\n", 250, [("no-separator", 1, 3)]),
    (b"250-a\r\n250\r\n", 250, [("no-separator", 2, 10)]),
    (b"250ok\r\n", 250, [("bad-separator", 1, 3)]),
    (b"250\tok\r\n", 250, [("bad-separator", 1, 3)]),
    (b"250+ok\r\n", 250, [("bad-separator", 1, 3)]),
    (b"250\r\r\n", 250, [("bare-cr", 1, 3), ("bad-separator", 1, 3)]),
    # codes
    (b"250-a\r\n550 b\r\n", 550, [("mixed-codes", 2, 7)]),
    (b"550-a\r\n250 b\r\n", 550, [("mixed-codes", 2, 7)]),
    (b"250-a\r\n550-b\r\n250 c\r\n", 550, [("mixed-codes", 2, 7), ("mixed-codes", 3, 14)]),
    (b"250-a\r\n250-b\r\n451 c\r\n", 451, [("mixed-codes", 3, 14)]),
    (b"000-a\r\n250 b\r\n", 250, [("code-out-of-range", 1, 0), ("mixed-codes", 2, 7)]),
    (b"250-a\r\n000 b\r\n", 250, [("code-out-of-range", 2, 7), ("mixed-codes", 2, 7)]),
    (b"000 zero\r\n", 0, [("code-out-of-range", 1, 0)]),
    (b"199 low\r\n", 199, [("code-out-of-range", 1, 0)]),
    (b"260 second digit\r\n", 260, [("code-out-of-range", 1, 0)]),
    (b"560 high\r\n", 560, [("code-out-of-range", 1, 0)]),
    (b"600 high\r\n", 600, [("code-out-of-range", 1, 0)]),
    (b"999 high\r\n", 999, [("code-out-of-range", 1, 0)]),
    (b"150-a\r\n150 b\r\n", 150, [("code-out-of-range", 1, 0), ("code-out-of-range", 2, 7)]),
    # lines that lost their prefix
    (b"250-a\r\nlost\r\n250 b\r\n", 250, [("missing-code", 2, 7)]),
    (b"250-a\r\n\r\n250 b\r\n", 250, [("missing-code", 2, 7)]),
    (b"250-a\r\n1234\r\n250 b\r\n", 250, [("missing-code", 2, 7)]),
    (b"250-a\r\n\n\n250 b\r\n", 250, [(k, n, n + 5) for n in (2, 3) for k in ("bare-lf", "missing-code")]),
    # octets
    (b"220 caf\xe9\r\n", 220, [("non-ascii", 1, 7)]),
    (b"220 caf\xc3\xa9\xc3\xa9\r\n", 220, [("non-ascii", 1, 7)]),
    (b"220 a\0b\r\n", 220, [("control-character", 1, 5)]),
    (b"220 a\x7f\r\n", 220, [("control-character", 1, 5)]),
    (b"220-a\r\n220 \x1b[0m\x1b\r\n", 220, [("control-character", 2, 11)]),
    (b"220 \x08\x0b\x0c\x0e\r\n", 220, [("control-character", 1, 4)]),
    (b"220 a\tb\r\n", 220, []),
    # length, terminator included
    (b"220 " + b"x" * 506 + b"\r\n", 220, []),
    (b"220 " + b"x" * 507 + b"\r\n", 220, [("line-over-512", 1, 512)]),
    (b"220 " + b"x" * 507 + b"\n", 220, [("bare-lf", 1, 511)]),
    (b"220-a\r\n220 " + b"x" * 600 + b"\r\n", 220, [("line-over-512", 2, 519)]),
    # everything at once, in a fixed order
    (
        b"999\xe9\x00\r" + b"x" * 507 + b"\n",
        999,
        [
            ("bare-lf", 1, 513),
            ("bare-cr", 1, 5),
            ("control-character", 1, 4),
            ("non-ascii", 1, 3),
            ("line-over-512", 1, 512),
            ("code-out-of-range", 1, 0),
            ("bad-separator", 1, 3),
        ],
    ),
]


@pytest.mark.parametrize(("octets", "code", "deviations"), IRREGULAR)
def test_irregular_replies(octets: bytes, code: int, deviations: list[tuple[str, int, int]]) -> None:
    assert one_reply(octets) == (code, deviations)


@pytest.mark.parametrize(("octets", "code", "deviations"), IRREGULAR)
def test_no_irregular_greeting_raises(
    octets: bytes, code: int, deviations: list[tuple[str, int, int]]
) -> None:
    talk = converse("")
    talk.hear(octets)
    assert talk.error is None
    assert (talk.last.code, talk.last.raw) == (code, octets)
    seen = talk.odd
    assert seen[: len(deviations)] == deviations


@pytest.mark.parametrize(
    ("octets", "excerpts"),
    [
        (b"220 hi\n", [b"220 hi\n"]),
        (b"220 a long greeting that ends wrongly\n", [b"g that ends wrongly\n"]),
        (b"220 a\rb\r\n", [b"220 a\rb"]),
        (b"220 \xe9\r\n", [b"220 \xe9"]),
        (b"220 \x01\r\n", [b"220 \x01"]),
        (b"250\r\n", [b"250"]),
        (b"199 x\r\n", [b"199"]),
        (b"250-a\r\n550 b\r\n", [b"550 b\r\n"]),
        (b"250-a\r\nlost\r\n250 b\r\n", [b"lost"]),
        (b"220 " + b"x" * 600 + b"\r\n", [b"220 " + b"x" * 196]),
    ],
)
def test_excerpts_quote_the_octets(octets: bytes, excerpts: list[bytes]) -> None:
    ((_, _, deviations),) = parse([octets]).replies
    assert [d.excerpt for d in deviations] == excerpts


@pytest.mark.parametrize(
    ("conversation", "deviations"),
    [
        ("S: 221 hi", [("unexpected-code", 1, 0)]),
        ("S: 554 no", []),
        ("S: 354 what", [("unexpected-class", 1, 0)]),
        ("S: 150 what", [("code-out-of-range", 1, 0), ("unexpected-class", 1, 0)]),
        ("S: 999 what", [("code-out-of-range", 1, 0), ("unexpected-class", 1, 0)]),
        ("S: 220 hi\nS: 250 late", [("unsolicited-reply", 1, 0)]),
        ("S: 220 hi\nC: EHLO a\nS: 220 what", [("unexpected-code", 1, 0)]),
        ("S: 220 hi\nC: HELO a\nS: 251 what", [("unexpected-code", 1, 0)]),
        ("S: 220 hi\nC: RSET\nS: 220 what", [("unexpected-code", 1, 0)]),
        ("S: 220 hi\nC: NOOP\nS: 252 what", [("unexpected-code", 1, 0)]),
        ("S: 220 hi\nC: NOOP\nS: 250 ok", []),
        ("S: 220 hi\nC: HELO a\nS: 250 a", []),
        ("S: 220 hi\nC: NOOP\nS: 500 what", []),
        ("S: 220 hi\nC: NOOP\nS: 400 what", []),
        ("S: 220 hi\nC: QUIT\nS: 250 what", [("unexpected-code", 1, 0)]),
        ("S: 220 hi\nC: QUIT\nS: 221 bye", []),
        ("S: 220 hi\nC: HELO a\nS: 250 a\nC: MAIL FROM:<>\nS: 251 what", [("unexpected-code", 1, 0)]),
        ("S: 220 hi\nC: HELO a\nS: 250 a\nC: MAIL FROM:<>\nS: 354 what", [("unexpected-class", 1, 0)]),
    ],
)
def test_odd_codes(conversation: str, deviations: list[tuple[str, int, int]]) -> None:
    talk = converse(conversation)
    assert talk.odd == deviations


@pytest.mark.parametrize("code", [250, 251, 252])
def test_a_recipient_is_accepted_by_three_codes(code: int) -> None:
    talk = converse(
        f"""
        S: 220 hi
        C: HELO a
        S: 250 a
        C: MAIL FROM:<>
        S: 250 ok
        C: RCPT TO:<postmaster>
        S: {code} ok
        """
    )
    assert talk.last.deviations == ()


def test_a_starttls_reply_other_than_220_is_noted() -> None:
    talk = converse("S: 220 hi\nC: EHLO a\nS: 250-a\nS: 250 STARTTLS\nC: STARTTLS\nS: 250 go")
    assert talk.kinds == ["unexpected-code"]


def test_deviations_are_kept_up_to_the_limit_for_the_whole_reply() -> None:
    talk = converse(
        r"""
        S: 220 hi
        C: EHLO a
        S: 220-a
        S: 220-b
        S: 220-b
        S: 220 c\n\
        """,
        Policy(max_deviations=3),
    )
    assert talk.kinds == ["bare-lf", "unexpected-code", "ehlo-keyword-case"]
    talk.continue_with(r"S: 250 \xe9\0\n" + "\\")
    assert talk.kinds == ["bare-lf", "control-character", "non-ascii"]


def test_a_kind_is_its_slug_and_knows_the_section_it_breaks() -> None:
    assert DeviationKind("bare-lf") is DeviationKind.BARE_LF
    assert f"{DeviationKind.BARE_LF}" == "bare-lf"
    assert DeviationKind.BARE_LF.reference == "RFC 5321 §2.3.8"
    assert DeviationKind.BARE_LF.words == "a line that ends with LF alone"
    assert len({kind.words for kind in DeviationKind}) == len(DeviationKind)
    assert {kind for kind in DeviationKind if not kind.reference} == {
        DeviationKind.KEYWORD_CASE,
        DeviationKind.KEYWORD_REPEATED,
        DeviationKind.SIZE_UNSPECIFIED,
    }
