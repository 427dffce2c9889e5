"""The steps of a client, as scripts: connect, greet, hello, starttls, ask, group, quit.

A `Dialogue` owns one `Connection` and is driven by `yield from`. It adds the two things that the protocol
core leaves out: timeouts, and the order of commands.

* Each wait is bounded by `timeout`, the longest silence at any one step, and the whole script by
  `budget`. Both are counted by the clock that outcomes carry, so a replay runs out at the same step.
* A session that cannot continue ends in `SessionAborted`, whatever the cause: an effect that failed, the
  peer's close, an unsolicited 421, octets that cannot be parsed. The events received until then are in `log`.
* HELO after a refused EHLO is policy, so it is here, in `hello`, and both replies are returned. A 421
  never triggers it: the server is closing.
* Before a command is sent, everything received is read, up to the end of a reply begun, so that a late
  reply becomes `Unsolicited` instead of answering the next command.
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

# Characters of a reply: as many as of the operating system's longest text for an error.
_MAX_DETAIL = 200


class SessionAborted(Exception):  # noqa: N818 - not an error: the session ended before the script did
    """The session cannot continue: `cause` is the reason, the dialogue's `log` has the events before it."""

    def __init__(self, cause: Failed | ConnectionClosed | RemoteProtocolError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Logged(NamedTuple):
    """An event, when it was received (seconds), and the number of the effect that brought it (from 0)."""

    at: float
    entry: int
    event: Event


class Dialogue:
    """One session as scripts; `timeout` and `budget` are seconds.

    `connection` is its protocol state, `at` the time of the last outcome in seconds, `entries` the number of
    effects so far, `log` the events received.
    """

    def __init__(self, *, timeout: float, budget: float = inf, policy: Policy | None = None) -> None:
        self.connection = Connection(policy)
        self.timeout = timeout
        self.budget = budget
        self.at = 0.0
        self.entries = 0
        self.log: list[Logged] = []

    def connect(self, host: str, port: int) -> Script[None]:
        """Open the connection. Raises `SessionAborted`, as every script here does."""
        self._require_success((yield Connect(host, port, self._time_left())))

    def greet(self) -> Script[Greeting]:
        """Wait for the whole greeting, sending nothing before it (RFC 5321 §4.3.1)."""
        event = yield from self._next_event()
        assert isinstance(event, Greeting), event  # noqa: S101 - the first event of a session
        return event

    def hello(self, name: str) -> Script[tuple[Reply, ...]]:
        """Send EHLO, then HELO where a 5yz refuses EHLO; return the replies in that order."""
        reply = yield from self.ask(Ehlo(name))
        if reply.reply_class != 5:
            return (reply,)
        return reply, (yield from self.ask(Helo(name)))

    def starttls(self, server_name: str) -> Script[tuple[Reply, Secured | Failed | None]]:
        """Send STARTTLS and, where it is accepted, do the handshake with `server_name` as SNI.

        Return the reply and the outcome of the handshake, None where there was none; the session is over
        after a `Failed`. Octets in the clear after the 220 raise `SessionAborted` with a
        `RemoteProtocolError` of the code `starttls.plaintext`, and no handshake is begun.
        """
        reply = yield from self.ask(StartTls())
        if self.connection.state is not State.TLS:
            return reply, None
        if self.connection.trailing_data:
            self._on_tls_established()
        outcome = yield Upgrade(server_name, self._time_left())
        self._count(outcome)
        if isinstance(outcome, Failed):
            self.connection.tls_failed()
            return reply, outcome
        assert isinstance(outcome, Secured), outcome  # noqa: S101 - the driver's contract
        self._on_tls_established()
        return reply, outcome

    def ask(self, command: Command) -> Script[Reply]:
        """Send one command and wait for its reply."""
        (reply,) = yield from self.group(command)
        return reply

    def group(self, *commands: Command) -> Script[tuple[Reply, ...]]:
        """Send commands in one write (RFC 2920) and wait for all the replies."""
        while self._next_received_event() is not None:
            pass
        while self.connection.has_unread:
            yield from self._next_event()
        data = self.connection.send(*commands)
        self._require_success((yield Send(data, self._time_left())))
        replies: list[Reply] = []
        for _ in commands:
            event = self._next_received_event() or (yield from self._next_event())
            assert isinstance(event, Reply), event  # noqa: S101 - a command is outstanding
            replies.append(event)
        return tuple(replies)

    def quit(self) -> Script[Reply]:
        """Send QUIT and wait for its reply."""
        return (yield from self.ask(Quit()))

    def wait_for_unsolicited(self) -> Script[Unsolicited | None]:
        """Wait, as long as at any step, for a reply while no command is outstanding; None where none comes.

        That shows whether the replies before it were those to the commands: the session continues either way.
        """
        while (event := self._next_received_event()) is None:
            outcome = yield Receive(self._time_left())
            if isinstance(outcome, Failed) and outcome.kind is FailureKind.TIMEOUT:
                self._count(outcome)
                return None
            self._require_success(outcome)
            assert isinstance(outcome, Received), outcome  # noqa: S101 - the driver's contract
            self.connection.receive_data(outcome.data)
        assert isinstance(event, Unsolicited), event  # noqa: S101 - no command is outstanding
        return event

    def _time_left(self) -> float:
        """Return the seconds that the next effect may take; `SessionAborted` where the budget is spent."""
        left = self.budget - self.at
        if left <= 0:
            raise SessionAborted(Failed(self.at, FailureKind.BUDGET))
        return min(self.timeout, left)

    def _count(self, outcome: Outcome) -> None:
        self.at = outcome.at
        self.entries += 1

    def _require_success(self, outcome: Outcome) -> None:
        self._count(outcome)
        if isinstance(outcome, Failed):
            raise SessionAborted(outcome)

    def _next_event(self) -> Script[Event]:
        """Return the next event, logged; wait for octets where it is not complete yet."""
        while (event := self._next_received_event()) is None:
            outcome = yield Receive(self._time_left())
            self._require_success(outcome)
            assert isinstance(outcome, Received), outcome  # noqa: S101 - the driver's contract
            self.connection.receive_data(outcome.data)
        return event

    def _next_received_event(self) -> Event | None:
        """Return the next event in the octets received so far, logged; None where there is none."""
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

    def _on_tls_established(self) -> None:
        try:
            self.connection.tls_established()
        except RemoteProtocolError as error:
            raise SessionAborted(error) from None
