"""One connection to one address, as a script that writes down what it meets.

The steps: connect, greeting, EHLO (HELO after a 5yz), STARTTLS where offered, EHLO again, the transactions,
QUIT. Each transaction is MAIL, RCPT, RSET; there is no DATA to send. Where PIPELINING is offered all of them
and QUIT go out in one write, elsewhere one command waits for the other.

Domains may share a connection, as guests of it. Each has a flight of its own, which no other one rides
on, so that what is told of a domain names no other; the flight that belongs to all of them is the last.

`SessionSpec` says what this connection is for; `endpoint` decides which ones to make. Whatever interrupts the
session, the script returns the `Session` with all that was heard until then.
"""

from dataclasses import dataclass, field

from smtp_sansio import (
    Capabilities,
    ConnectionClosed,
    Dialogue,
    Ehlo,
    Failed,
    FailureKind,
    Helo,
    Mail,
    Quit,
    Rcpt,
    RemoteProtocolError,
    Reply,
    Rset,
    Script,
    SessionAborted,
    StartTls,
    State,
    Transcript,
    tap,
)

from .observation import Ending, Session, Tls, Transaction
from .session_log import SHARED, Closed, SessionLog, verb

__all__ = ["SessionSpec", "SharedSession", "hold_session", "hold_shared"]

_MAX_EXCERPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    """What one connection is to do; `timeout` and `budget` are seconds.

    `guests` are flights of transactions, one for each domain that shares the connection; `transactions`
    come last and belong to all of them.
    """

    purpose: str
    address: str
    port: int
    server_name: str
    helo_name: str
    timeout: float
    budget: float
    transactions: tuple[Transaction, ...]
    guests: tuple[tuple[Transaction, ...], ...] = ()
    starttls: bool = True
    ehlo: bool = True
    pipelining: bool = True

    @property
    def flights(self) -> tuple[tuple[Transaction, ...], ...]:
        """What goes out in one write each; one flight, be it empty, where there are no guests."""
        return (*self.guests, self.transactions) if self.transactions or not self.guests else self.guests

    @property
    def last_is_a_guest(self) -> bool:
        """Whether the last flight is the business of one guest of several: QUIT has no place in it."""
        return len(self.guests) > 1 and not self.transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSession:
    """A connection as each guest knows it (`sessions`, as many as were asked) and as nobody's (`common`).

    `reached` tells whether it came to any transaction, `seconds` how long it took.
    """

    sessions: tuple[Session, ...]
    common: Session
    reached: bool
    seconds: float

    @property
    def head(self) -> Session:
        """The first guest's session; where it did not come to that, what happened."""
        return (*self.sessions, self.common)[0]


def hold_session(plan: SessionSpec) -> Script[Session]:
    """Hold the session that `plan`, without guests, describes; raises nothing."""
    return (yield from hold_shared(plan)).common


def hold_shared(plan: SessionSpec) -> Script[SharedSession]:
    """Hold the session that `plan` describes and return what was seen; raises nothing.

    A guest's session is told as if it had been held for that guest alone: the opening, the guest's own
    flight, the flight that belongs to all, and the end.
    """
    transcript = Transcript()
    course = _SessionRun(plan)
    yield from tap(course.hold(), transcript.note)
    closed = Closed(course.account, transcript.entries(), course.ending())
    return SharedSession(
        sessions=tuple(
            closed.session(number, plan.guests[number] + plan.transactions)
            for number in range(course.account.asked)
        ),
        common=closed.session(SHARED, plan.transactions),
        reached=course.reached,
        seconds=course.dialogue.at,
    )


