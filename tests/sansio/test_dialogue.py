"""Sessions as scripts that go well, or as well as the server lets them."""

from collections.abc import Callable
from typing import Any

import pytest

from smtp_sansio import (
    Connect,
    Dialogue,
    Effect,
    Ehlo,
    Failed,
    FailureKind,
    Greeting,
    LocalProtocolError,
    Mail,
    Noop,
    Policy,
    Quit,
    Rcpt,
    Receive,
    Received,
    RemoteProtocolError,
    Reply,
    Rset,
    Script,
    Secured,
    Send,
    SessionAborted,
    StartTls,
    State,
    Transcript,
    Unsolicited,
    Upgrade,
    tap,
)
from tests.sansio.notation import ADDRESS, PORT, SERVER_NAME, Played, play, summarize

CONNECTED = "-- connected\nS: 220 mx.example ESMTP\n"
READY = CONNECTED + "C: EHLO a\nS: 250-mx.example\nS+ 250-PIPELINING\nS+ 250 STARTTLS\n"


def session(dialogue: Dialogue, *moves: Callable[[], Script[Any]]) -> Script[list[Any]]:
    """Connect, greet, and then these moves; what each of them returned."""
    yield from dialogue.connect(ADDRESS, PORT)
    results: list[Any] = []
    for move in (dialogue.greet, *moves):
        result = yield from move()
        results += [result]
    return results


def act(
    text: str, *moves: Callable[[Dialogue], Script[Any]], **options: Any
) -> tuple[Dialogue, Played[list[Any]]]:
    """Play a session; `options` are the dialogue's, with a timeout of 12 seconds."""
    dialogue = Dialogue(**{"timeout": 12} | options)
    bound = [(lambda move=move: move(dialogue)) for move in moves]
    return dialogue, play(session(dialogue, *bound), text)


def hello(dialogue: Dialogue) -> Script[tuple[Reply, ...]]:
    return dialogue.hello("a")


def starttls(dialogue: Dialogue) -> Script[Any]:
    return dialogue.starttls(SERVER_NAME)


def codes(replies: tuple[Reply, ...]) -> list[tuple[int, str]]:
    return [(reply.code, reply.command.line) for reply in replies]


def test_a_whole_session() -> None:
    dialogue, played = act(
        READY
        + """
        C: STARTTLS
        S: 220 go
        -- tls TLSv1.3 TLS_AES_256_GCM_SHA384
        C: EHLO a
        S: 250-mx.example
        S: 250 PIPELINING
        C: MAIL FROM:<>
        C: RCPT TO:<postmaster>
        C: RSET
        S: 250 ok
        S+ 550 no
        S: 250 ok
        C: NOOP
        S: 250 ok
        C: QUIT
        S: 221 bye
        """,
        hello,
        starttls,
        hello,
        lambda d: d.group(Mail(""), Rcpt("postmaster"), Rset()),
        lambda d: d.ask(Noop()),
        Dialogue.quit,
    )
    assert played.cause is None
    assert played.value is not None
    greeting, hellos, (reply, secured), again, flight, noop, bye = played.value
    assert isinstance(greeting, Greeting)
    assert greeting.text == "mx.example ESMTP"
    assert codes(hellos) == codes(again) == [(250, "EHLO a")]
    assert codes((reply,)) == [(220, "STARTTLS")]
    assert secured == Secured(0.0, "TLSv1.3", "TLS_AES_256_GCM_SHA384")
    assert codes(flight) == [(250, "MAIL FROM:<>"), (550, "RCPT TO:<postmaster>"), (250, "RSET")]
    assert codes((noop, bye)) == [(250, "NOOP"), (221, "QUIT")]
    assert dialogue.connection.state is State.QUITTING
    assert dialogue.connection.tls_active


def test_the_effects_are_these() -> None:
    _, played = act(
        READY + "C: STARTTLS\nS: 220 go\n-- tls TLSv1.2 X\n", hello, starttls, timeout=7, budget=5
    )
    expected: list[Effect] = [
        Connect(ADDRESS, PORT, 5),
        Receive(5),
        Send(b"EHLO a\r\n", 5),
        Receive(5),
        Send(b"STARTTLS\r\n", 5),
        Receive(5),
        Upgrade(SERVER_NAME, 5),
    ]
    assert played.effects == expected


def test_a_greeting_in_pieces() -> None:
    _, played = act(
        "-- connected\nS: 22\\\nS: 0-mx.exam\\\nS: ple\\\nS: \\r\\n\\\nS: 220 ready\\r\\\nS: \\n\\\n"
    )
    assert played.value is not None
    (greeting,) = played.value
    assert greeting.raw == b"220-mx.example\r\n220 ready\r\n"


