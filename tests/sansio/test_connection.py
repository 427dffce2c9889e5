"""Sessions on a `Connection`: the order of events, and what is refused."""

import pytest

from smtp_sansio import (
    Command,
    Connection,
    ConnectionClosed,
    Ehlo,
    Greeting,
    LocalProtocolError,
    Mail,
    Need,
    Noop,
    ProtocolError,
    Quit,
    RemoteProtocolError,
    Reply,
    State,
    Unsolicited,
)
from tests.sansio.notation import converse, summarize
from tests.sansio.routes import READY


def test_a_whole_session() -> None:
    talk = converse(
        """
        S: 220 mx.example ESMTP
        C: EHLO probe.example
        S: 250-mx.example
        S: 250 SIZE 1000
        C: MAIL FROM:<>
        S: 250 2.1.0 Ok
        C: RCPT TO:<postmaster@example.com>
        S: 554 5.7.1 Relay access denied
        C: RSET
        S: 250 Ok
        C: QUIT
        S: 221 Bye
        -- eof
        """
    )
    assert summarize(talk.events) == [
        "Greeting 220",
        "Reply 250 EHLO",
        "Reply 250 MAIL",
        "Reply 554 RCPT",
        "Reply 250 RSET",
        "Reply 221 QUIT",
        "ConnectionClosed 0",
    ]
    assert [event.deviations for event in talk.heard] == [()] * 6
    assert talk.connection.state is State.CLOSED


def test_a_new_connection() -> None:
    connection = Connection()
    assert connection.state is State.GREETING
    assert connection.outstanding == ()
    assert connection.capabilities is None
    assert connection.trailing_data == b""
    assert not connection.tls_active
    assert not connection.has_unread
    assert connection.next_event() is Need.DATA


def test_events_are_returned_one_by_one() -> None:
    connection = Connection()
    connection.receive_data(b"220 hi\r\n250 late\r\n25")
    assert connection.has_unread
    assert connection.next_event() == Greeting(220, b"220 hi\r\n", ())
    assert connection.state is State.FRESH
    event = connection.next_event()
    assert isinstance(event, Unsolicited)
    assert event.raw == b"250 late\r\n"
    assert connection.next_event() is Need.DATA
    assert connection.next_event() is Need.DATA
    assert connection.has_unread


def test_nothing_is_parsed_before_it_is_asked_for() -> None:
    connection = Connection()
    connection.receive_data(b"nonsense\r\n")
    assert connection.state is State.GREETING
    with pytest.raises(RemoteProtocolError):
        connection.next_event()


@pytest.mark.parametrize("unread", [b"2", b"250 late\r\n", b"250 la", b"\r"])
def test_nothing_is_sent_while_octets_lie_unread(unread: bytes) -> None:
    connection = converse("S: 220 hi").connection
    connection.receive_data(unread)
    with pytest.raises(LocalProtocolError) as refused:
        connection.send(Noop())
    assert refused.value.code == "state.unread"
    assert connection.outstanding == ()
    assert connection.state is State.FRESH


def test_something_is_sent_again_once_they_are_read() -> None:
    talk = converse("S: 220 hi\nS: 250 la\\")
    talk.continue_with("S: te\nC: NOOP\nS: 250 ok")
    assert summarize(talk.events) == ["Greeting 220", "Unsolicited 250", "Reply 250 NOOP"]


def test_a_reply_knows_its_command() -> None:
    talk = converse("S: 220 hi\nC: EHLO a\nS: 500 what\nC: HELO a\nS: 250 a")
    first, second = talk.events[1:]
    assert isinstance(first, Reply)
    assert isinstance(second, Reply)
    assert (first.command.line, second.command.line) == ("EHLO a", "HELO a")


@pytest.mark.parametrize(
    ("conversation", "unanswered", "partial"),
    [
        ("", (), b""),
        ("S: 220 h\\", (), b"220 h"),
        ("S: 220-hi\nS: 22\\", (), b"220-hi\r\n22"),
        ("S: 220 hi\nC: NOOP", (Noop(),), b""),
        ("S: 220 hi\nC: NOOP\nS: 250-o\\", (Noop(),), b"250-o"),
        ("S: 220 hi\nC: NOOP\nS: 250 ok", (), b""),
        (READY + "C: MAIL FROM:<>\nC: QUIT\nS: 25\\", (Mail(""), Quit()), b"25"),
    ],
)
def test_the_close_says_what_is_missing(
    conversation: str, unanswered: tuple[Command, ...], partial: bytes
) -> None:
    talk = converse(conversation)
    talk.hear(b"")
    assert talk.events[-1] == ConnectionClosed(unanswered, partial)
    assert talk.connection.outstanding == ()
    assert not talk.connection.has_unread


def test_replies_before_the_close_are_returned_first() -> None:
    connection = Connection()
    connection.receive_data(b"220 hi\r\n421 bye\r\n4")
    connection.receive_data(b"")
    assert isinstance(connection.next_event(), Greeting)
    assert isinstance(connection.next_event(), Unsolicited)
    assert connection.next_event() == ConnectionClosed((), b"4")


def test_after_the_close_there_is_nothing() -> None:
    connection = converse("S: 220 hi\n-- eof").connection
    for attempt in (connection.next_event, lambda: connection.receive_data(b"x")):
        with pytest.raises(LocalProtocolError) as refused:
            attempt()
        assert refused.value.code == "state.closed"
    with pytest.raises(LocalProtocolError):
        connection.receive_data(b"")
    assert connection.state is State.CLOSED


def test_nothing_is_received_after_the_end_even_before_its_event() -> None:
    connection = Connection()
    connection.receive_data(b"")
    with pytest.raises(LocalProtocolError) as refused:
        connection.receive_data(b"220 hi\r\n")
    assert refused.value.code == "state.closed"
    assert connection.next_event() == ConnectionClosed((), b"")


def test_events_cannot_be_changed() -> None:
    event = converse("S: 220 hi").last
    for name in ("code", "raw", "deviations", "extra"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(event, name, None)
    assert hash(event) == hash(Greeting(220, b"220 hi\r\n", ()))
    assert event != Unsolicited(220, b"220 hi\r\n", ())


def test_protocol_errors() -> None:
    with pytest.raises(TypeError, match="abstract"):
        ProtocolError("state.closed", "no")
    local, remote = LocalProtocolError("state.closed", "no"), RemoteProtocolError("syntax.reply", "why", b"x")
    assert (local.code, str(local)) == ("state.closed", "no")
    assert (remote.code, str(remote), remote.excerpt) == ("syntax.reply", "why", b"x")
    assert RemoteProtocolError("limit.session", "too much").excerpt == b""
    assert isinstance(local, ProtocolError)
    assert isinstance(remote, ProtocolError)


def test_commands_refused_by_the_table_are_refused_before_anything_else() -> None:
    connection = Connection()
    connection.receive_data(b"22")
    with pytest.raises(LocalProtocolError) as refused:
        connection.send(Ehlo("a"))
    assert refused.value.code == "state.command"
