"""Peers that never stop: each meets its limit, with flat memory, and the connection stays in ERROR."""

import traceback
from collections.abc import Callable

import pytest

from smtp_sansio import LocalProtocolError, Need, Noop, Policy, RemoteProtocolError, State
from tests.sansio.notation import Talk, converse, summarize
from tests.sansio.parsing import parse_all_ways, single

SMALL = Policy(
    max_line=20, max_reply=60, max_reply_lines=4, max_session=200, max_unsolicited=2, max_excerpt=9
)


@pytest.mark.parametrize("line", [b"220 " + b"x" * 14 + b"\r\n", b"220 " + b"\xe9" * 15 + b"\n"])
def test_a_line_may_be_as_long_as_its_limit(line: bytes) -> None:
    assert len(line) == SMALL.max_line
    assert len(parse_all_ways(line, SMALL).replies) == 1


@pytest.mark.parametrize(
    "octets",
    [
        b"220 " + b"x" * 15 + b"\r\n",
        b"220 " + b"\xe9" * 16 + b"\n",
        b"220 " + b"x" * 17,
        b"220-a\r\n220 " + b"x" * 15 + b"\r\n",
        b"220-a\r\n220 " + b"x" * 17,
        b"x" * 21,
    ],
)
def test_a_longer_line_is_an_error_however_it_arrives(octets: bytes) -> None:
    parsed = parse_all_ways(octets, SMALL)
    excerpt = octets[octets.find(b"\n", 0, 10) + 1 :][:9]
    assert parsed.replies == ()
    assert parsed.error == ("limit.line", "the peer sent a line of more than 20 octets", excerpt)


def test_the_quoted_line_is_the_same_however_it_arrives() -> None:
    policy = Policy(max_line=10, max_excerpt=200)
    for tail in (b"", b"x", b"xxxx\r\n250 ok\r\n"):
        assert parse_all_ways(b"220 xxxxxxx" + tail, policy).error == (
            "limit.line",
            "the peer sent a line of more than 10 octets",
            b"220 xxxxxx",
        )


def test_a_reply_may_be_as_long_as_its_limit() -> None:
    octets = (b"220-" + b"x" * 14 + b"\r\n") * 2 + b"220 " + b"x" * 14 + b"\r\n"
    assert len(octets) == SMALL.max_reply
    assert len(parse_all_ways(octets, SMALL).replies) == 1


def test_a_longer_reply_is_an_error_that_quotes_the_line_it_was_met_in() -> None:
    octets = (b"220-" + b"x" * 14 + b"\r\n") * 2 + b"220-" + b"y" * 13 + b"\r\n220 \r\n250 next\r\n"
    assert parse_all_ways(octets, SMALL).error == (
        "limit.reply",
        "the peer sent a reply of more than 60 octets",
        b"220 \r\n",
    )


@pytest.mark.parametrize("last", [b"220 d\r\n", b"220\n"])
def test_a_reply_may_have_as_many_lines_as_its_limit(last: bytes) -> None:
    assert len(parse_all_ways(b"220-a\r\n220-b\r\n220-c\r\n" + last, SMALL).replies) == 1


@pytest.mark.parametrize("line", [b"220-a\r\n", b"220-\xe9\n", b"\r\n"])
def test_one_line_more_is_an_error(line: bytes) -> None:
    octets = b"220-a\r\n" + line * 3 + b"220 last\r\n250 next\r\n"
    assert parse_all_ways(octets, SMALL).error == (
        "limit.reply-lines",
        "the peer sent a reply of more than 4 lines",
        b"220 last\r",
    )


def test_the_usual_limits() -> None:
    assert Policy() == Policy(
        strict=False,
        max_line=8192,
        max_reply_lines=128,
        max_reply=65536,
        max_session=1048576,
        max_unsolicited=4,
        max_deviations=64,
        max_excerpt=200,
    )
    lines = b"220-x\r\n" * 127
    assert converse("").connection.next_event() is Need.DATA
    assert len(parse_all_ways(lines + b"220 x\r\n").replies) == 1
    assert (parse_all_ways(lines + b"220-x\r\n220 x\r\n").error or ("",))[0] == "limit.reply-lines"


def test_a_session_may_be_as_long_as_its_limit() -> None:
    policy = Policy(max_session=16)
    talk = converse("S: 220 hi\nS: 250 hi", policy)
    assert summarize(talk.events) == ["Greeting 220", "Unsolicited 250"]
    assert talk.error is None
    talk.hear(b"")
    assert summarize(talk.events)[2:] == ["ConnectionClosed 0"]


@pytest.mark.parametrize("octets", [b"220 hi\r\n250 hi\r\n2", b"220 hi\r\n250 hi\r\n250 more\r\n"])
@pytest.mark.parametrize("split", [single, lambda octets: [octets], lambda octets: [octets[:9], octets[9:]]])
def test_one_octet_more_is_an_error_after_the_events_within_the_limit(
    octets: bytes, split: Callable[[bytes], list[bytes]]
) -> None:
    talk = converse("", Policy(max_session=16))
    for piece in split(octets):
        talk.hear(piece)
        if talk.error:
            break
    assert summarize(talk.events) == ["Greeting 220", "Unsolicited 250"]
    assert talk.error is not None
    assert talk.error.code == "limit.session"
    assert str(talk.error) == "the peer sent more than 16 octets"


