"""Dialogues in the notation of `checker_smtp.testing`, run against a connection or a script.

`converse` runs a dialogue against a `Connection`, `play` against a script.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from checker_smtp.testing import parse_dialogue, play_dialogue
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
    Greeting,
    Helo,
    LocalProtocolError,
    Mail,
    Need,
    Noop,
    Policy,
    Quit,
    Rcpt,
    RemoteProtocolError,
    Reply,
    Rset,
    Script,
    Secured,
    SessionAborted,
    StartTls,
    Transcript,
    Unsolicited,
    Upgrade,
    tap,
)

T = TypeVar("T")

ADDRESS, PORT, SERVER_NAME = "192.0.2.7", 25, "mx.example"


def commands_of(octets: bytes) -> list[Command]:
    """Return the commands on these lines."""
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
    """A dialogue in progress: the connection, its events, and the error that ended it."""

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
        """The deviations of the last reply: kind, line and offset."""
        return [(str(d.kind), d.line, d.offset) for d in self.last.deviations]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.odd]

    def hear(self, octets: bytes) -> None:
        """Receive `octets`, and keep every event."""
        self.connection.receive_data(octets)
        self.events += drain(self)

    def continue_with(self, text: str) -> "Talk":
        for step in parse_dialogue(text):
            if step.mark == "C":
                assert self.connection.send(*commands_of(step.octets)) == step.octets
            elif step.mark == "S":
                self.hear(step.octets)
            elif step.outcome == "eof":
                self.hear(b"")
            elif step.outcome == "tls":
                self.connection.tls_established()
            else:
                raise AssertionError(f"a connection knows no {step.outcome!r}")
        return self


def drain(talk: Talk) -> Iterator[Event]:
    """Yield the events; keep a `RemoteProtocolError` in `talk.error`."""
    try:
        while not isinstance(event := talk.connection.next_event(), Need):
            yield event
            if isinstance(event, ConnectionClosed):
                return
    except RemoteProtocolError as error:
        talk.error = error


def converse(text: str, policy: Policy | None = None) -> Talk:
    """Run the dialogue `text` against a new `Connection`."""
    return Talk(Connection(policy)).continue_with(text)


@dataclass
class Played(Generic[T]):
    """How a script ended: its value or the cause of its abort, and its transcript."""

    value: T | None = None
    cause: Failed | ConnectionClosed | RemoteProtocolError | LocalProtocolError | Greeting | Reply | None = (
        None
    )
    transcript: Transcript = field(default_factory=Transcript)

    @property
    def effects(self) -> list[Effect]:
        return [effect for effect, _ in self.transcript]


def play(script: Script[T], text: str) -> Played[T]:
    """Run `script` against the dialogue `text`; check the address and the server name that it uses."""
    played: Played[T] = Played()
    try:
        played.value = play_dialogue(tap(script, played.transcript.note), text)
    except SessionAborted as interrupted:
        played.cause = interrupted.cause
    for effect, outcome in played.transcript:
        match effect, outcome:
            case Connect(host, port), Done():
                assert (host, port) == (ADDRESS, PORT)
            case Upgrade(server_name), Secured():
                assert server_name == SERVER_NAME
    return played


def summarize(events: Iterable[Event]) -> list[str]:
    """Return each event as a few words: its kind, its code, and the verb of the command it answers."""
    words = []
    for event in events:
        if isinstance(event, ConnectionClosed):
            words.append(f"ConnectionClosed {len(event.unanswered)}")
        else:
            command = getattr(event, "command", None)
            verb = f" {command.line.split(' ')[0]}" if command else ""
            words.append(f"{type(event).__name__} {event.code}{verb}")
    return words