def test_a_greeting_that_refuses_is_a_value() -> None:
    dialogue, played = act("-- connected\nS: 554 no\nC: QUIT\nS: 221 bye", Dialogue.quit)
    assert played.value is not None
    assert summarize(played.value) == ["Greeting 554", "Reply 221 QUIT"]
    assert dialogue.connection.state is State.QUITTING


def test_helo_after_a_refused_ehlo() -> None:
    for code in (500, 502, 550):
        _, played = act(CONNECTED + f"C: EHLO a\nS: {code} what\nC: HELO a\nS: 250 a\n", hello)
        assert played.value is not None
        assert codes(played.value[1]) == [(code, "EHLO a"), (250, "HELO a")]


def test_helo_may_be_refused_too() -> None:
    dialogue, played = act(CONNECTED + "C: EHLO a\nS: 550 no\nC: HELO a\nS: 550 no\n", hello)
    assert played.value is not None
    assert codes(played.value[1]) == [(550, "EHLO a"), (550, "HELO a")]
    assert dialogue.connection.state is State.FRESH


@pytest.mark.parametrize("code", [421, 450, 354, 250])
def test_no_helo_after_anything_else(code: int) -> None:
    _, played = act(CONNECTED + f"C: EHLO a\nS: {code} x\n", hello)
    assert played.value is not None
    assert codes(played.value[1]) == [(code, "EHLO a")]


@pytest.mark.parametrize("code", [454, 501, 421])
def test_starttls_refused(code: int) -> None:
    dialogue, played = act(READY + f"C: STARTTLS\nS: {code} no\n", hello, starttls)
    assert played.value is not None
    reply, outcome = played.value[-1]
    assert (reply.code, outcome) == (code, None)
    assert dialogue.connection.state is (State.REFUSED if code == 421 else State.READY)


@pytest.mark.parametrize("failure", ["tls wrong version number", "timeout", "reset", "closed"])
def test_a_handshake_that_fails_is_a_value(failure: str) -> None:
    text = READY + f"C: STARTTLS\nS: 220 go\n@ 3.5\n-- {failure}\n"
    dialogue, played = act(text, hello, starttls)
    assert played.value is not None
    reply, outcome = played.value[-1]
    kind, _, detail = failure.partition(" ")
    assert (reply.code, outcome) == (220, Failed(3.5, FailureKind(kind), detail))
    assert dialogue.connection.state is State.CLOSED
    assert not dialogue.connection.tls_active


@pytest.mark.parametrize("injection", ["S+ 250 injected", "S+ 250 inj\\", "S+ \\x00\\"])
def test_an_injection_stops_before_the_handshake(injection: str) -> None:
    dialogue, played = act(READY + f"C: STARTTLS\nS: 220 go\n{injection}\n", hello, starttls)
    assert isinstance(played.cause, RemoteProtocolError)
    assert played.cause.code == "starttls.plaintext"
    assert dialogue.connection.trailing_data != b""
    assert isinstance(played.effects[-1], Receive)
    assert summarize(logged.event for logged in dialogue.log)[-1] == "Reply 220 STARTTLS"


def test_starttls_that_was_not_offered_sends_nothing_and_leaves_the_session_usable() -> None:
    dialogue, played = act(CONNECTED + "C: EHLO a\nS: 250 a\n", hello, starttls)
    assert isinstance(played.cause, LocalProtocolError)
    assert (played.cause.code, str(played.cause)) == (
        "state.starttls-not-offered",
        "the server did not offer STARTTLS",
    )
    assert dialogue.usable


def test_a_group_that_is_not_allowed_says_nothing_and_leaves_the_session_usable() -> None:
    def careful(dialogue: Dialogue) -> Script[list[Reply]]:
        with pytest.raises(SessionAborted) as refused:
            yield from dialogue.group(Mail(""), Rcpt("postmaster"))
        assert isinstance(refused.value.cause, LocalProtocolError)
        assert refused.value.cause.code == "pipelining.not-offered"
        assert dialogue.usable
        mail = yield from dialogue.ask(Mail(""))
        rcpt = yield from dialogue.ask(Rcpt("postmaster"))
        return [mail, rcpt]

    _, played = act(
        CONNECTED + "C: EHLO a\nS: 250 a\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<postmaster>\nS: 250 ok\n",
        hello,
        careful,
    )
    assert played.value is not None
    assert summarize(played.value[-1]) == ["Reply 250 MAIL", "Reply 250 RCPT"]


