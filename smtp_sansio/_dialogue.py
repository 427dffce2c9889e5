"""The steps of a client, as scripts: connect, greet, hello, starttls, ask, group, quit.

A `Dialogue` owns one `Connection` and is driven by `yield from`. It adds the two things that the protocol
core leaves out: timeouts, and the order of commands.

* Each wait is bounded by `timeout`, the longest silence at any one step, and the whole script by
  `budget`. Both are counted by the clock that outcomes carry, so a replay runs out at the same step.
* A session that cannot continue ends in `SessionAborted`, whatever the cause: an effect that failed, the
  peer's close, an unsolicited 421, octets that cannot be parsed, a command that the server refused before or
  did not offer. The events received until then are in `log`. `LocalProtocolError` is left for what no server
  would have allowed, such as RCPT without MAIL.
* HELO after a refused EHLO is policy, so it is here, in `hello`, and both replies are returned. A 421
  never triggers it: the server is closing.
* Before a command is sent, everything received is read, up to the end of a reply begun, so that a late
  reply becomes `Unsolicited` instead of answering the next command.
"""

from math import inf
from typing import NamedTuple, TypeAlias

from ._commands import Command, Ehlo, Helo, Mail, Noop, Quit, Rset, StartTls
from ._connection import Connection, Need
from ._effects import (
    Connect,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    ReadRun,
    Receive,
    Received,
    Script,
    Secured,
    Send,
    Upgrade,
)
from ._errors import LocalProtocolError, RemoteProtocolError
from ._events import ConnectionClosed, Event, Greeting, Reply, Unsolicited
from ._policy import Policy
from ._state import TABLE, State

__all__ = ["Dialogue", "Logged", "SessionAborted"]

# Characters of a reply: as many as of the operating system's longest text for an error.
_MAX_DETAIL = 200

Cause: TypeAlias = Failed | ConnectionClosed | RemoteProtocolError | LocalProtocolError | Greeting | Reply
"""What aborts a session. A `LocalProtocolError` says what was not offered, the last two are refusals."""

# STARTTLS (RFC 3207) and groups (RFC 2920) without the keyword in the reply to EHLO
_NOT_OFFERED = ("state.starttls-not-offered", "pipelining.not-offered")


class SessionAborted(Exception):  # noqa: N818 - not an error: the session ended before the script did
    """The session does not take the next step: `cause` is the reason, the dialogue's `log` the events before.

    `Dialogue.usable` says if other steps are possible: they are where the server refused or did not offer
    just this one (`cause` is a `Reply` or a `LocalProtocolError`). QUIT is possible after every refusal, by
    the greeting and by 421 too. After any other cause each step raises this again, with the same cause.
    """

    def __init__(self, cause: Cause) -> None:
        super().__init__(
            f"the server refused: {cause.code} {cause.text}"
            if isinstance(cause, Greeting | Reply)
            else str(cause)
        )
        self.cause = cause


# where the server takes commands
_OPEN = (State.FRESH, State.READY, State.MAIL, State.RCPT)


class Logged(NamedTuple):
    """An event, when it was received (seconds), and the number of the entry that brought it (from 0).

    Entries are those of a `Transcript`. The last read of a joined entry may be later than `at`.
    """

    at: float
    entry: int
    event: Event


