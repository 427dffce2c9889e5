"""One connection to one address, as a script that records what it meets.

The steps: connect, greeting, EHLO (HELO after a 5yz), STARTTLS where offered, EHLO again, the transactions,
QUIT. Each transaction is MAIL, RCPT, RSET; there is no DATA to send. Where PIPELINING is offered all of them
and QUIT go out in one write, elsewhere each command waits for the reply to the one before.

Several domains may share a connection. Each has a flight of its own with no other domain's commands in it, so
that no domain's result names another domain; the flight that serves all of them comes last. A connection that
servers would slow down or drop for its length ends before, by `session_limits`.

`SessionSpec` describes the connection; the reducer decides which ones to make. Whatever interrupts the
connection, the script returns a `Session` with everything received until then.
"""

from dataclasses import dataclass, field

from checker_smtp.probes.observation import Ending, Session, Tls, Transaction
from smtp_sansio import (
    Capabilities,
    ConnectionClosed,
    Dialogue,
    Ehlo,
    Failed,
    FailureKind,
    Greeting,
    Helo,
    LocalProtocolError,
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
    Unsolicited,
    tap,
)

from .session_limits import has_room
from .session_log import SHARED, SessionLog, SplitLog, lists_keywords, verb

__all__ = ["SessionSpec", "SharedSession", "run_shared_session"]

_MAX_EXCERPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    """The specification of one connection; `timeout` and `budget` are seconds.

    `domain_flights` are the transactions of each domain that shares the connection; `transactions` come last
    and serve all of them. `starttls`, `ehlo` and `pipelining` are False where the connection goes without.
    """

    purpose: str
    address: str
    port: int
    server_name: str
    helo_name: str
    timeout: float
    budget: float
    transactions: tuple[Transaction, ...]
    domain_flights: tuple[tuple[Transaction, ...], ...] = ()
    starttls: bool = True
    ehlo: bool = True
    pipelining: bool = True

    @property
    def flights(self) -> tuple[tuple[Transaction, ...], ...]:
        """The transactions sent in one write each; a single flight, maybe empty, without domain flights."""
        shared = (self.transactions,) if self.transactions or not self.domain_flights else ()
        return self.domain_flights + shared

    @property
    def is_quit_separate(self) -> bool:
        """True where the last flight belongs to one domain of several, so that QUIT does not ride in it."""
        return len(self.domain_flights) > 1 and not self.transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSession:
    """The result of one connection.

    `sessions` are the connection as each domain knows it, for as many domains as had their flight begun;
    `common` is the connection without any domain's flight. `reached` is True once a transaction began;
    `seconds` is how long the connection took. `is_cut_here` is True where it was this client that left
    domains for another connection.
    """

    sessions: tuple[Session, ...]
    common: Session
    reached: bool
    seconds: float
    is_cut_here: bool = False

    @property
    def head(self) -> Session:
        """The first domain's session, or the common one where the connection ended before its flight."""
        return (*self.sessions, self.common)[0]


def run_shared_session(spec: SessionSpec) -> Script[SharedSession]:
    """Run the connection and return its result; raises nothing.

    A domain's session reads as if the connection had been made for that domain alone: the opening, the
    domain's own flight, the shared flight, and the end.
    """
    transcript = Transcript()
    run = _SessionRun(spec)
    yield from tap(run.run(), transcript.note)
    split = SplitLog(run.log, transcript.entries(), run.ending())
    return SharedSession(
        sessions=tuple(
            split.session(number, spec.domain_flights[number] + spec.transactions)
            for number in range(run.log.domains_begun)
        ),
        common=split.session(SHARED, spec.transactions),
        reached=run.reached,
        seconds=run.dialogue.at,
        is_cut_here=run.is_cut_here,
    )


