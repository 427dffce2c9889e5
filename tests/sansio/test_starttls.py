"""STARTTLS: the 220 is the last thing said in the clear, and nothing said before TLS counts after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp_sansio import (
    ConnectionClosed,
    Ehlo,
    LocalProtocolError,
    Mail,
    Need,
    Policy,
    RemoteProtocolError,
    StartTls,
    State,
)
from tests.sansio.notation import Talk, converse, summarize
from tests.sansio.routes import ONE_OF_EACH, READY
from tests.sansio.strategies import splits, steady

ASKED = READY + "C: STARTTLS\n"
ACCEPTED = ASKED + "S: 220 go\n"
SECURED = ACCEPTED + "-- tls\n"


def injected(talk: Talk) -> RemoteProtocolError:
    """The error `tls_established` has to raise, and to leave behind."""
    with pytest.raises(RemoteProtocolError) as caught:
        talk.connection.tls_established()
    assert caught.value.code == "starttls.plaintext"
    assert talk.connection.state is State.ERROR
    assert not talk.connection.tls_active
    with pytest.raises(RemoteProtocolError) as again:
        talk.connection.next_event()
    assert again.value is caught.value
    return caught.value


def test_success_starts_the_session_afresh() -> None:
    talk = converse(ACCEPTED)
    connection = talk.connection
    assert connection.next_event() is Need.TLS
    assert not connection.tls_active
    assert "STARTTLS" in (connection.capabilities or ())
    connection.tls_established()
    assert connection.state is State.FRESH
    assert connection.tls_active
    assert connection.capabilities is None
    assert connection.trailing_data == b""
    assert connection.next_event() is Need.DATA
    with pytest.raises(LocalProtocolError):
        connection.send(Mail(""))
    talk.continue_with("C: EHLO a\nS: 250-mx.example\nS: 250 SIZE\nC: MAIL FROM:<>\nS: 250 ok")
    assert list(connection.capabilities or ()) == ["SIZE"]
    assert connection.state is State.MAIL


def test_nothing_is_sent_while_a_handshake_is_due() -> None:
    connection = converse(ACCEPTED).connection
    for command in ONE_OF_EACH:
        with pytest.raises(LocalProtocolError) as refused:
            connection.send(command)
        assert refused.value.code == "state.command"
    assert connection.state is State.TLS


@pytest.mark.parametrize(
    "conversation",
    ["S: 220 hi\nC: EHLO a\nS: 250-a\nS: 250 SIZE\n", "S: 220 hi\nC: HELO a\nS: 250-a\nS: 250 STARTTLS\n"],
)
def test_it_has_to_be_offered(conversation: str) -> None:
    connection = converse(conversation).connection
    with pytest.raises(LocalProtocolError) as refused:
        connection.send(StartTls())
    assert refused.value.code == "state.starttls-not-offered"
    assert connection.outstanding == ()


def test_it_is_allowed_once_even_where_it_is_offered_again() -> None:
    talk = converse(SECURED + "C: EHLO a\nS: 250-a\nS: 250 STARTTLS\n")
    with pytest.raises(LocalProtocolError) as refused:
        talk.connection.send(StartTls())
    assert refused.value.code == "state.tls-active"


@pytest.mark.parametrize("code", [454, 450, 501, 554, 354])
def test_a_refusal_leaves_the_session_as_it_is(code: int) -> None:
    talk = converse(ASKED + f"S: {code} no")
    assert talk.connection.state is State.READY
    assert talk.connection.next_event() is Need.DATA
    assert "STARTTLS" in (talk.connection.capabilities or ())
    talk.continue_with("C: STARTTLS\nS: 220 go")
    assert talk.connection.state is State.TLS


def test_octets_after_a_refusal_are_no_injection() -> None:
    talk = converse(ASKED + "S: 454 no\nS+ 250 late")
    assert summarize(talk.events[2:]) == ["Reply 454 STARTTLS", "Unsolicited 250"]
    assert talk.connection.trailing_data == b""


@pytest.mark.parametrize(
    "late", [b"250 injected\r\n", b"2", b"\0", b"nonsense\r\n", b"250-a\r\n250 STARTTLS\r\n"]
)
def test_injection_in_the_same_segment(late: bytes) -> None:
    talk = converse(ASKED)
    talk.hear(b"220 go\r\n" + late)
    assert summarize(talk.events[2:]) == ["Reply 220 STARTTLS"]
    assert talk.connection.trailing_data == late
    assert talk.connection.next_event() is Need.TLS
    assert not talk.connection.has_unread
    assert injected(talk).excerpt == late
    assert talk.connection.trailing_data == late


def test_injection_in_the_next_segment() -> None:
    talk = converse(ACCEPTED)
    assert talk.connection.next_event() is Need.TLS
    talk.hear(b"250-injected\r\n")
    talk.hear(b"nonsense\r\n")
    assert summarize(talk.events[2:]) == ["Reply 220 STARTTLS"]
    assert injected(talk).excerpt == b"250-injected\r\nnonsense\r\n"


def test_injection_of_half_a_line_and_the_rest_of_it() -> None:
    talk = converse(ASKED)
    talk.hear(b"220 go\r\n250 in")
    talk.hear(b"jected\r\n")
    assert talk.connection.trailing_data == b"250 injected\r\n"
    injected(talk)


@steady
@given(st.data(), st.binary(min_size=1, max_size=60))
def test_injection_is_kept_whatever_it_is_and_however_it_comes(data: st.DataObject, late: bytes) -> None:
    talk = converse(ASKED)
    for piece in data.draw(splits(b"220 go\r\n" + late)):
        talk.hear(piece)
    assert talk.connection.trailing_data == late
    assert summarize(talk.events[2:]) == ["Reply 220 STARTTLS"]
    injected(talk)


def test_the_injection_is_quoted_up_to_the_policys_length() -> None:
    talk = converse(ACCEPTED, Policy(max_excerpt=4))
    talk.hear(b"250 injected\r\n")
    assert injected(talk).excerpt == b"250 "
    assert talk.connection.trailing_data == b"250 injected\r\n"


def test_octets_before_starttls_was_said_stop_it() -> None:
    connection = converse(READY).connection
    connection.receive_data(b"220 go ahead\r\n")
    with pytest.raises(LocalProtocolError) as refused:
        connection.send(StartTls())
    assert refused.value.code == "state.unread"


def test_a_handshake_that_fails_ends_the_session() -> None:
    connection = converse(ACCEPTED).connection
    connection.tls_failed()
    assert connection.state is State.CLOSED
    assert not connection.tls_active
    for attempt in (
        connection.next_event,
        lambda: connection.receive_data(b"x"),
        lambda: connection.send(Ehlo("a")),
    ):
        with pytest.raises(LocalProtocolError):
            attempt()


def test_a_handshake_may_fail_after_an_injection_too() -> None:
    connection = converse(ACCEPTED + "S: 250 injected").connection
    connection.tls_failed()
    assert connection.state is State.CLOSED
    assert connection.trailing_data == b"250 injected\r\n"


def test_the_end_of_the_stream_instead_of_a_handshake() -> None:
    talk = converse(ACCEPTED + "-- eof")
    assert talk.events[-1] == ConnectionClosed((), b"")
    assert talk.connection.state is State.CLOSED


def test_the_end_of_the_stream_after_an_injection_reports_it() -> None:
    talk = converse(ACCEPTED + "S: 250 inj\\\n-- eof")
    assert talk.events[-1] == ConnectionClosed((), b"250 inj")


def test_the_end_of_the_stream_instead_of_an_answer() -> None:
    assert converse(ASKED + "-- eof").events[-1] == ConnectionClosed((StartTls(),), b"")


def test_what_was_said_in_the_clear_is_no_deviation_after_tls() -> None:
    talk = converse(SECURED + "C: EHLO a\nS: 250-a\nS: 250 SIZE 1\n")
    assert talk.last.deviations == ()