class Dialogue:
    """One session as scripts; `timeout` and `budget` are seconds.

    `connection` is its protocol state, `at` the time of the last outcome in seconds, `entry_count` the
    number of entries that a `Transcript` of it has so far, `log` the events received.
    """

    def __init__(self, *, timeout: float, budget: float = inf, policy: Policy | None = None) -> None:
        self.connection = Connection(policy)
        self.timeout = timeout
        self.budget = budget
        self.at = 0.0
        self.entry_count = 0
        self.log: list[Logged] = []
        self._ended: Cause | None = None
        self._reads = ReadRun()

    @property
    def usable(self) -> bool:
        """True while the server takes commands: it greeted, and accepts this client as far as is known.

        False before the greeting, after one that is no 2yz, after a refused HELO or EHLO until another is
        accepted, after 421, QUIT or a failed handshake, and after any other `SessionAborted`.
        """
        state = self.connection.state
        if self._ended is not None or state not in _OPEN:
            return False
        return state is not State.FRESH or self._refusal_of(Mail) is None

    def connect(self, host: str, port: int) -> Script[None]:
        """Open the connection. Raises `SessionAborted`, as every script here does."""
        effect = Connect(host, port, self._time_left())
        outcome = yield effect
        self._count(effect, outcome)
        if isinstance(outcome, Failed):
            raise SessionAborted(outcome)  # and another address may be tried

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
        effect = Upgrade(server_name, self._time_left())
        outcome = yield effect
        self._count(effect, outcome)
        if isinstance(outcome, Failed):
            self.connection.tls_failed()
            self._ended = outcome
            return reply, outcome
        if isinstance(outcome, Received):
            self.connection.receive_data(outcome.data)
            self._next_received_event()
            self._on_tls_established()
        assert isinstance(outcome, Secured), outcome  # noqa: S101 - the driver's contract
        self._on_tls_established()
        return reply, outcome

    def ask(self, command: Command) -> Script[Reply]:
        """Send one command and wait for its reply."""
        (reply,) = yield from self.group(command)
        return reply

    def group(self, *commands: Command) -> Script[tuple[Reply, ...]]:
        """Send commands in one write (RFC 2920) and wait for all the replies.

        Raises `LocalProtocolError`, and sends nothing, where no server would allow them.
        """
        if self._ended is not None and not (self.connection.state is State.REFUSED and commands == (Quit(),)):
            raise SessionAborted(self._ended)
        while self._next_received_event() is not None:
            pass
        while self.connection.has_unread:
            yield from self._next_event()
        try:
            data = self.connection.send(*commands)
        except LocalProtocolError as error:
            raise self._reading_of(error, commands[0]) from None
        effect = Send(data, self._time_left())
        self._require_success(effect, (yield effect))
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
            effect = Receive(self._time_left())
            outcome = yield effect
            if isinstance(outcome, Failed) and outcome.kind is FailureKind.TIMEOUT:
                self._count(effect, outcome)
                return None
            self._require_success(effect, outcome)
            assert isinstance(outcome, Received), outcome  # noqa: S101 - the driver's contract
            self.connection.receive_data(outcome.data)
        assert isinstance(event, Unsolicited), event  # noqa: S101 - no command is outstanding
        return event

    def _time_left(self) -> float:
        """Return the seconds that the next effect may take; `SessionAborted` where the budget is spent."""
        left = self.budget - self.at
        if left <= 0:
            raise self._abort(Failed(self.at, FailureKind.BUDGET))
        return min(self.timeout, left)

    def _count(self, effect: Effect, outcome: Outcome) -> None:
        self.at = outcome.at
        if not self._reads.is_joined(effect, outcome):
            self.entry_count += 1

    def _require_success(self, effect: Effect, outcome: Outcome) -> None:
        self._count(effect, outcome)
        if isinstance(outcome, Failed):
            raise self._abort(outcome)

    def _abort(self, cause: Cause) -> SessionAborted:
        """Return the exception that ends the session here; every further step raises one with this cause."""
        self._ended = cause
        return SessionAborted(cause)

    def _reading_of(self, error: LocalProtocolError, command: Command) -> SessionAborted | LocalProtocolError:
        """Return the exception for a command that is not allowed: the caller's mistake or the server's no."""
        if error.code in _NOT_OFFERED:
            return SessionAborted(error)
        refusal = self._refusal_of(type(command)) if error.code == "state.command" else None
        return error if refusal is None else SessionAborted(refusal)

    def _refusal_of(self, kind: type[Command]) -> Greeting | Reply | None:
        """Return the refusal without which a command of this kind would be allowed now, if there is one."""
        state = self.connection.state
        replies = [event for _, _, event in reversed(self.log) if isinstance(event, Greeting | Reply)]
        if state is State.REFUSED:
            return next((one for one in replies if isinstance(one, Greeting) or one.code == 421), None)
        for reply in replies:
            command = type(reply.command) if isinstance(reply, Reply) else None
            accepted, _ = TABLE[state].get(command, (state, state))
            if reply.reply_class != 2 and kind in TABLE[accepted]:
                return reply
            if reply.reply_class == 2 and command not in (Noop, Rset):
                break
        return None

    def _next_event(self) -> Script[Event]:
        """Return the next event, logged; wait for octets where it is not complete yet."""
        while (event := self._next_received_event()) is None:
            effect = Receive(self._time_left())
            outcome = yield effect
            self._require_success(effect, outcome)
            assert isinstance(outcome, Received), outcome  # noqa: S101 - the driver's contract
            self.connection.receive_data(outcome.data)
        return event

    def _next_received_event(self) -> Event | None:
        """Return the next event in the octets received so far, logged; None where there is none."""
        try:
            event = self.connection.next_event()
        except RemoteProtocolError as error:
            raise self._abort(error) from None
        if isinstance(event, Need):
            return None
        self.log.append(Logged(self.at, self.entry_count - 1, event))
        if isinstance(event, ConnectionClosed):
            raise self._abort(event)
        if isinstance(event, Unsolicited) and event.code == 421:
            raise self._abort(Failed(self.at, FailureKind.CLOSED, event.text[:_MAX_DETAIL]))
        return event

    def _on_tls_established(self) -> None:
        try:
            self.connection.tls_established()
        except RemoteProtocolError as error:
            raise self._abort(error) from None
