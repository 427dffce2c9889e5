"""The server's side of one connection, without I/O, and a client script run against it without sockets.

A `ServerSession` is given what the client does and returns what the client finds: octets, or a failure. The
same session works in two adapters. `ScriptRunner` runs a client's script against it, with a clock that
advances by a fixed step; `checker_smtp.testing.stream` serves it over a byte stream.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

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

__all__ = ["Output", "Pause", "ScriptRunner", "ServerSession", "drive", "resume"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Pause:
    """The server does nothing for `seconds`."""

    seconds: float


Output: TypeAlias = bytes | Failed | Pause
"""Octets for one read, how the connection fails (`FailureKind.CLOSED`: the stream ends), or a pause."""


class ServerSession(ABC):
    """One connection as the server sees it; a subclass is a kind of server.

    After a method has set `wants_tls` the adapter performs a TLS handshake, after one has set `closing` it
    closes the connection.
    """

    wants_tls = False
    closing = False

    def accept(self) -> Failed | None:
        """Return why the connection cannot be opened, or None."""
        return None

    def greet(self) -> Iterable[Output]:
        """Return what the client finds before it has sent anything (RFC 5321 §3.1)."""
        return ()

    @abstractmethod
    def receive(self, data: bytes) -> Iterable[Output]:
        """Return what the client finds after it has sent `data`: several lines, or part of one."""

    @abstractmethod
    def start_tls(self, server_name: str) -> Failed | None:
        """Return why the handshake fails, or None: the session continues under TLS (RFC 3207 §4.2)."""

    def idle(self) -> bytes | Failed:
        """Return what the client finds when it reads and nothing is left: a timeout, unless overridden."""
        return Failed(0.0, FailureKind.TIMEOUT)


class ScriptRunner:
    """Runs a client's script against one `ServerSession`; each effect takes `seconds_per_step`."""

    def __init__(self, session: ServerSession, seconds_per_step: float = 0.01) -> None:
        self._session = session
        self._seconds_per_step = seconds_per_step
        self._clock = 0.0
        self._unread: deque[Output] = deque()

    def run(self, script: Script[_T]) -> _T:
        """Drive `script` to its end and return its value. Raises what it raises."""
        return drive(script, self.outcome)

    def outcome(self, effect: Effect) -> Outcome:
        """Advance the clock, and return what `effect` results in."""
        self._clock = round(self._clock + self._seconds_per_step, 3)
        return self.perform(effect)

    def perform(self, effect: Effect) -> Outcome:
        """Return what `effect` results in at this time; a subclass may let it fail instead."""
        if effect.timeout <= 0:
            return Failed(self._clock, effect.late)
        match effect:
            case Connect():
                if failed := self._session.accept():
                    return self.fail(failed)
                self._unread += self._session.greet()
            case Upgrade():
                if failed := self._session.start_tls(effect.server_name):
                    return self.fail(failed)
                return Secured(self._clock, "TLSv1.3", "TLS_AES_256_GCM_SHA384")
            case Send():
                self._unread += self._session.receive(effect.data)
            case Receive():
                return self._read()
        return Done(self._clock)

    def _read(self) -> Outcome:
        output: Output = self._unread.popleft() if self._unread else self._session.idle()
        while isinstance(output, Pause):
            self._clock = round(self._clock + output.seconds, 3)
            output = self._unread.popleft() if self._unread else self._session.idle()
        if isinstance(output, bytes):
            return Received(self._clock, output)
        # A connection that has failed stays failed.
        self._unread.appendleft(output)
        return Received(self._clock, b"") if output.kind is FailureKind.CLOSED else self.fail(output)

    def fail(self, failed: Failed) -> Failed:
        """Return this failure at this time."""
        return Failed(self._clock, failed.kind, failed.detail)


def drive(script: Script[_T], outcome: Callable[[Effect], Outcome]) -> _T:
    """Run `script` to its end, with `outcome` called for each effect, and return its value."""
    try:
        effect = next(script)
        while True:
            effect = script.send(outcome(effect))
    except StopIteration as stop:
        value: _T = stop.value
        return value


def resume(effect: Effect, script: Script[_T]) -> Script[_T]:
    """Return `script` as it was before its first `effect` was taken from it.

    A runner that serves many addresses takes the first effect, which is a `Connect`, to choose the server.
    """
    try:
        while True:
            effect = script.send((yield effect))
    except StopIteration as stop:
        value: _T = stop.value
        return value
