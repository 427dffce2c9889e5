"""A mail server that answers by a few rules and has one fault: a runner for as many connections as it takes.

It behaves as plays cannot, who know each line beforehand: whatever is said in whichever order is answered. So
the same server can be asked by one domain alone and by many together, and the answers compared.
"""

from dataclasses import dataclass, field, replace
from typing import TypeVar

from checker_smtp.probes.observation import Endpoint, Session
from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Script,
    Secured,
    Send,
    Upgrade,
)

T = TypeVar("T")

FAULTS = {
    "": "none",
    "refused": "connect",
    "timeout": "connect",
    "silent": "greeting",
    "554": "greeting",
    "421": "greeting",
    "450": "greeting",
    "ehlo-421": "EHLO",
    "ehlo-refused": "EHLO, HELO works",
    "ehlo-dropped": "EHLO, the connection gone with it",
    "starttls-454": "STARTTLS",
    "starttls-eof": "STARTTLS",
    "injection": "STARTTLS, a reply behind its 220",
    "sni": "the handshake with a server name",
    "handshake": "the handshake",
    "tls-ehlo": "EHLO after the handshake",
    "tls-ehlo-helo": "EHLO after the handshake, HELO works",
    "group": "more than one command in a write",
    "slow-group": "the same, by silence",
    "rset": "RSET",
}
"""What may be wrong from the start, and where it shows."""

ENDINGS = ("421", "421-stays", "eof", "reset", "timeout")
"""How a connection ends that has gone on long enough for the server."""


@dataclass
class Host:
    """The server; `said` has the lines of each connection.

    `mail` and `rcpt` are its answers to these paths, where they are not the usual ones. When `limit` is
    spent, as many `verb` as a connection may have, it ends by `ending`. `pace` is seconds an effect takes.
    """

    fault: str = ""
    pipelining: bool = True
    tls: bool = True
    relays: bool = False
    mail: dict[str, str] = field(default_factory=dict)
    rcpt: dict[str, str] = field(default_factory=dict)
    limit: int = 10**6
    verb: str = "MAIL"
    ending: str = "421"
    pace: float = 0.01
    said: list[list[str]] = field(default_factory=list)

    async def run(self, script: Script[T]) -> T:
        line = _Line(self)
        self.said.append(line.said)
        try:
            effect = next(script)
            while True:
                effect = script.send(line.outcome(effect))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def times(self, command: str) -> int:
        """How often this was said, in all connections."""
        return sum(said.count(command) for said in self.said)