@dataclass(slots=True)
class _SessionRun:
    """A connection while it is open."""

    spec: SessionSpec
    log: SessionLog = field(init=False)
    reached: bool = False
    is_cut_here: bool = False
    cause: Failed | ConnectionClosed | RemoteProtocolError | None = None

    def __post_init__(self) -> None:
        dialogue = Dialogue(timeout=self.spec.timeout, budget=self.spec.budget)
        self.log = SessionLog(purpose=self.spec.purpose, dialogue=dialogue)

    @property
    def dialogue(self) -> Dialogue:
        return self.log.dialogue

    def run(self) -> Script[None]:
        try:
            yield from self._open()
        except SessionAborted as aborted:
            cause = aborted.cause
            # the run looks at each refusal, and at the keywords before it uses them
            assert not isinstance(cause, Greeting | Reply | LocalProtocolError), cause  # noqa: S101
            self.cause = cause

    def _open(self) -> Script[None]:
        dialogue, spec = self.dialogue, self.spec
        yield from dialogue.connect(spec.address, spec.port)
        self.log.connected_at = dialogue.at
        greeting = yield from dialogue.greet()
        if greeting.reply_class == 2:
            yield from self._hello(first=True)
            self.log.capabilities = dialogue.connection.capabilities or Capabilities()
            if spec.starttls and "STARTTLS" in self.log.capabilities:
                yield from self._secure()
        if self.cause is None:
            yield from self._transact()

    def _hello(self, *, first: bool) -> Script[None]:
        if first and not self.spec.ehlo:
            yield from self.dialogue.ask(Helo(self.spec.helo_name))
            return
        replies = yield from self.dialogue.hello(self.spec.helo_name)
        if first and len(replies) == 2 and (yield from self._is_one_late(replies[1])):
            yield from self.dialogue.ask(Ehlo(self.spec.helo_name))

    def _is_one_late(self, helo: Reply) -> Script[bool]:
        """Return True where EHLO got the reply to something else, and its own reply came after that.

        A proxy's PROXY line before our EHLO has this effect. The reply that is left over is read here, so
        that the next command gets its own; a server that refuses EHLO lists no keywords, and after a 421 no
        EHLO is allowed.
        """
        if self.dialogue.connection.state is State.REFUSED:
            return False
        if any(
            isinstance(logged.event, Unsolicited) and lists_keywords(logged.event)
            for logged in self.dialogue.log
        ):
            return True
        return lists_keywords(helo) and (yield from self.dialogue.wait_for_unsolicited()) is not None

    def _secure(self) -> Script[None]:
        """Send STARTTLS and EHLO again; a failed handshake ends the session and is its cause."""
        server_name = self.spec.server_name
        _, outcome = yield from self.dialogue.starttls(server_name)
        if isinstance(outcome, Failed):
            self.cause = outcome
        elif outcome is not None:
            self.log.tls = Tls(
                version=outcome.version,
                cipher=outcome.cipher,
                server_name=server_name,
                at=outcome.at,
                certificate=outcome.certificate,
            )
            yield from self._hello(first=False)
            self.log.capabilities_tls = self.dialogue.connection.capabilities or Capabilities()

    def _transact(self) -> Script[None]:
        """Send every flight while the server accepts commands, then QUIT."""
        dialogue, spec = self.dialogue, self.spec
        pipelining = spec.pipelining and "PIPELINING" in (dialogue.connection.capabilities or ())
        for number, flight in enumerate(spec.flights):
            if dialogue.connection.state is not State.READY:
                break  # 421, or a transaction that RSET did not end
            if 0 < number < len(spec.domain_flights):
                self.is_cut_here = self.is_cut_here or not has_room(dialogue, number, len(flight))
                if self.is_cut_here:
                    continue
            self.reached = True
            self.log.begin_flight(number if number < len(spec.domain_flights) else SHARED)
            if not pipelining:
                yield from self._one_by_one(flight)
                continue
            commands = [c for t in flight for c in (Mail(t.sender), Rcpt(t.recipient), Rset())]
            if number == len(spec.flights) - 1 and not spec.is_quit_separate:
                yield from dialogue.group(*commands, Quit())
                return
            if commands:
                yield from dialogue.group(*commands)
        self.log.begin_flight(SHARED)
        yield from dialogue.quit()

    def _one_by_one(self, flight: tuple[Transaction, ...]) -> Script[None]:
        dialogue, connection = self.dialogue, self.dialogue.connection
        for transaction in flight:
            mail = yield from dialogue.ask(Mail(transaction.sender))
            if mail.reply_class == 2:
                yield from dialogue.ask(Rcpt(transaction.recipient))
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
            if cause.kind is FailureKind.TIMEOUT and dialogue.at >= self.spec.budget:
                kind = str(FailureKind.BUDGET)  # the last step had less time than the others
        elif isinstance(cause, ConnectionClosed):
            kind, excerpt = "closed", cause.partial
        else:
            kind, detail, excerpt = cause.code, str(cause), cause.excerpt
            # octets in the clear after STARTTLS are never parsed, but they are the evidence
            excerpt = dialogue.connection.trailing_data or excerpt
        return Ending(
            step=self._step(),
            kind=kind,
            detail=detail,
            at=dialogue.at,
            entry=max(dialogue.entry_count - 1, 0),
            excerpt=excerpt[:_MAX_EXCERPT].decode("latin-1"),
        )

    def _step(self) -> str:
        """Return the command that was waiting for its reply at the end, else the last one answered."""
        waiting = self.dialogue.connection.outstanding
        if isinstance(self.cause, ConnectionClosed):
            waiting = self.cause.unanswered
        if self.log.connected_at is None:
            return "connect"
        answered = [logged.event for logged in self.dialogue.log if isinstance(logged.event, Reply)]
        if not (waiting or answered):
            return "greeting"
        command = waiting[0] if waiting else answered[-1].command
        if isinstance(command, StartTls) and not waiting and answered[-1].reply_class == 2:
            return "TLS"
        return verb(command) + (
            " after STARTTLS" if self.log.tls and isinstance(command, Ehlo | Helo) else ""
        )
