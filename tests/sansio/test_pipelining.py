"""PIPELINING: which commands may follow which, and what replies to a group mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp_sansio import (
    Command,
    ConnectionClosed,
    Ehlo,
    LocalProtocolError,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Reply,
    Rset,
    StartTls,
    State,
)
from smtp_sansio._state import TABLE
from tests.sansio.notation import converse, summarize
from tests.sansio.routes import MAIL, ONE_OF_EACH, READY
from tests.sansio.strategies import steady

PLAIN = "S: 220 hi\nC: EHLO a\nS: 250-a\nS: 250 SIZE\n"


def test_a_flight_of_transactions() -> None:
    talk = converse(
        READY
        + """
        C: MAIL FROM:<>
        C: RCPT TO:<postmaster@a.example>
        C: RSET
        C: MAIL FROM:<a@b.example>
        C: RCPT TO:<postmaster@a.example>
        C: RCPT TO:<c@d.example>
        C: RSET
        C: QUIT
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S+ 550 no
        S+ 250 ok
        S: 221 bye
        """
    )
    assert summarize(talk.events[2:]) == [
        "Reply 250 MAIL",
        "Reply 250 RCPT",
        "Reply 250 RSET",
        "Reply 250 MAIL",
        "Reply 250 RCPT",
        "Reply 550 RCPT",
        "Reply 250 RSET",
        "Reply 221 QUIT",
    ]
    assert [event.deviations for event in talk.heard[2:]] == [()] * 8
    assert talk.connection.state is State.QUITTING


@pytest.mark.parametrize("conversation", [PLAIN, "S: 220 hi\nC: HELO a\nS: 250-a\nS: 250 PIPELINING\n"])
def test_no_group_without_the_offer(conversation: str) -> None:
    talk = converse(conversation + "C: MAIL FROM:<>")
    with pytest.raises(LocalProtocolError) as refused:
        talk.connection.send(Rcpt("postmaster"))
    assert refused.value.code == "pipelining.not-offered"
    assert talk.connection.outstanding == (Mail(""),)
    talk.continue_with("S: 250 ok\nC: RCPT TO:<postmaster>\nS: 250 ok")
    assert talk.connection.state is State.RCPT


def test_no_group_before_any_offer() -> None:
    talk = converse("S: 220 hi\nC: RSET")
    with pytest.raises(LocalProtocolError) as refused:
        talk.connection.send(Noop())
    assert refused.value.code == "pipelining.not-offered"


@pytest.mark.parametrize("first", ONE_OF_EACH, ids=lambda command: command.line.split()[0])
def test_only_three_commands_may_be_followed_by_another(first: Command) -> None:
    talk = converse(MAIL if isinstance(first, Rcpt) else READY)
    talk.connection.send(first)
    follower = Noop() if isinstance(first, Mail | Rcpt | Rset) else Quit()
    if isinstance(first, Mail | Rcpt | Rset):
        assert talk.connection.send(follower) == b"NOOP\r\n"
        return
    with pytest.raises(LocalProtocolError) as refused:
        talk.connection.send(follower)
    ends_the_session = isinstance(first, Quit | StartTls)  # nothing is left to say, whatever is offered
    assert refused.value.code == ("state.command" if ends_the_session else "pipelining.group")
    if not ends_the_session:
        assert str(refused.value).startswith(first.line.split()[0])
    assert talk.connection.outstanding == (first,)


def test_starttls_is_said_alone() -> None:
    talk = converse(READY + "C: RSET")
    with pytest.raises(LocalProtocolError) as refused:
        talk.connection.send(StartTls())
    assert refused.value.code == "pipelining.starttls"
    assert talk.connection.outstanding == (Rset(),)


def test_a_group_is_all_or_nothing() -> None:
    talk = converse(READY)
    with pytest.raises(LocalProtocolError) as refused:
        talk.connection.send(Mail(""), Rcpt("postmaster"), Noop(), Quit())
    assert refused.value.code == "pipelining.group"
    assert talk.connection.outstanding == ()
    with pytest.raises(LocalProtocolError):
        talk.connection.send(Rcpt("postmaster"))
    talk.continue_with("C: MAIL FROM:<>\nC: NOOP\nS: 250 ok\nS: 250 ok")
    assert summarize(talk.events[2:]) == ["Reply 250 MAIL", "Reply 250 NOOP"]


def test_a_refused_group_leaves_what_waited_before_it() -> None:
    talk = converse(READY + "C: MAIL FROM:<>")
    with pytest.raises(LocalProtocolError):
        talk.connection.send(Rcpt("postmaster"), Mail(""))
    assert talk.connection.outstanding == (Mail(""),)
    talk.continue_with("C: RCPT TO:<postmaster>\nS: 250 ok\nS: 250 ok")
    assert talk.connection.state is State.RCPT


def test_no_command_is_no_octet() -> None:
    assert converse("").connection.send() == b""


def test_a_recipient_after_a_refused_sender_moves_nothing() -> None:
    talk = converse(READY + "C: MAIL FROM:<>\nC: RCPT TO:<postmaster>\nC: RSET\nS: 550 no\nS: 503 no")
    assert talk.connection.state is State.READY
    assert talk.connection.outstanding == (Rset(),)
    assert talk.last.deviations == ()
    talk.continue_with("S: 250 ok")
    assert talk.connection.state is State.READY


def test_accepting_it_all_the_same_is_out_of_sequence_and_moves_nothing() -> None:
    talk = converse(READY + "C: MAIL FROM:<>\nC: RCPT TO:<postmaster>\nS: 550 no\nS: 250 ok")
    assert talk.connection.state is State.READY
    (deviation,) = talk.last.deviations
    assert (str(deviation.kind), deviation.line, deviation.offset, deviation.excerpt) == (
        "out-of-sequence-accept",
        1,
        0,
        b"250 ok\r\n",
    )


@pytest.mark.parametrize("code", [354, 199])
def test_an_odd_class_out_of_sequence_is_still_odd(code: int) -> None:
    talk = converse(READY + f"C: MAIL FROM:<>\nC: RCPT TO:<postmaster>\nS: 550 no\nS: {code} ok")
    assert str(talk.last.deviations[-1].kind) == "unexpected-class"


def test_what_may_be_said_follows_from_refusals_too() -> None:
    """MAIL was refused, RCPT still waits: no more recipients, but a new sender."""
    talk = converse(READY + "C: MAIL FROM:<>\nC: RCPT TO:<postmaster>\nS: 550 no")
    with pytest.raises(LocalProtocolError) as refused:
        talk.connection.send(Rcpt("postmaster"))
    assert refused.value.code == "state.command"
    talk.continue_with("C: MAIL FROM:<a@b.example>\nS: 503 no\nS: 250 ok")
    assert talk.connection.state is State.MAIL


def test_half_a_group_then_421_then_the_close() -> None:
    talk = converse(
        READY
        + """
        C: MAIL FROM:<>
        C: RCPT TO:<postmaster>
        C: RSET
        C: QUIT
        S: 250 ok
        S: 421 4.3.2 closing
        -- eof
        """
    )
    assert summarize(talk.events[2:]) == ["Reply 250 MAIL", "Reply 421 RCPT", "ConnectionClosed 2"]
    assert talk.events[-1] == ConnectionClosed((Rset(), Quit()), b"")
    assert talk.connection.state is State.CLOSED


def test_quit_may_be_said_once_after_421_in_a_group() -> None:
    talk = converse(READY + "C: MAIL FROM:<>\nC: RCPT TO:<postmaster>\nC: RSET\nS: 421 closing\n")
    assert talk.connection.state is State.REFUSED
    talk.continue_with("C: QUIT\nS: 421 closing")
    with pytest.raises(LocalProtocolError) as refused:
        talk.connection.send(Quit())
    assert refused.value.code == "state.command"
    talk.continue_with("S: 421 closing\nS: 221 bye")
    assert talk.connection.state is State.QUITTING


def test_replies_after_421_move_nothing() -> None:
    talk = converse(
        READY + "C: MAIL FROM:<>\nC: RCPT TO:<postmaster>\nC: EHLO a\nS: 421 closing\nS: 250 ok\nS: 250 a"
    )
    assert talk.connection.state is State.REFUSED
    assert [str(d.kind) for event in talk.heard[-2:] for d in event.deviations] == [
        "out-of-sequence-accept"
    ] * 2


GROUPS = st.lists(
    st.sampled_from([Mail(""), Rcpt("postmaster"), Rset(), Ehlo("a"), Noop(), Quit()]), max_size=12
)
CODES = st.lists(st.sampled_from([250, 250, 250, 250, 450, 550, 354, 421]), min_size=12, max_size=12)


@steady
@given(GROUPS, CODES, st.integers(0, 12))
def test_what_may_be_said_is_what_the_table_says_if_all_that_waits_is_accepted(
    group: list[Command], codes: list[int], answered: int
) -> None:
    """Any group, some of it answered: `send` is judged by the confirmed state and the queue alone."""
    talk = converse(READY)
    sent: list[Command] = []
    for command in group:
        try:
            talk.connection.send(command)
        except LocalProtocolError:
            continue
        sent.append(command)
    assert talk.connection.outstanding == tuple(sent)
    answered = min(answered, len(sent))
    for code in codes[:answered]:
        talk.hear(b"%d x\r\n" % code)
    heard = [event.command for event in talk.events[2:] if isinstance(event, Reply)]
    assert heard == sent[:answered]
    assert talk.connection.outstanding == tuple(sent[answered:])
    state = talk.connection.state
    for command in talk.connection.outstanding:
        state = TABLE[state].get(type(command), (state, state))[0]
    for command in (Mail(""), Rcpt("postmaster"), Rset(), Quit()):
        try:
            talk.connection.send(command)
        except LocalProtocolError as error:
            refusal = error.code
        else:
            refusal = ""
        assert (refusal == "state.command") == (type(command) not in TABLE[state])
        if not refusal:
            break
