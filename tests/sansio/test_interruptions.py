"""Sessions that cannot go on: every cause at every step, what was heard until then, and the budget."""

import pytest

from smtp_sansio import (
    Command,
    ConnectionClosed,
    Dialogue,
    Done,
    Ehlo,
    Failed,
    FailureKind,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Received,
    RemoteProtocolError,
    Rset,
    Script,
    SessionAborted,
    StartTls,
    State,
    Transcript,
    Upgrade,
)
from tests.sansio.notation import ADDRESS, PORT, SERVER_NAME, Played, play, summarize

FULL = """
-- connected
S: 220 mx.example
C: EHLO a
S: 250-mx.example
S+ 250-PIPELINING
S+ 250 STARTTLS
C: STARTTLS
S: 220 go
-- tls TLSv1.3 X
C: EHLO a
S: 250-mx.example
S+ 250 PIPELINING
C: MAIL FROM:<>
C: RCPT TO:<postmaster>
C: RSET
S: 250 ok
S: 250 ok
S: 250 ok
C: QUIT
S: 221 bye
"""


def everything(dialogue: Dialogue) -> Script[str]:
    """Each of the moves once, as long as the one before allows it."""
    yield from dialogue.connect(ADDRESS, PORT)
    yield from dialogue.greet()
    yield from dialogue.hello("a")
    _, outcome = yield from dialogue.starttls(SERVER_NAME)
    if isinstance(outcome, Failed):
        return f"no TLS: {outcome.kind}"
    yield from dialogue.hello("a")
    yield from dialogue.group(Mail(""), Rcpt("postmaster"), Rset())
    yield from dialogue.quit()
    return "done"


def act(text: str, *, timeout: float = 12, budget: float = float("inf")) -> tuple[Dialogue, Played[str]]:
    dialogue = Dialogue(timeout=timeout, budget=budget)
    return dialogue, play(everything(dialogue), text)


def until(count: int) -> str:
    """The first `count` lines of the session that goes well."""
    return "\n".join(FULL.strip().splitlines()[:count]) + "\n"


# How many lines go well, what is waited for then, what is outstanding, and what was heard.
WAITING = [
    (1, (), []),
    (3, (Ehlo("a"),), ["Greeting 220"]),
    (7, (StartTls(),), ["Greeting 220", "Reply 250 EHLO"]),
    (10, (Ehlo("a"),), ["Greeting 220", "Reply 250 EHLO", "Reply 220 STARTTLS"]),
    (15, (Mail(""), Rcpt("postmaster"), Rset()), ["Reply 220 STARTTLS", "Reply 250 EHLO"]),
    (16, (Rcpt("postmaster"), Rset()), ["Reply 250 EHLO", "Reply 250 MAIL"]),
    (17, (Rset(),), ["Reply 250 MAIL", "Reply 250 RCPT"]),
    (19, (Quit(),), ["Reply 250 RCPT", "Reply 250 RSET"]),
]


def test_the_session_that_goes_well() -> None:
    dialogue, played = act(FULL)
    assert (played.value, played.cause) == ("done", None)
    assert dialogue.connection.outstanding == ()


@pytest.mark.parametrize(("count", "outstanding", "heard"), WAITING)
def test_the_end_of_the_stream_while_waiting(
    count: int, outstanding: tuple[Command, ...], heard: list[str]
) -> None:
    dialogue, played = act(until(count) + "@ 2.5\n-- eof")
    assert played.cause == ConnectionClosed(outstanding, b"")
    assert summarize(logged.event for logged in dialogue.log)[-1 - len(heard) : -1] == heard
    assert dialogue.log[-1].event == played.cause
    assert (dialogue.log[-1].at, dialogue.log[-1].entry) == (2.5, len(played.transcript) - 1)
    assert dialogue.connection.state is State.CLOSED


@pytest.mark.parametrize(("count", "outstanding", "heard"), WAITING)
def test_the_end_of_the_stream_in_the_middle_of_a_reply(
    count: int, outstanding: tuple[Command, ...], heard: list[str]
) -> None:
    dialogue, played = act(until(count) + "S: 250-half\\\n-- eof")
    assert played.cause == ConnectionClosed(outstanding, b"250-half")
    assert len(dialogue.log) > len(heard)