def test_replies_to_a_group_in_any_number_of_reads() -> None:
    flight = "C: MAIL FROM:<>\nC: RCPT TO:<postmaster>\nC: QUIT\n"
    for replies in (
        "S: 250 a\nS: 550 b\nS: 221 c",
        "S: 250 a\nS+ 550 b\nS+ 221 c",
        "S: 250 a\nS+ 55\\\nS: 0 b\nS+ 221 c\\r\\\nS: \\n\\",
    ):
        _, played = act(
            READY + flight + replies, hello, lambda d: d.group(Mail(""), Rcpt("postmaster"), Quit())
        )
        assert played.value is not None
        assert [reply.code for reply in played.value[-1]] == [250, 550, 221]


@pytest.mark.parametrize(
    "late",
    [
        "S+ 250 late\n",
        "S+ 250 la\\\nS: te\n",
        "S+ 250-a\\\nS: \\r\\n\\\nS: 250 b\n",
        "S+ 250 la\\\nS: te\\r\\\nS: \\n\\\n",
    ],
)
def test_a_late_reply_answers_nothing(late: str) -> None:
    """Whole or half a line, it is read to its end before the next command, and reported as unsolicited."""
    dialogue, played = act(READY + late + "C: NOOP\nS: 550 no\n", hello, lambda d: d.ask(Noop()))
    assert played.value is not None
    assert played.value[-1].code == 550
    events = [logged.event for logged in dialogue.log]
    assert summarize(events) == ["Greeting 220", "Reply 250 EHLO", "Unsolicited 250", "Reply 550 NOOP"]
    assert isinstance(events[2], Unsolicited)


def test_two_and_a_half_late_replies() -> None:
    dialogue, _ = act(
        READY + "S+ 250 a\nS+ 250 b\nS+ 250 c\\\nS: \\r\\n250 d\\\nS: \\r\\n\\\nC: NOOP\nS: 250 ok\n",
        hello,
        lambda d: d.ask(Noop()),
    )
    assert summarize(logged.event for logged in dialogue.log)[2:] == ["Unsolicited 250"] * 4 + [
        "Reply 250 NOOP"
    ]


def test_the_log_points_into_the_transcript() -> None:
    dialogue, played = act(
        """
        @ 0.1
        -- connected
        @ 0.2
        S: 220 mx.ex\\
        @ 0.3
        S: ample
        C: EHLO a
        @ 0.4
        S: 250-mx.example
        @ 0.5
        S: 250 PIPELINING
        S+ 250 late
        @ 0.6
        C: MAIL FROM:<>
        C: NOOP
        @ 0.7
        S: 250 ok
        S+ 250 ok
        C: QUIT
        @ 0.8
        -- eof
        """,
        hello,
        lambda d: d.group(Mail(""), Noop()),
        Dialogue.quit,
    )
    assert [(logged.at, logged.entry) for logged in dialogue.log] == [
        (0.3, 2),
        (0.5, 5),
        (0.5, 5),
        (0.7, 7),
        (0.7, 7),
        (0.8, 9),
    ]
    assert dialogue.entry_count == len(played.transcript) == 10
    pairs = list(played.transcript)
    for logged in dialogue.log:
        effect, outcome = pairs[logged.entry]
        assert isinstance(effect, Receive)
        assert isinstance(outcome, Received)
        assert outcome.at == logged.at
        assert getattr(logged.event, "raw", b"")[-6:] in outcome.data


def test_the_policy_is_the_connections() -> None:
    _, played = act("-- connected\nS: 220 hi\\n\\\n", policy=Policy(strict=True))
    assert isinstance(played.cause, RemoteProtocolError)
    assert played.cause.code == "deviation.bare-lf"


def test_commands_out_of_turn_are_the_callers_mistake() -> None:
    dialogue = Dialogue(timeout=1)
    with pytest.raises(LocalProtocolError):
        play(dialogue.ask(Ehlo("a")), "")
    with pytest.raises(LocalProtocolError):
        play(dialogue.ask(StartTls()), "")


def test_entries_are_numbered_as_those_of_a_transcript_whose_reads_are_joined() -> None:
    greeting = "220 " + "x" * 300
    octets = "\n".join(f"S: {octet}\\" for octet in greeting)
    text = f"-- connected\n{octets}\nS: \\r\\n\\\nC: NOOP\nS: 250 ok\n"
    transcript = Transcript()
    dialogue = Dialogue(timeout=12)

    def ask(dialogue: Dialogue) -> Script[None]:
        yield from dialogue.connect(ADDRESS, PORT)
        yield from dialogue.greet()
        yield from dialogue.ask(Noop())

    play(tap(ask(dialogue), transcript.note), text)
    assert dialogue.entry_count == len(transcript) == 1 + 65 + 2
    assert [logged.entry for logged in dialogue.log] == [65, 67]
