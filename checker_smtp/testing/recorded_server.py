"""A server that repeats what recorded servers replied, to a client that asks in another order, or asks less.

A replay follows a record line by line, so it cannot serve a client that leaves a question out. This server
looks each reply up by the command, before and after TLS. Where the record has no reply the connection ends
as it did then.
"""

from typing import TypeAlias, TypeVar

from checker_smtp.probes.observation import Ending, Observation, ReplySeen, Session
from smtp_sansio import Connect, Failed, FailureKind, Script

from .session import Output, ScriptRunner, ServerSession, resume

__all__ = ["RecordedServer"]

_T = TypeVar("_T")
_Key: TypeAlias = tuple[str, ...]


class RecordedServer:
    """A `Runner` over the servers of an observation.

    `connected` lists the addresses of its connections in order, `received` the lines of all of them.
    """

    def __init__(self, observation: Observation) -> None:
        self._replies = {endpoint.address: _replies(endpoint.sessions) for endpoint in observation.endpoints}
        self.connected: list[str] = []
        self.received: list[str] = []

    async def run(self, script: Script[_T]) -> _T:
        """Run `script` against the server of the address that it connects to; never waits.

        Raises `KeyError` for an address that is not in the observation.
        """
        effect = next(script)
        if not isinstance(effect, Connect):
            raise TypeError(f"the script begins with {effect} instead of connecting")
        self.connected.append(effect.host)
        session = _RecordedSession(self._replies[effect.host], self.received)
        return ScriptRunner(session, seconds_per_step=0.0).run(resume(effect, script))


def _replies(sessions: tuple[Session, ...]) -> dict[_Key, Output]:
    """Return the first reply to each command, or how the connection ended there."""
    replies: dict[_Key, Output] = {}
    for session in sessions:
        if session.end is not None and session.connected_at is None:
            replies["connect",] = _failed(session.end)
        mode = ("TLS",) if session.tls else ()
        for key, reply in _seen(session, mode).items():
            if reply is not None:
                replies.setdefault(key, reply.raw.encode("latin-1"))
        if session.end is not None:
            replies.setdefault((session.end.step, *mode), _failed(session.end))
    return replies


def _seen(session: Session, mode: _Key) -> dict[_Key, ReplySeen | None]:
    seen: dict[_Key, ReplySeen | None] = {
        ("greeting",): session.greeting,
        ("EHLO",): session.ehlo,
        ("HELO",): session.helo,
        ("STARTTLS",): session.starttls,
        ("EHLO", "TLS"): session.ehlo_tls,
    }
    for t in session.transactions:
        seen["MAIL", t.sender, *mode] = t.mail
        seen["RCPT", t.sender, t.recipient, *mode] = t.rcpt
        seen["RSET", *mode] = t.rset
    return seen


def _failed(end: Ending) -> Failed:
    kind = FailureKind.RESET if end.kind not in list(FailureKind) else FailureKind(end.kind)
    return Failed(end.at, kind, end.detail)


class _RecordedSession(ServerSession):
    """One connection; each reply is a read of its own."""

    def __init__(self, replies: dict[_Key, Output], received: list[str]) -> None:
        self._replies = replies
        self._received = received
        self._mode: _Key = ()
        self._sender = ""

    def accept(self) -> Failed | None:
        return self._failure("connect")

    def greet(self) -> list[Output]:
        return [self._reply(("greeting",))]

    def receive(self, data: bytes) -> list[Output]:
        lines = data.decode("ascii").splitlines()
        self._received += lines
        return [self._reply(self._key(line)) for line in lines]

    def start_tls(self, server_name: str) -> Failed | None:
        if server_name and (failed := self._failure("TLS")):
            return failed
        self._mode = ("TLS",)
        return None

    def idle(self) -> bytes | Failed:
        raise AssertionError("the client reads where no reply is due")

    def _failure(self, step: str) -> Failed | None:
        failed = self._replies.get((step,))
        return failed if isinstance(failed, Failed) else None

    def _key(self, line: str) -> _Key:
        verb, _, argument = line.partition(" ")
        path = argument.partition("<")[2].removesuffix(">")
        if verb == "MAIL":
            self._sender = path
            return (verb, path, *self._mode)
        return (verb, self._sender, path, *self._mode) if verb == "RCPT" else (verb, *self._mode)

    def _reply(self, key: _Key) -> Output:
        usual = b"221 bye\r\n" if key[0] == "QUIT" else b"250 ok\r\n"
        return self._replies.get(key) or self._replies.get((key[0], *self._mode)) or usual