@pytest.mark.parametrize(("count", "outstanding", "heard"), WAITING)
@pytest.mark.parametrize("failure", ["timeout", "reset ECONNRESET", "other"])
def test_failures_while_waiting(
    count: int, outstanding: tuple[Command, ...], heard: list[str], failure: str
) -> None:
    dialogue, played = act(until(count) + f"@ 12.0\n-- {failure}")
    kind, _, detail = failure.partition(" ")
    assert played.cause == Failed(12.0, FailureKind(kind), detail)
    assert dialogue.connection.outstanding == outstanding
    assert summarize(logged.event for logged in dialogue.log)[len(dialogue.log) - len(heard) :] == heard
    assert dialogue.entry_count == len(played.transcript)
    assert dialogue.at == 12.0


@pytest.mark.parametrize(("count", "outstanding", "heard"), WAITING)
def test_nonsense_while_waiting(count: int, outstanding: tuple[Command, ...], heard: list[str]) -> None:
    dialogue, played = act(until(count) + "S: nonsense")
    assert isinstance(played.cause, RemoteProtocolError)
    assert (played.cause.code, played.cause.excerpt) == ("syntax.reply", b"nonsense\r\n")
    assert dialogue.connection.outstanding == outstanding
    assert summarize(logged.event for logged in dialogue.log)[len(dialogue.log) - len(heard) :] == heard


@pytest.mark.parametrize(
    "failure",
    ["refused", "timeout", "host-unreachable", "network-unreachable", "not-permitted", "other No route"],
)
def test_no_connection(failure: str) -> None:
    dialogue, played = act(f"@ 1.25\n-- {failure}")
    kind, _, detail = failure.partition(" ")
    assert played.cause == Failed(1.25, FailureKind(kind), detail)
    assert (dialogue.log, dialogue.entry_count, dialogue.at) == ([], 1, 1.25)


@pytest.mark.parametrize("count", [2, 6, 9, 12, 18])
def test_writing_may_fail(count: int) -> None:
    dialogue, played = act(until(count) + "-- reset")
    assert played.cause == Failed(0.0, FailureKind.RESET)
    assert len(dialogue.connection.outstanding) > 0


def test_a_handshake_that_fails_is_reported_and_then_nothing_more_can_be_said() -> None:
    dialogue, played = act(until(8) + "-- tls alert 40")
    assert played.value == "no TLS: tls"
    assert play(dialogue.quit(), "").cause == Failed(0.0, FailureKind.TLS, "alert 40")


def test_octets_that_the_driver_holds_at_the_handshake_are_an_injection() -> None:
    dialogue, played = act(until(8) + "S: 250 injected\n")
    assert isinstance(played.cause, RemoteProtocolError)
    assert (played.cause.code, played.cause.excerpt) == ("starttls.plaintext", b"250 injected\r\n")
    assert isinstance(played.effects[-1], Upgrade)
    assert not dialogue.connection.tls_active
    assert Transcript.loads(played.transcript.dumps()).dumps() == played.transcript.dumps()


def test_the_end_of_the_stream_at_the_handshake_is_a_close() -> None:
    _, played = act(until(8) + "S: \\\n")
    assert played.cause == ConnectionClosed((), b"")


def test_421_that_nobody_asked_for_ends_the_session() -> None:
    """The server is closing: nothing can be asked any more, and that is no mistake of the caller."""
    dialogue, played = act(until(6) + "S+ 421-4.3.2 shutting\nS+ 421 down")
    assert played.cause == Failed(0.0, FailureKind.CLOSED, "4.3.2 shutting\ndown")
    assert summarize(logged.event for logged in dialogue.log)[-1] == "Unsolicited 421"
    assert dialogue.connection.state is State.REFUSED
    assert play(dialogue.quit(), "C: QUIT\nS: 221 bye").value is not None


def test_421_is_found_at_the_end_of_half_a_line_too() -> None:
    _, played = act(until(6) + "S+ 42\\\nS: 1 down")
    assert played.cause == Failed(0.0, FailureKind.CLOSED, "down")


