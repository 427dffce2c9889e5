"""Servers that say what recorded ones said, to whoever asks for the same in another order, or for less.

A replay plays a record line by line, so it cannot tell what would have been said to somebody who leaves a
question out. These look the answer up: by what was asked, before or after TLS. Where the record has no
answer the connection ends as it did then.
"""

from dataclasses import dataclass, field
from typing import TypeVar

from checker_smtp.probes.observation import Ending, Observation, ReplySeen, Session
from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Received,
    Script,
    Secured,
    Send,
    Upgrade,
)

T = TypeVar("T")


class Parrots:
    """A runner over the servers of an observation; `dialled` are the addresses connected to."""

    def __init__(self, seen: Observation) -> None:
        self._sessions = {endpoint.address: endpoint.sessions for endpoint in seen.endpoints}
        self.dialled: list[str] = []
        self.said: list[str] = []

    async def run(self, script: Script[T]) -> T:
        effect = next(script)
        assert isinstance(effect, Connect)
        self.dialled.append(effect.host)
        parrot = _Parrot(_Memory(self._sessions[effect.host]), self.said)
        try:
            while True:
                effect = script.send(parrot.outcome(effect))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]


class _Memory(dict[tuple[str, ...], bytes | Failed]):
    """What was answered to what."""

    def __init__(self, sessions: tuple[Session, ...]) -> None:
        for session in sessions:
            self._learn(session)

    def _learn(self, session: Session) -> None:
        if session.end is not None and session.connected_at is None:
            self["connect",] = _failed(session.end)
        clear = {"greeting": session.greeting, "EHLO": session.ehlo, "HELO": session.helo}
        heard: dict[tuple[str, ...], ReplySeen | None] = {(step,): reply for step, reply in clear.items()}
        heard |= {("STARTTLS",): session.starttls, ("EHLO", "TLS"): session.ehlo_tls}
        mode = ("TLS",) if session.tls else ()
        for t in session.transactions:
            heard |= {
                ("MAIL", t.sender, *mode): t.mail,
                ("RCPT", t.sender, t.recipient, *mode): t.rcpt,
                ("RSET", *mode): t.rset,
            }
        for asked, reply in heard.items():
            if reply is not None:
                self.setdefault(asked, reply.raw.encode("latin-1"))
        if session.end is not None:
            self.setdefault((session.end.step, *mode), _failed(session.end))


def _failed(end: Ending) -> Failed:
    kind = FailureKind.RESET if end.kind not in list(FailureKind) else FailureKind(end.kind)
    return Failed(end.at, kind, end.detail)


@dataclass
class _Parrot:
    """One connection."""

    memory: _Memory
    said: list[str]
    waiting: list[tuple[str, ...]] = field(default_factory=lambda: [("greeting",)])
    mode: tuple[str, ...] = ()
    sender: str = ""

    def outcome(self, effect: Effect) -> Outcome:
        match effect:
            case Connect():
                failed = self.memory.get(("connect",))
                return failed if isinstance(failed, Failed) else Done(0.01)
            case Upgrade():
                if isinstance(failed := self.memory.get(("TLS",)), Failed) and effect.server_name:
                    return failed
                self.mode = ("TLS",)
                return Secured(0.01, "TLSv1.3", "TLS_AES_256_GCM_SHA384")
            case Send():
                self.said += (lines := effect.data.decode("ascii").splitlines())
                self.waiting += map(self._asked, lines)
                return Done(0.01)
        asked = self.waiting.pop(0)
        usual = b"221 bye\r\n" if asked[0] == "QUIT" else b"250 ok\r\n"
        known = self.memory.get(asked) or self.memory.get((asked[0], *self.mode)) or usual
        if isinstance(known, Failed):
            return Received(0.01, b"") if known.kind is FailureKind.CLOSED else known
        return Received(0.01, known)

    def _asked(self, line: str) -> tuple[str, ...]:
        verb, _, rest = line.partition(" ")
        path = rest.partition("<")[2].removesuffix(">")
        if verb == "MAIL":
            self.sender = path
            return (verb, path, *self.mode)
        return (verb, self.sender, path, *self.mode) if verb == "RCPT" else (verb, *self.mode)
