"""A script that looks at no reply: after a refusal, whatever it does next ends in `SessionAborted`."""

from collections.abc import Callable
from typing import Any

import pytest

from smtp_sansio import (
    Dialogue,
    Ehlo,
    Failed,
    FailureKind,
    Greeting,
    LocalProtocolError,
    Mail,
    Noop,
    Rcpt,
    Reply,
    Rset,
    Script,
    SessionAborted,
    StartTls,
)
from tests.sansio.notation import ADDRESS, PORT, SERVER_NAME, play

CONNECTED = "-- connected\nS: 220 mx.example\n"
READY = CONNECTED + "C: EHLO a\nS: 250-mx.example\nS+ 250 STARTTLS\n"
BYE = "C: QUIT\nS: 221 bye\n"


def naive(dialogue: Dialogue) -> Script[None]:
    """Take every step, and look at no reply."""
    yield from dialogue.connect(ADDRESS, PORT)
    yield from dialogue.greet()
    yield from dialogue.hello("a")
    yield from dialogue.starttls(SERVER_NAME)
    yield from dialogue.hello("a")
    yield from dialogue.ask(Mail(""))
    yield from dialogue.ask(Rcpt("postmaster"))
    yield from dialogue.quit()


def reach(text: str, *steps: Callable[[Dialogue], Script[Any]]) -> Dialogue:
    """Return a dialogue after connecting, the greeting and these steps."""
    dialogue = Dialogue(timeout=12)

    def script() -> Script[None]:
        yield from dialogue.connect(ADDRESS, PORT)
        yield from dialogue.greet()
        for step in steps:
            yield from step(dialogue)

    assert play(script(), text).cause is None
    return dialogue


def hello(dialogue: Dialogue) -> Script[Any]:
    return dialogue.hello("a")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- connected\nS: 554 no service", "554 no service"),
        ("-- connected\nS: 421 too busy", "421 too busy"),
        (CONNECTED + "C: EHLO a\nS: 450 later", "450 later"),
        (CONNECTED + "C: EHLO a\nS: 421 later", "421 later"),
        (CONNECTED + "C: EHLO a\nS: 550 no\nC: HELO a\nS: 550 not you", "550 not you"),
        (READY + "C: STARTTLS\nS: 421 closing", "421 closing"),
        (
            READY + "C: STARTTLS\nS: 454 no\nC: EHLO a\nS: 250 a\nC: MAIL FROM:<>\nS: 550 no bounces",
            "550 no bounces",
        ),
    ],
)
def test_the_step_after_a_refusal_names_the_refusal(text: str, said: str) -> None:
    dialogue = Dialogue(timeout=12)
    played = play(naive(dialogue), text)
    assert isinstance(played.cause, Greeting | Reply)
    assert str(SessionAborted(played.cause)) == f"the server refused: {said}"
    assert play(dialogue.quit(), BYE).value is not None


def test_the_step_after_a_failed_handshake_names_the_failure() -> None:
    dialogue = Dialogue(timeout=12)
    played = play(naive(dialogue), READY + "C: STARTTLS\nS: 220 go\n-- tls alert 40")
    assert played.cause == Failed(0.0, FailureKind.TLS, "alert 40")
    assert not dialogue.usable
    for step in (dialogue.quit(), dialogue.ask(Noop())):
        assert play(step, "").cause == played.cause


@pytest.mark.parametrize("end", ["-- eof", "-- timeout", "S: nonsense", "S: 250-half\\\n-- reset"])
def test_every_step_after_an_abort_names_the_same_cause(end: str) -> None:
    dialogue = Dialogue(timeout=12)
    played = play(naive(dialogue), CONNECTED + "C: EHLO a\n" + end)
    assert played.cause is not None
    assert not dialogue.usable
    for step in (dialogue.hello("a"), dialogue.starttls(SERVER_NAME), dialogue.quit()):
        assert play(step, "").cause is played.cause


def test_after_an_unsolicited_421_only_quit_is_sent() -> None:
    dialogue = Dialogue(timeout=12)
    played = play(naive(dialogue), CONNECTED + "C: EHLO a\nS: 250 a\nS+ 421 down")
    assert played.cause == Failed(0.0, FailureKind.CLOSED, "down")
    assert play(dialogue.ask(Noop()), "").cause == played.cause
    assert play(dialogue.quit(), BYE).value is not None