@dataclass(slots=True)
class _SessionRun:
    """The session as it runs."""

    plan: SessionSpec
    account: SessionLog = field(init=False)
    reached: bool = False
    cause: Failed | ConnectionClosed | RemoteProtocolError | None = None

    def __post_init__(self) -> None:
        dialogue = Dialogue(timeout=self.plan.timeout, budget=self.plan.budget)
        self.account = SessionLog(purpose=self.plan.purpose, dialogue=dialogue)

    @property
    def dialogue(self) -> Dialogue:
        return self.account.dialogue

    def hold(self) -> Script[None]:
        try:
            yield from self._open()
        except SessionAborted as interrupted:
            self.cause = interrupted.cause

    def _open(self) -> Script[None]:
        dialogue, plan = self.dialogue, self.plan
        yield from dialogue.connect(plan.address, plan.port)
        self.account.connected_at = dialogue.at
        greeting = yield from dialogue.greet()
        if greeting.reply_class == 2:
            yield from self._hello(first=True)
            self.account.capabilities = dialogue.connection.capabilities or Capabilities()
            if plan.starttls and "STARTTLS" in self.account.capabilities:
                yield from self._secure()
        if self.cause is None:
            yield from self._transact()

    def _hello(self, *, first: bool) -> Script[None]:
        if first and not self.plan.ehlo:
            yield from self.dialogue.ask(Helo(self.plan.helo_name))
        else:
            yield from self.dialogue.hello(self.plan.helo_name)

    def _secure(self) -> Script[None]:
        """STARTTLS and EHLO again; a handshake that failed ends the session and is its cause."""
        server_name = self.plan.server_name
        _, outcome = yield from self.dialogue.starttls(server_name)
        if isinstance(outcome, Failed):
            self.cause = outcome
        elif outcome is not None:
            self.account.tls = Tls(
                version=outcome.version, cipher=outcome.cipher, server_name=server_name, at=outcome.at
            )
            yield from self._hello(first=False)
            self.account.capabilities_tls = self.dialogue.connection.capabilities or Capabilities()

    def _transact(self) -> Script[None]:
        """Every flight, as long as the server goes along, and QUIT."""
        dialogue, plan = self.dialogue, self.plan
        pipelining = plan.pipelining and "PIPELINING" in (dialogue.connection.capabilities or ())
        for number, flight in enumerate(plan.flights):
            if dialogue.connection.state is not State.READY:
                break  # 421, or a transaction that RSET did not end
            self.reached = True
            self.account.turn(number if number < len(plan.guests) else SHARED)
            if not pipelining:
                yield from self._one_by_one(flight)
                continue
            commands = [c for t in flight for c in (Mail(t.sender), Rcpt(t.recipient), Rset())]
            if number == len(plan.flights) - 1 and not plan.last_is_a_guest:
                yield from dialogue.group(*commands, Quit())
                return
            if commands:
                yield from dialogue.group(*commands)
        self.account.turn(SHARED)
        yield from dialogue.quit()

    def _one_by_one(self, flight: tuple[Transaction, ...]) -> Script[None]:
        dialogue, connection = self.dialogue, self.dialogue.connection
        for wanted in flight:
            mail = yield from dialogue.ask(Mail(wanted.sender))
            if mail.reply_class == 2:
                yield from dialogue.ask(Rcpt(wanted.recipient))
            if connection.state is not State.REFUSED:
                yield from dialogue.ask(Rset())
            if connection.state is not State.READY:
                break

    def ending(self) -> Ending | None:
        cause, dialogue = self.cause, self.dialogue
        if cause is None:
            return None
        detail, excerpt = "", b""
        if isinstance(cause, Failed):
            kind, detail = str(cause.kind), cause.detail
            if cause.kind is FailureKind.TIMEOUT and dialogue.at >= self.plan.budget:
                kind = str(FailureKind.BUDGET)  # the last step had less time than the others
        elif isinstance(cause, ConnectionClosed):
            kind, excerpt = "closed", cause.partial
        else:
            kind, detail, excerpt = cause.code, str(cause), cause.excerpt
            # nobody may read what came in the clear, but it is the evidence
            excerpt = dialogue.connection.trailing_data or excerpt
        return Ending(
            step=self._step(),
            kind=kind,
            detail=detail,
            at=dialogue.at,
            entry=max(dialogue.entries - 1, 0),
            excerpt=excerpt[:_MAX_EXCERPT].decode("latin-1"),
        )

    def _step(self) -> str:
        """What the session was waiting for when it ended; where for nothing, what it had heard last."""
        waiting = self.dialogue.connection.outstanding
        if isinstance(self.cause, ConnectionClosed):
            waiting = self.cause.unanswered
        if self.account.connected_at is None:
            return "connect"
        answered = [logged.event for logged in self.dialogue.log if isinstance(logged.event, Reply)]
        if not (waiting or answered):
            return "greeting"
        command = waiting[0] if waiting else answered[-1].command
        if isinstance(command, StartTls) and not waiting and answered[-1].reply_class == 2:
            return "TLS"
        return verb(command) + (
            " after STARTTLS" if self.account.tls and isinstance(command, Ehlo | Helo) else ""
        )