def test_421_in_a_group_and_then_the_close() -> None:
    dialogue, played = act(until(16) + "S: 421 down\n-- eof")
    assert played.cause == ConnectionClosed((Rset(),), b"")
    assert summarize(logged.event for logged in dialogue.log)[-2:] == ["Reply 421 RCPT", "ConnectionClosed 1"]


def test_a_reply_begun_before_a_command_may_never_end() -> None:
    dialogue, played = act(until(6) + "S+ 250 la\\\n@ 12.0\n-- timeout")
    assert played.cause == Failed(12.0, FailureKind.TIMEOUT)
    assert dialogue.connection.outstanding == ()


def test_nonsense_between_replies_stops_before_the_next_command() -> None:
    dialogue, played = act(until(6) + "S+ nonsense")
    assert isinstance(played.cause, RemoteProtocolError)
    assert dialogue.connection.state is State.ERROR
    with pytest.raises(SessionAborted) as again:
        next(dialogue.ask(Noop()))
    assert again.value.cause is played.cause


def test_interrupted_says_why() -> None:
    assert str(SessionAborted(Failed(1.0, FailureKind.TIMEOUT))).startswith("Failed(at=1.0")
    error = RemoteProtocolError("syntax.reply", "the peer made no sense")
    assert str(SessionAborted(error)) == "the peer made no sense"
    assert SessionAborted(error).cause is error


def test_patience_is_the_timeout_until_the_budget_is_less() -> None:
    _, played = act(
        "-- connected\n@ 4\nS: 22\\\n@ 9\nS: 0 hi\nC: EHLO a\n@ 14\nS: 250 x\\\n@ 19.5\n-- timeout",
        timeout=6,
        budget=20,
    )
    assert [effect.timeout for effect in played.effects] == [6, 6, 6, 6, 6, 6]
    _, played = act("@ 15\n-- connected\n@ 18\nS: 22\\\n@ 19.5\nS: 0 hi\n-- timeout", timeout=6, budget=20)
    assert [effect.timeout for effect in played.effects] == [6, 5, 2, 0.5]


@pytest.mark.parametrize(("count", "at"), [(1, 60.0), (3, 60.0), (8, 60.0), (9, 61.5), (16, 60.0)])
def test_the_budget_may_be_spent_at_any_step(count: int, at: float) -> None:
    lines = until(count).splitlines()
    lines.insert(count - 1, f"@ {at}")
    dialogue, played = act("\n".join(lines), budget=60)
    assert played.cause == Failed(at, FailureKind.BUDGET)
    assert dialogue.entry_count == len(played.transcript)
    assert dialogue.at == at


def test_a_budget_of_nothing_does_not_even_connect() -> None:
    dialogue, played = act("", budget=0)
    assert played.cause == Failed(0.0, FailureKind.BUDGET)
    assert (len(played.transcript), dialogue.entry_count) == (0, 0)


def test_the_budget_is_counted_by_outcomes_alone() -> None:
    """So a record of them runs out at the same step."""
    first, played = act("-- connected\n@ 59.999\nS: 220 hi\n@ 60\nC: EHLO a", budget=60)
    assert played.cause == Failed(60, FailureKind.BUDGET)
    assert summarize(logged.event for logged in first.log) == ["Greeting 220"]


def test_a_driver_that_answers_with_the_wrong_outcome_is_found_out() -> None:
    script = everything(Dialogue(timeout=1))
    next(script)
    script.send(Done(0.0))
    with pytest.raises(AssertionError):
        script.send(Done(0.0))
    dialogue = Dialogue(timeout=1)
    script = everything(dialogue)
    next(script)
    for outcome in (
        Done(0.0),
        Received(0.0, b"220 hi\r\n"),
        Done(0.0),
        Received(0.0, b"250-a\r\n250 STARTTLS\r\n"),
    ):
        script.send(outcome)
    script.send(Done(0.0))
    script.send(Received(0.0, b"220 go\r\n"))
    with pytest.raises(AssertionError):
        script.send(Done(0.0))
    assert not dialogue.connection.tls_active
