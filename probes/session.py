"""One connection to one address, as a script that writes down what it meets.

The steps: connect, greeting, EHLO (HELO after a 5yz), STARTTLS where offered, EHLO again, the transactions,
QUIT. Each transaction is MAIL, RCPT, RSET; there is no DATA to send. Where PIPELINING is offered all of them
and QUIT go out in one write, elsewhere one command waits for the other.

`Plan` says what this connection is for; `endpoint` decides which ones to make. Whatever interrupts the
session, the script returns the `Session` with all that was heard until then.
"""

from dataclasses import dataclass, field, replace

from smtp_sansio import (
    Capabilities,
    Command,
    ConnectionClosed,
    Dialogue,
    Ehlo,
    Failed,
    FailureKind,
    Greeting,
    Helo,
    Interrupted,
    Mail,
    Quit,
    Rcpt,
    RemoteProtocolError,
    Reply,
    Rset,
    Script,
    StartTls,
    State,
    Transcript,
    Unsolicited,
    tap,
)

from .observation import Ending, Irregularity, Keyword, ReplySeen, Session, Tls, Transaction

__all__ = ["Plan", "hold_session"]

_MAX_EXCERPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one connection is to do; `timeout` and `budget` are seconds."""

    purpose: str
    address: str
    port: int
    server_name: str
    helo_name: str
    timeout: float
    budget: float
    transactions: tuple[Transaction, ...]
    starttls: bool = True
    ehlo: bool = True
    pipelining: bool = True


def hold_session(plan: Plan) -> Script[Session]:
    """Hold the session that `plan` describes and return what was seen; raises nothing."""
    transcript = Transcript()
    notes = _Notes(plan)
    yield from tap(notes.hold(), transcript.note)
    return notes.session(transcript)


@dataclass(slots=True)
class _Notes:
    """What is being written down; the dialogue's log is the source, this only sorts it."""

    plan: Plan
    dialogue: Dialogue = field(init=False)
    connected_at: float | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    capabilities_tls: Capabilities = field(default_factory=Capabilities)
    tls: Tls | None = None
    cause: Failed | ConnectionClosed | RemoteProtocolError | None = None

    def __post_init__(self) -> None:
        self.dialogue = Dialogue(timeout=self.plan.timeout, budget=self.plan.budget)

    def hold(self) -> Script[None]:
        try:
            yield from self._open()
        except Interrupted as interrupted:
            self.cause = interrupted.cause

    def _open(self) -> Script[None]:
        dialogue, plan = self.dialogue, self.plan
        yield from dialogue.connect(plan.address, plan.port)
        self.connected_at = dialogue.at
        greeting = yield from dialogue.greet()
        if greeting.reply_class == 2:
            yield from self._hello(first=True)
            self.capabilities = dialogue.connection.capabilities or Capabilities()
            if plan.starttls and "STARTTLS" in self.capabilities:
                yield from self._secure()
        if self.cause is not None:
            return
        if dialogue.connection.state is State.READY:
            yield from self._transact()
        else:
            yield from dialogue.quit()

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
            self.tls = Tls(
                version=outcome.version, cipher=outcome.cipher, server_name=server_name, at=outcome.at
            )
            yield from self._hello(first=False)
            self.capabilities_tls = self.dialogue.connection.capabilities or Capabilities()

    def _transact(self) -> Script[None]:
        dialogue, connection = self.dialogue, self.dialogue.connection
        if self.plan.pipelining and "PIPELINING" in (connection.capabilities or ()):
            flight = [c for t in self.plan.transactions for c in (Mail(t.sender), Rcpt(t.recipient), Rset())]
            yield from dialogue.group(*flight, Quit())
            return
        for wanted in self.plan.transactions:
            mail = yield from dialogue.ask(Mail(wanted.sender))
            if mail.reply_class == 2:
                yield from dialogue.ask(Rcpt(wanted.recipient))
            if connection.state is not State.REFUSED:
                yield from dialogue.ask(Rset())
            if connection.state is not State.READY:
                break  # 421, or a transaction that RSET did not end
        yield from dialogue.quit()

    def session(self, transcript: Transcript) -> Session:
        """Sort the log into a `Session`."""
        greeting: ReplySeen | None = None
        unsolicited: list[ReplySeen] = []
        hellos: dict[str, ReplySeen] = {}  # the verb, after STARTTLS with an asterisk
        transactions = list(self.plan.transactions)
        turn = -1
        for logged in self.dialogue.log:
            event = logged.event
            if isinstance(event, ConnectionClosed):
                continue
            seen = _seen(event, logged.at, logged.entry)
            if isinstance(event, Greeting):
                greeting = seen
            elif isinstance(event, Unsolicited):
                unsolicited.append(seen)
            elif isinstance(event.command, Mail):
                turn += 1
                transactions[turn] = replace(transactions[turn], mail=seen)
            elif isinstance(event.command, Rcpt):
                transactions[turn] = replace(transactions[turn], rcpt=seen)
            elif isinstance(event.command, Rset):
                transactions[turn] = replace(transactions[turn], rset=seen)
            else:
                again = "*" if "STARTTLS" in hellos else ""
                hellos[_verb(event.command) + again] = seen
        return Session(
            purpose=self.plan.purpose,
            connected_at=self.connected_at,
            greeting=greeting,
            ehlo=hellos.get("EHLO"),
            helo=hellos.get("HELO"),
            capabilities=_keywords(self.capabilities),
            starttls=hellos.get("STARTTLS"),
            tls=self.tls,
            ehlo_tls=hellos.get("EHLO*"),
            capabilities_tls=_keywords(self.capabilities_tls),
            transactions=tuple(transactions),
            quit=hellos.get("QUIT*") or hellos.get("QUIT"),
            unsolicited=tuple(unsolicited),
            end=self._ending(),
            transcript=transcript.entries(),
        )

    def _ending(self) -> Ending | None:
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
        if self.connected_at is None:
            return "connect"
        answered = [logged.event for logged in self.dialogue.log if isinstance(logged.event, Reply)]
        if not (waiting or answered):
            return "greeting"
        command = waiting[0] if waiting else answered[-1].command
        if isinstance(command, StartTls) and not waiting and answered[-1].reply_class == 2:
            return "TLS"
        return _verb(command) + (" after STARTTLS" if self.tls and isinstance(command, Ehlo | Helo) else "")


def _seen(event: Greeting | Reply | Unsolicited, at: float, entry: int) -> ReplySeen:
    return ReplySeen(
        code=event.code,
        text=event.text,
        raw=event.raw.decode("latin-1"),
        at=at,
        entry=entry,
        enhanced_code=event.enhanced_code or "",
        deviations=tuple(
            Irregularity(
                kind=str(d.kind),
                line=d.line,
                offset=d.offset,
                excerpt=d.excerpt.decode("latin-1"),
                reference=d.kind.reference,
            )
            for d in event.deviations
        ),
    )


def _verb(command: Command) -> str:
    return command.line.split(" ")[0]


def _keywords(capabilities: Capabilities) -> tuple[Keyword, ...]:
    return tuple(Keyword(keyword=k, parameters=p) for k, p in capabilities.entries)
