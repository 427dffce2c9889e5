r"""How the tests write conversations down, and the two drivers that act them out.

    C: EHLO probe.example      what we say; lines that follow each other are one write
    S: 250-mx.example          what one read brings, with CRLF; Python's escapes are understood
    S+ 250 PIPELINING          more of the same read
    S: 250 to be co\           a backslash at the end: no CRLF, the line goes on in the next read
    -- eof                     the peer closed
    -- connected               an outcome that is no octets: `connected`, `tls VERSION CIPHER`,
    -- timeout some detail     or the name of a `FailureKind` with its detail
    @ 12.5                     from now on the clock says so

`converse` acts such a text out on a `Connection`; `play` on a script, where every effect has to be the one
the text expects next.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from smtp_sansio import (
    Command,
    Connect,
    Connection,
    ConnectionClosed,
    Done,
    Effect,
    Ehlo,
    Event,
    Failed,
    FailureKind,
    Greeting,
    Helo,
    Mail,
    Need,
    Noop,
    Outcome,
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
    Transcript,
    Unsolicited,
    Upgrade,
    tap,
)

T = TypeVar("T")

ADDRESS, PORT, SERVER_NAME = "192.0.2.7", 25, "mx.example"


class Step(NamedTuple):
    """One thing that happens: `C` with what is written, `S` with what is read, `--` with anything else."""

    who: str
    octets: bytes = b""
    what: str = ""
    at: float = 0.0


def steps(text: str) -> list[Step]:
    """Read a conversation."""
    found: list[Step] = []
    clock = 0.0
    for line in filter(None, map(str.strip, text.splitlines())):
        mark, rest = line[:2], line[3:]
        match mark:
            case "C:":
                said = rest.encode("ascii") + b"\r\n"
                if found and found[-1].who == "C":
                    said = found.pop().octets + said
                found.append(Step("C", said, at=clock))
            case "S:":
                found.append(Step("S", _octets(rest), at=clock))
            case "S+":
                found.append(Step("S", found.pop().octets + _octets(rest), at=clock))
            case "--":
                found.append(Step("--", what=rest, at=clock))
            case "@ ":
                clock = float(line[2:])
            case _:
                raise AssertionError(f"no step is written {line!r}")
    return found


def _octets(text: str) -> bytes:
    whole = not text.endswith("\\")
    return text.removesuffix("\\").encode("latin-1").decode("unicode_escape").encode("latin-1") + (
        b"\r\n" if whole else b""
    )


def commands_of(octets: bytes) -> list[Command]:
    """The commands that these lines say."""
    return [_command(line) for line in octets.decode("ascii").splitlines()]


def _command(line: str) -> Command:
    verb, _, rest = line.partition(" ")
    path = re.fullmatch(r"(?:FROM|TO):<(.*)>", rest)
    match verb:
        case "EHLO":
            return Ehlo(rest)
        case "HELO":
            return Helo(rest)
        case "MAIL" if path:
            return Mail(path[1])
        case "RCPT" if path:
            return Rcpt(path[1])
    alone: list[Command] = [StartTls(), Rset(), Noop(), Quit()]
    return {command.line: command for command in alone}[line]


@dataclass
class Talk:
    """A conversation: the connection, its events, and the error that ended it."""

    connection: Connection
    events: list[Event] = field(default_factory=list)
    error: RemoteProtocolError | None = None

    @property
    def heard(self) -> list[Greeting | Reply | Unsolicited]:
        return [event for event in self.events if not isinstance(event, ConnectionClosed)]

    @property
    def last(self) -> Greeting | Reply | Unsolicited:
        assert self.events[-1:] == self.heard[-1:], "the last event is the close"
        return self.heard[-1]

    @property
    def odd(self) -> list[tuple[str, int, int]]:
        """The deviations of the last reply: kind, line, offset."""
        return [(str(d.kind), d.line, d.offset) for d in self.last.deviations]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.odd]

    def hear(self, octets: bytes) -> None:
        """Receive, and read every event there is."""
        self.connection.receive_data(octets)
        self.events += drain(self)

    def go_on(self, text: str) -> "Talk":
        for step in steps(text):
            if step.who == "C":
                assert self.connection.send(*commands_of(step.octets)) == step.octets
            elif step.who == "S":
                self.hear(step.octets)
            elif step.what == "eof":
                self.hear(b"")
            elif step.what == "tls":
                self.connection.tls_established()
            else:
                raise AssertionError(f"a connection knows no {step.what!r}")
        return self


def drain(talk: Talk) -> Iterator[Event]:
    """The events there are; a `RemoteProtocolError` is kept in `talk.error`."""
    try:
        while not isinstance(event := talk.connection.next_event(), Need):
            yield event
            if isinstance(event, ConnectionClosed):
                return
    except RemoteProtocolError as error:
        talk.error = error


def converse(text: str, policy: Policy | None = None) -> Talk:
    """Act `text` out on a new `Connection`."""
    return Talk(Connection(policy)).go_on(text)


@dataclass
class Played(Generic[T]):
    """How a script ended: what it returned or what interrupted it, and all that happened."""

    value: T | None = None
    cause: Failed | ConnectionClosed | RemoteProtocolError | None = None
    transcript: Transcript = field(default_factory=Transcript)

    @property
    def effects(self) -> list[Effect]:
        return [effect for effect, _ in self.transcript]


def play(script: Script[T], text: str) -> Played[T]:
    """Act `text` out on a script; it has to want exactly what the text says, up to its last line."""
    played: Played[T] = Played()
    rest = iter(steps(text))
    try:
        played.value = _drive(tap(script, played.transcript.note), rest)
    except SessionAborted as interrupted:
        played.cause = interrupted.cause
    assert list(rest) == [], "the script ended before the conversation did"
    return played


def _drive(script: Script[T], rest: Iterator[Step]) -> T:
    try:
        effect = next(script)
        while True:
            effect = script.send(_outcome(effect, rest))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def _outcome(effect: Effect, rest: Iterator[Step]) -> Outcome:
    step = next(rest, None)
    assert step is not None, f"the conversation ended before {effect}"
    if step.who == "C":
        assert isinstance(effect, Send), f"{effect} where the client speaks: {step.octets!r}"
        assert effect.data == step.octets
        return Done(step.at)
    if step.who == "S":
        assert isinstance(effect, Receive), f"{effect} where the server speaks: {step.octets!r}"
        return Received(step.at, step.octets)
    assert step.who == "--", f"{effect} where something is said: {step.octets!r}"
    word, _, detail = step.what.partition(" ")
    match effect, word:
        case Receive(), "eof":
            return Received(step.at, b"")
        case Connect(host, port), "connected":
            assert (host, port) == (ADDRESS, PORT)
            return Done(step.at)
        case Upgrade(server_name), "tls" if detail.startswith("TLSv"):
            assert server_name == SERVER_NAME
            return Secured(step.at, *detail.split(" "))
    return Failed(step.at, FailureKind(word), detail)


def event_words(events: Iterable[Event]) -> list[str]:
    """Events in a word each, for comparing: the kind, the code, the verb answered."""
    words = []
    for event in events:
        if isinstance(event, ConnectionClosed):
            words.append(f"ConnectionClosed {len(event.unanswered)}")
        else:
            command = getattr(event, "command", None)
            verb = f" {command.line.split(' ')[0]}" if command else ""
            words.append(f"{type(event).__name__} {event.code}{verb}")
    return words
