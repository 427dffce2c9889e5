"""Replies as they should be: whole, byte by byte, in two reads and with a tail."""

import pytest

from smtp_sansio import Greeting, Noop, Policy, Reply, Unsolicited
from smtp_sansio._deviations import DeviationLog
from smtp_sansio._reply import ReplyParser
from tests.sansio.parsing import one_reply, parse, parse_all_ways


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"220 mx.example ESMTP\r\n", 220),
        (b"250 \r\n", 250),
        (b"250-\r\n250 \r\n", 250),
        (b"250-mx.example\r\n250-SIZE 1000\r\n250 HELP\r\n", 250),
        (b"550-5.7.1 no\r\n550-5.7.1 \tand no\r\n550 5.7.1 again ~\r\n", 550),
        (b"200 lowest\r\n", 200),
        (b"559 highest\r\n", 559),
        (b"354 go on\r\n", 354),
        (b"250 250-not a code\r\n", 250),
        (b"250 " + b"x" * 506 + b"\r\n", 250),
        (b"250-" + b"x" * 506 + b"\r\n250 " + b"y" * 506 + b"\r\n", 250),
    ],
)
def test_regular(octets: bytes, code: int) -> None:
    assert one_reply(octets) == (code, [])


def test_many_replies_in_one_read() -> None:
    replies = [b"250-a\r\n250 b\r\n", b"550 no\r\n", b"250-c\r\n250-d\r\n250 e\r\n", b"221 bye\r\n"]
    parsed = parse_all_ways(b"".join(replies))
    assert [(code, raw) for code, raw, _ in parsed.replies] == list(
        zip((250, 550, 250, 221), replies, strict=True)
    )


@pytest.mark.parametrize("octets", [b"2", b"250", b"250 ok", b"250 ok\r", b"250-a\r\n", b"250-a\r\n250 b\r"])
def test_unfinished_replies_wait(octets: bytes) -> None:
    parsed = parse_all_ways(octets)
    assert (parsed.replies, parsed.error, parsed.pending) == ((), None, octets)


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n",
        b"\n",
        b"hello\r\n",
        b" 250 ok\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"25a ok\r\n",
        b"-250 ok\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a",
        b"\xb2\xb3\xb9 no digits\r\n",
    ],
)
def test_what_begins_no_reply_cannot_be_paired(octets: bytes) -> None:
    parsed = parse_all_ways(octets)
    assert parsed.replies == ()
    assert parsed.error == ("syntax.reply", "the peer sent a line that begins no SMTP reply", octets)


def test_replies_before_the_unpairable_line_are_returned() -> None:
    parsed = parse_all_ways(b"250 ok\r\nnonsense\r\n250 ok\r\n")
    assert [code for code, _, _ in parsed.replies] == [250]
    assert parsed.error == ("syntax.reply", "the peer sent a line that begins no SMTP reply", b"nonsense\r\n")


def test_the_unpairable_line_is_quoted_up_to_the_policys_length() -> None:
    parsed = parse_all_ways(b"nonsense\r\n", Policy(max_excerpt=3))
    assert parsed.error is not None
    assert parsed.error[2] == b"non"


def test_a_reply_that_passes_the_quick_way_and_one_that_does_not_are_read_alike() -> None:
    """A long but regular reply takes the way line by line; nothing may distinguish the two."""
    lines = [b"250-%d\r\n" % number for number in range(127)]
    octets = b"".join([*lines, b"250 end\r\n"])
    assert len(octets) > 768
    assert one_reply(octets) == (250, [])
    assert one_reply(octets, Policy(max_reply_lines=1000)) == (250, [])


def test_a_quick_reply_after_an_irregular_one() -> None:
    parsed = parse([b"250 a\n250 b\r\n250 c\n"])
    assert [len(deviations) for _, _, deviations in parsed.replies] == [1, 0, 1]
    assert [d.offset for _, _, deviations in parsed.replies for d in deviations] == [5, 5]


def test_lines_and_text_are_read_off_the_octets() -> None:
    reply = Reply(250, b"250-first\r\n250 \r\n250\r\n250foo\r\nbare\r\n1234 x\r\n250 -y\n", (), Noop())
    assert reply.lines == (b"first", b"", b"", b"foo", b"bare", b"1234 x", b"-y")
    assert reply.text == "first\n\n\nfoo\nbare\n1234 x\n-y"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"220 gr\xc3\xbc\xc3\x9f dich\r\n", "grüß dich"),
        (b"220 caf\xe9\r\n", "caf\\xe9"),
        (b"220 \xff\x00\r\n", "\\xff\0"),
        (b"220 a\rb\r\n", "a\rb"),
    ],
)
def test_text_never_raises(octets: bytes, text: str) -> None:
    assert Greeting(220, octets, ()).text == text


@pytest.mark.parametrize(
    ("octets", "enhanced"),
    [
        (b"550 5.7.1 no\r\n", "5.7.1"),
        (b"250 2.1.0\r\n", "2.1.0"),
        (b"450 4.123.456 wait\r\n", "4.123.456"),
        (b"550-5.1.1 no\r\n550 5.1.2 no\r\n", "5.1.1"),
        (b"550 3.7.1 no\r\n", None),
        (b"550 5.7.1.2 an address\r\n", None),
        (b"550 5.7.1234 no\r\n", None),
        (b"550 5.7 no\r\n", None),
        (b"550 see 5.7.1\r\n", None),
        (b"550\r\n", None),
    ],
)
def test_enhanced_code(octets: bytes, enhanced: str | None) -> None:
    assert Unsolicited(550, octets, ()).enhanced_code == enhanced


@pytest.mark.parametrize(("code", "reply_class"), [(220, 2), (354, 3), (421, 4), (559, 5), (99, 0), (999, 9)])
def test_reply_class(code: int, reply_class: int) -> None:
    assert Greeting(code, b"%03d x\r\n" % code, ()).reply_class == reply_class


def test_a_parser_that_was_cleared_remembers_nothing() -> None:
    policy = Policy(max_reply_lines=2)
    irregular = DeviationLog(policy)
    parser = ReplyParser(policy, irregular)
    parser.feed(b"550-half\r\n250")
    assert parser.next_reply() is None
    parser.clear()
    assert (parser.is_empty, parser.pending) == (True, b"")
    parser.feed(b"250-a\n250 b\n")
    assert parser.next_reply() == (250, b"250-a\n250 b\n")
    assert [(str(d.kind), d.line, d.offset) for d in irregular.take()] == [
        ("bare-lf", 1, 5),
        ("bare-lf", 2, 11),
    ]


def test_an_event_built_by_hand_without_a_line_has_no_enhanced_code() -> None:
    assert Greeting(220, b"220", ()).enhanced_code is None