def test_a_reply_in_flight_behind_a_421_is_not_the_refusal() -> None:
    flight = "C: MAIL FROM:<>\nC: RSET\nS: 421 down\nS+ 503 x"
    text = CONNECTED + "C: EHLO a\nS: 250-a\nS+ 250 PIPELINING\n" + flight
    dialogue = reach(text, hello, lambda d: d.group(Mail(""), Rset()))
    played = play(dialogue.ask(Noop()), "")
    assert isinstance(played.cause, Reply)
    assert played.cause.code == 421


def test_another_address_may_be_tried_after_one_that_fails() -> None:
    dialogue = Dialogue(timeout=12)
    assert play(dialogue.connect(ADDRESS, PORT), "-- refused").cause == Failed(0.0, FailureKind.REFUSED)

    def again() -> Script[Greeting]:
        yield from dialogue.connect(ADDRESS, PORT)
        return (yield from dialogue.greet())

    assert play(again(), "S: 220 mx.example").value is not None
    assert dialogue.usable


@pytest.mark.parametrize(
    ("text", "steps", "command"),
    [
        (CONNECTED, [], Mail("")),
        (CONNECTED, [], StartTls()),
        (READY, [hello], Rcpt("a@b.example")),
        (READY + "C: EHLO a\nS: 550 no\nC: HELO a\nS: 550 no\n", [hello, hello], Rcpt("a@b.example")),
        (
            READY + "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<a@b.example>\nS: 550 no\n",
            [hello, lambda d: d.ask(Mail("")), lambda d: d.ask(Rcpt("a@b.example"))],
            Mail(""),
        ),
        (READY + BYE, [hello, Dialogue.quit], Ehlo("a")),
        ("-- connected\nS: 554 no\n" + BYE, [Dialogue.quit], Ehlo("a")),
        (
            READY + "C: MAIL FROM:<>\nS: 550 no\nC: EHLO a\nS: 250 a\n",
            [hello, lambda d: d.ask(Mail("")), hello],
            Rcpt("a@b.example"),
        ),
    ],
)
def test_what_no_reply_would_have_allowed_is_the_callers_mistake(
    text: str, steps: list[Callable[[Dialogue], Script[Any]]], command: Mail | Rcpt | StartTls | Ehlo
) -> None:
    dialogue = reach(text, *steps)
    with pytest.raises(LocalProtocolError) as refused:
        play(dialogue.ask(command), "")
    assert refused.value.code == "state.command"


def test_a_refusal_is_remembered_over_commands_that_change_nothing() -> None:
    text = CONNECTED + "C: EHLO a\nS: 450 no\nC: NOOP\nS: 250 ok\nC: RSET\nS: 250 ok\n"
    dialogue = reach(text, hello, lambda d: d.ask(Noop()), lambda d: d.ask(Rset()))
    cause = play(dialogue.ask(Mail("")), "").cause
    assert isinstance(cause, Reply)
    assert cause.code == 450


def test_usable_step_by_step() -> None:
    dialogue = Dialogue(timeout=12)
    seen = [dialogue.usable]

    def script() -> Script[None]:
        for step in (
            lambda: dialogue.connect(ADDRESS, PORT),
            dialogue.greet,
            lambda: dialogue.ask(Ehlo("a")),
            lambda: dialogue.hello("a"),
            lambda: dialogue.ask(Mail("")),
            lambda: dialogue.ask(Mail("")),
            dialogue.quit,
        ):
            yield from step()  # type: ignore[operator]
            seen.append(dialogue.usable)

    text = CONNECTED + (
        "C: EHLO a\nS: 450 no\nC: EHLO a\nS: 250 a\nC: MAIL FROM:<>\nS: 550 no\nC: MAIL FROM:<>\nS: 250 ok\n"
    )
    assert play(script(), text + BYE).cause is None
    assert seen == [False, False, True, False, True, True, True, False]


@pytest.mark.parametrize("greeting", ["554 no", "421 no", "450 no"])
def test_a_refused_session_is_not_usable(greeting: str) -> None:
    assert not reach(f"-- connected\nS: {greeting}").usable
