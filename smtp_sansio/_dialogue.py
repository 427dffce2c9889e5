"""The moves of a client, as scripts: connect, greet, hello, starttls, ask, group, quit.

A `Dialogue` owns one `Connection` and is driven by `yield from`. It adds what the protocol core leaves
out: how long to wait, and what to say next.

* Each wait is bounded by `timeout`, the longest silence at any one step, and the whole script by
  `budget`. Both are counted by the clock that outcomes carry, so a replay runs out at the same step.
* A session that cannot go on ends in `SessionAborted`, whatever the cause: an effect that failed, the
  peer's close, a 421 nobody asked for, octets that make no sense. What was heard until then is in `log`.
* HELO after a refused EHLO is policy, so it is here, in `hello`, and both replies are given back. A 421
  never triggers it: the server is closing.
* Before speaking, everything the server has said is read, up to the end of a reply begun, so that a late
  reply is told as `Unsolicited` instead of answering the next command.
"""

from math import inf
from typing import NamedTuple

from ._commands import Command, Ehlo, Helo, Quit, StartTls
from ._connection import Connection, Need
from ._effects import (
    Connect,
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
from ._errors import RemoteProtocolError
from ._events import ConnectionClosed, Event, Greeting, Reply, Unsolicited
from ._policy import Policy
from ._state import State

__all__ = ["Dialogue", "Logged", "SessionAborted"]

# As much of a reply as the operating system's longest words for an error.
_MAX_DETAIL = 200


class SessionAborted(Exception):  # noqa: N818 - not an error: the session ended before the script did
    """The session cannot go on; `cause` says why, and the dialogue's `log` what was heard before."""

    def __init__(self, cause: Failed | ConnectionClosed | RemoteProtocolError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Logged(NamedTuple):
    """An event, when it was heard (seconds), and the number of the effect that brought it (from 0)."""

    at: float
    entry: int
    event: Event


class Dialogue:
    """One session told as scripts; `timeout` and `budget` are seconds."""

    def __init__(self, *, timeout: float, budget: float = inf, policy: Policy | None = None) -> None:
        self.connection = Connection(policy)
        self.timeout = timeout
        self.budget = budget
        self.at = 0.0
        self.entries = 0
        self.log: list[Logged] = []

    def connect(self, host: str, port: int) -> Script[None]:
        """Open the connection. Raises `SessionAborted`, as every script here does."""
        self._done((yield Connect(host, port, self._patience())))

    def greet(self) -> Script[Greeting]:
        """Wait for the whole greeting, saying nothing before it (RFC 5321 §4.3.1)."""
        event = yield from self._listen()
        assert isinstance(event, Greeting), event  # noqa: S101 - the first event of a session
        return event

    def hello(self, name: str) -> Script[tuple[Reply, ...]]:
        """EHLO, then HELO where EHLO is refused for good; the replies in that order."""
        reply = yield from self.ask(Ehlo(name))
        if reply.reply_class != 5:
            return (reply,)
        return reply, (yield from self.ask(Helo(name)))

    def starttls(self, server_name: str) -> Script[tuple[Reply, Secured | Failed | None]]:
        """STARTTLS and, where it is accepted, the handshake: the reply and what became of it.

        The session is over after a `Failed`. Octets in the clear after the 220 are `SessionAborted` by a
        `RemoteProtocolError` with the code `starttls.plaintext`, and no handshake is begun.
        """
        reply = yield from self.ask(StartTls())
        if self.connection.state is not State.TLS:
            return reply, None
        if self.connection.trailing_data:
            self._established()
        outcome = yield Upgrade(server_name, self._patience())
        self._note(outcome)
        if isinstance(outcome, Failed):
            self.connection.tls_failed()
            return reply, outcome
        assert isinstance(outcome, Secured), outcome  # noqa: S101 - the driver's contract
        self._established()
        return reply, outcome

    def ask(self, command: Command) -> Script[Reply]:
        """Say one command and wait for its reply."""
        (reply,) = yield from self.group(command)
        return reply

    def group(self, *commands: Command) -> Script[tuple[Reply, ...]]:
        """Say commands in one write (RFC 2920) and wait for all the replies."""
        while self._read() is not None:
            pass
        while self.connection.has_unread:
            yield from self._listen()
        data = self.connection.send(*commands)
        self._done((yield Send(data, self._patience())))
        replies: list[Reply] = []
        for _ in commands:
            event = self._read() or (yield from self._listen())
            assert isinstance(event, Reply), event  # noqa: S101 - a command is outstanding
            replies.append(event)
        return tuple(replies)

    def quit(self) -> Script[Reply]:
        """QUIT."""
        return (yield from self.ask(Quit()))

    def _patience(self) -> float:
        """Seconds the next effect may take; `SessionAborted` where the budget is spent."""
        left = self.budget - self.at
        if left <= 0:
            raise SessionAborted(Failed(self.at, FailureKind.BUDGET))
        return min(self.timeout, left)

    def _note(self, outcome: Outcome) -> None:
        self.at = outcome.at
        self.entries += 1

    def _done(self, outcome: Outcome) -> None:
        self._note(outcome)
        if isinstance(outcome, Failed):
            raise SessionAborted(outcome)

    def _listen(self) -> Script[Event]:
        """The next event, received if need be and logged."""
        while (event := self._read()) is None:
            outcome = yield Receive(self._patience())
            self._done(outcome)
            assert isinstance(outcome, Received), outcome  # noqa: S101 - the driver's contract
            self.connection.receive_data(outcome.data)
        return event

    def _read(self) -> Event | None:
        """The next event out of what was received already, logged."""
        try:
            event = self.connection.next_event()
        except RemoteProtocolError as error:
            raise SessionAborted(error) from None
        if isinstance(event, Need):
            return None
        self.log.append(Logged(self.at, self.entries - 1, event))
        if isinstance(event, ConnectionClosed):
            raise SessionAborted(event)
        if isinstance(event, Unsolicited) and event.code == 421:
            raise SessionAborted(Failed(self.at, FailureKind.CLOSED, event.text[:_MAX_DETAIL]))
        return event

    def _established(self) -> None:
        try:
            self.connection.tls_established()
        except RemoteProtocolError as error:
            raise SessionAborted(error) from None