def test_what_exceeds_the_session_is_not_even_kept() -> None:
    talk = converse("S: 220 hi", Policy(max_session=16))
    talk.connection.receive_data(b"x" * 1000)
    talk.connection.receive_data(b"x" * 1000)
    assert talk.connection._parser.pending == b"x" * 8


def test_octets_count_before_and_after_tls_together() -> None:
    secured = "S: 220 hi\nC: EHLO a\nS: 250-a\nS: 250 STARTTLS\nC: STARTTLS\nS: 220\n-- tls"
    assert converse(secured + "\nC: NOOP\nS: 250 ok", Policy(max_session=42)).error is None
    talk = converse(secured + "\nC: NOOP\nS: 250 ok", Policy(max_session=41))
    assert talk.error is not None
    assert talk.error.code == "limit.session"


def test_octets_before_a_handshake_count_too() -> None:
    talk = converse(
        "S: 220 hi\nC: EHLO a\nS: 250-a\nS: 250 STARTTLS\nC: STARTTLS\nS: 220", Policy(max_session=40)
    )
    talk.hear(b"x" * 100)
    assert talk.error is not None
    assert talk.error.code == "limit.session"
    assert talk.connection.trailing_data == b"x" * 6


def test_replies_to_nothing_are_counted() -> None:
    talk = converse("S: 220 hi\nS: 250 a\nS: 250 b\nC: NOOP\nS: 250 asked\nS: 250 c\nS: 250 d")
    assert talk.error is None
    assert summarize(talk.events).count("Unsolicited 250") == 4
    talk.continue_with("S: 250 one too many")
    assert talk.error is not None
    assert talk.error.code == "limit.unsolicited"
    assert str(talk.error) == "the peer sent more than 4 replies to nothing"
    assert talk.error.excerpt == b"250 one too many\r\n"


def test_the_reply_too_many_is_quoted_up_to_the_policys_length() -> None:
    talk = converse("S: 220 hi\nS: 250 one too many", Policy(max_unsolicited=0, max_excerpt=5))
    assert talk.error is not None
    assert talk.error.excerpt == b"250 o"


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 14])
@pytest.mark.parametrize(
    ("endless", "code", "most"),
    [
        (b"x", "limit.line", 8192),
        (b"220-x\r\n", "limit.reply-lines", 128 * 7 + 8),
        (b"220-" + b"x" * 1000 + b"\r\n", "limit.reply", 65536 + 8192),
        (b"220-\xe9\n", "limit.reply-lines", 128 * 6 + 6),
        (b"220 x\r\n", "limit.unsolicited", 7 * 6),
    ],
)
def test_endless_peers(endless: bytes, code: str, most: int, size: int) -> None:
    """Fed without end: the error comes at the limit, and until then no more than it is ever kept."""
    talk = converse("")
    stream = endless * (size // len(endless) + 2)
    fed = 0
    while talk.error is None:
        assert fed <= most
        at = fed % len(endless)
        talk.hear(stream[at : at + size])
        fed += size
        assert len(talk.connection._parser.pending) <= most
        assert len(talk.connection._parser._buffer) <= most + size
    assert talk.error is not None
    assert talk.error.code == code
    assert not talk.connection.has_unread
    assert len(talk.connection._parser._buffer) == 0


def test_an_endless_session() -> None:
    """A peer that answers each command, for ever, and says no more than a reply at a time."""
    talk = converse("S: 220 hi", Policy(max_session=10_000))
    batches = 0
    while talk.error is None:
        talk.connection.send(Noop())
        talk.hear(b"250 " + b"x" * 94 + b"\r\n")
        batches += 1
        assert not talk.connection.has_unread
        assert len(talk.connection._parser._buffer) <= 100
    assert (batches, talk.error.code) == (100, "limit.session")


def test_after_an_error_every_call_raises_it_again() -> None:
    talk = converse("S: 220 hi\nC: NOOP\nS: nonsense")
    connection = talk.connection
    assert talk.error is not None
    assert connection.state is State.ERROR
    assert not connection.has_unread
    for _ in range(2):
        with pytest.raises(RemoteProtocolError) as again:
            connection.next_event()
        assert again.value is talk.error
    for attempt in (lambda: connection.receive_data(b"250 ok\r\n"), lambda: connection.receive_data(b"")):
        with pytest.raises(LocalProtocolError) as refused:
            attempt()
        assert refused.value.code == "state.closed"
    with pytest.raises(LocalProtocolError) as refused:
        connection.send(Noop())
    assert refused.value.code == "state.command"
    for handshake in (connection.tls_established, connection.tls_failed):
        with pytest.raises(LocalProtocolError):
            handshake()
    assert connection.outstanding == (Noop(),)


def test_raising_it_again_costs_no_memory() -> None:
    """An exception raised again and again would collect a traceback entry each time."""
    talk: Talk = converse("S: nonsense")
    depths = []
    for _ in range(3):
        with pytest.raises(RemoteProtocolError) as again:
            talk.connection.next_event()
        depths.append(len(traceback.extract_tb(again.value.__traceback__)))
    assert len(set(depths)) == 1