@dataclass
class _Line:
    """One connection. `rest` is what will be read: replies, or how it ends."""

    host: Host
    said: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    clock: float = 0.0
    secured: bool = False
    spent: int = 0
    sender: bool = False

    def outcome(self, effect: Effect) -> Outcome:
        self.clock = round(self.clock + self.host.pace, 3)
        match effect:
            case Connect():
                if self.host.fault in ("refused", "timeout"):
                    return Failed(self.clock, FailureKind(self.host.fault))
                greeting = {"silent": "timeout"} | {code: f"{code} go away" for code in ("421", "450", "554")}
                self.rest.append(greeting.get(self.host.fault, "220 mx.test ESMTP"))
            case Upgrade():
                return self._handshake(effect)
            case Send():
                self._hear(effect.data.decode("ascii").splitlines())
            case Receive():
                return self._read()
        return Done(self.clock)

    def _handshake(self, effect: Upgrade) -> Outcome:
        if self.host.fault == "sni" and effect.server_name:
            return Failed(self.clock, FailureKind.TLS, "tlsv1 unrecognized name")
        if self.host.fault == "handshake":
            return Failed(self.clock, FailureKind.TLS, "no shared cipher")
        self.secured = True
        return Secured(self.clock, "TLSv1.3", "X")

    def _hear(self, lines: list[str]) -> None:
        if len(lines) > 1 and self.host.fault in ("group", "slow-group"):
            self.said += lines
            self.rest.append("eof" if self.host.fault == "group" else "timeout")
            return
        for line in lines:
            self.said.append(line)
            self.rest += self._answer(line)

    def _read(self) -> Outcome:
        if not self.rest or self.rest[0] == "timeout":
            return Failed(self.clock, FailureKind.TIMEOUT)
        if self.rest[0] == "reset":
            return Failed(self.clock, FailureKind.RESET)
        if self.rest[0] == "eof":
            return Received(self.clock, b"")
        told = []
        while self.rest and self.rest[0] not in ENDINGS:
            told.append(self.rest.pop(0).replace("|", "\r\n") + "\r\n")
        return Received(self.clock, "".join(told).encode())

    def _answer(self, line: str) -> list[str]:
        verb, _, path = line.partition(" ")
        fault = self.host.fault
        if verb == self.host.verb:
            self.spent += 1
        if self.spent > self.host.limit and verb != "QUIT":
            ending = self.host.ending
            closing = "421 4.7.0 too much"
            return {"421": [closing, "eof"], "421-stays": [closing]}.get(ending, [ending])
        path = path.partition("<")[2].removesuffix(">")
        match verb:
            case "EHLO" | "HELO":
                return self._hello(verb)
            case "STARTTLS":
                spoilt = {
                    "starttls-454": "454 no key",
                    "starttls-eof": "eof",
                    "injection": "220 go|250 injected",
                }
                return [spoilt.get(fault, "220 go")]
            case "MAIL":
                reply = self.host.mail.get(path, "250 2.1.0 ok")
                self.sender = reply.startswith("2")
                return [reply]
            case "RCPT" if not self.sender:
                return ["503 5.5.1 MAIL first"]
            case "RCPT":
                known = self.host.relays or path.endswith(".test")
                return [
                    self.host.rcpt.get(path, "250 2.1.5 ok" if known else "554 5.7.1 Relay access denied")
                ]
            case "RSET" if fault == "rset":
                return ["502 what?"]
        return ["221 bye" if verb == "QUIT" else "250 ok"]

    def _hello(self, verb: str) -> list[str]:
        fault = self.host.fault
        if self.secured and (fault == "tls-ehlo" or (fault == "tls-ehlo-helo" and verb == "EHLO")):
            return ["503 what?"]
        if verb == "HELO":
            return ["250 mx.test"]
        refused = {
            "ehlo-421": ["421 not now"],
            "ehlo-refused": ["550 what?"],
            "ehlo-dropped": ["550 what?", "eof"],
        }
        return refused.get(fault) or ["|".join(["250-mx.test", *self._keywords(), "250 8BITMIME"])]

    def _keywords(self) -> list[str]:
        offered = ["250-PIPELINING"] if self.host.pipelining else []
        return offered + (["250-STARTTLS"] if self.host.tls and not self.secured else [])


def resumed(effect: Effect, script: Script[T]) -> Script[T]:
    """A script of which the first effect is known already, as it was."""
    try:
        while True:
            effect = script.send((yield effect))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def plain(session: Session) -> dict[str, object]:
    """A session without times and numbers of lines; its transcript as what either side said in all."""
    from msgspec import to_builtins

    timeless = {"told": _timeless(to_builtins(replace(session, transcript=())))}
    return timeless | {"connected": session.connected_at is not None, "transcript": _spoken(session)}


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in ("at", "entry", "connected_at")}
    return list(map(_timeless, value)) if isinstance(value, list | tuple) else value


def _spoken(session: Session) -> list[tuple[str, str]]:
    """What was said and heard, a pair for each stretch between connecting, the handshake, and the end."""
    spoken = [("", "")]
    for entry in session.transcript:
        said, heard = spoken[-1]
        if "data" in entry:
            spoken[-1] = (said + str(entry["data"]), heard)
        elif "got" in entry:
            spoken[-1] = (said, heard + str(entry["got"]))
        else:
            spoken += [(str(entry.get("failed", entry["do"])), str(entry.get("detail", ""))), ("", "")]
    return spoken


def endpoint_of(sessions: tuple[Session, ...]) -> Endpoint:
    """An endpoint at which these were held."""
    from tests.probes.observations import NAMED

    return Endpoint(
        address="192.0.2.7", port=25, targets=("mx.example.org",), reverse=NAMED, sessions=sessions
    )


def answers(sessions: tuple[Session, ...]) -> dict[str, str]:
    """What came of each question."""
    held = endpoint_of(sessions)
    asked = {
        purpose: held.asked(purpose) for purpose in ("null-sender", "postmaster", "relay", "relay-control")
    }
    return {
        purpose: f"{t.sender} {t.recipient} {t.verdict.raw if t.verdict else None}"
        for purpose, t in asked.items()
        if t is not None
    }
