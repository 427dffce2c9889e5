"""One address, asked everything: as many connections as its faults make necessary, mostly one.

The main session does all of it. A further one is made only where the main one could not go on, so that one
fault never hides the others:

* EHLO refused and the connection gone with it: `helo-only`.
* The handshake refused our SNI: `without-sni`. Failed otherwise, or STARTTLS or EHLO did: `without-tls`.
* A group of commands answered out of step, or not at all: `one-by-one`.
* The relay probe accepted: `relay-control`, the same question for a mailbox nobody can have.

Domains that share the address are asked for down the same connection, so many of them at a time, and each
is told what it would have been told alone. What belongs to the address is found out once: which kind of
session it can hold, and whether it relays. Whoever was not answered because the connection ended during
or before its turn is asked for down the next one; the first one's answers stand, as they would alone. A
domain to which the relay probe would be addressed has another probe, in its own flight.

All connections together stay within one budget of time for each domain.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from .observation import Ending, Session, Transaction
from .options import Options
from .ports import Runner
from .retry_conditions import (
    broken_by_tls,
    completed,
    dropped_at_ehlo,
    out_of_step,
    relay_answered,
    relayed,
    sni_refused,
)
from .session import SessionSpec, SharedSession, hold_shared

__all__ = ["EndpointProbe", "control_address", "probe_endpoint", "transactions_for"]

_FALLBACKS: tuple[tuple[Callable[[Session], bool], Callable[[SessionSpec], SessionSpec]], ...] = (
    (dropped_at_ehlo, lambda plan: replace(plan, purpose="helo-only", ehlo=False)),
    (sni_refused, lambda plan: replace(plan, purpose="without-sni", server_name="")),
    (broken_by_tls, lambda plan: replace(plan, purpose="without-tls", starttls=False)),
    (out_of_step, lambda plan: replace(plan, purpose="one-by-one", pipelining=False)),
)


def control_address(options: Options, seed: int) -> str:
    """A mailbox that does not exist at a second outside domain; random, but told by the seed."""
    probe_domain = options.probe_address.rpartition("@")[2]
    token = hashlib.sha256(f"{seed}".encode()).hexdigest()[:16]
    return f"nobody-{token}@{options.outside_domain(probe_domain)}"


def transactions_for(options: Options) -> tuple[Transaction, ...]:
    """The transactions to hold, in order; the second is also the control of the first."""
    postmaster = f"postmaster@{options.domain}"
    wanted = []
    if options.test_null_sender:
        wanted.append(Transaction(purpose="null-sender", sender="", recipient=postmaster))
    if options.test_null_sender or options.test_postmaster:
        wanted.append(Transaction(purpose="postmaster", sender=options.sender, recipient=postmaster))
    if options.test_open_relay:
        wanted.append(Transaction(purpose="relay", sender=options.sender, recipient=options.probe_address))
    return tuple(wanted)


async def probe_endpoint(
    options: Options, runner: Runner, address: str, server_name: str, seed: int
) -> tuple[Session, ...]:
    """Every session held with `address`, the main one first; `server_name` is the SNI."""
    visit = EndpointProbe(runner, options, address, server_name, seed)
    return (await visit.ask([options]))[options.domain]


@dataclass(slots=True)
class EndpointProbe:
    """What one address is asked, for one domain or for many whose options differ in nothing else.

    `most` is how many domains may share a connection. `ask` may be called again while what was found out
    about the address is held to be true; `connections` counts all that were made.
    """

    runner: Runner
    options: Options
    address: str
    server_name: str
    seed: int
    most: int = 1
    purpose: str = "main"
    starttls: bool = True
    connections: int = 0
    _plan: SessionSpec = field(init=False)
    _failed_attempts: tuple[Session, ...] = ()  # connections that could not go on
    _last: Session | None = None
    _failed_session: Session | None = None  # the one that did not come to any question
    _relay: Session | None = None  # the one that tells whether the address relays
    _controls: dict[str, Session] = field(default_factory=dict)
    _left: float = 0.0
    _single_domain: bool = False  # one domain, nobody to be kept apart from: everything goes out in one write

    def __post_init__(self) -> None:
        self._plan = SessionSpec(
            purpose=self.purpose,
            starttls=self.starttls,
            address=self.address,
            port=self.options.port,
            server_name=self.server_name,
            helo_name=self.options.helo_name,
            timeout=self.options.timeout,
            budget=self.options.budget,
            transactions=(),
        )

    async def ask(self, guests: Sequence[Options]) -> dict[str, tuple[Session, ...]]:
        """The sessions of each of these domains, by its name, the main one first."""
        self._left = sum(guest.budget for guest in guests)
        self._single_domain = len(guests) == 1 and self._last is None
        told: dict[str, list[Session]] = {}
        waiting = deque(guests)
        while waiting:
            chunk = [waiting.popleft() for _ in range(min(self.most, len(waiting)))]
            unheard = await self._ask(chunk, told)
            waiting.extendleft(reversed(unheard))
            if unheard:
                self.most = len(chunk) - len(unheard)
        await self._settle_relay(guests, told)
        for guest in guests:
            await self._control_relay(guest, told[guest.domain])
        return {domain: tuple(sessions) for domain, sessions in told.items()}

    async def _ask(self, chunk: list[Options], told: dict[str, list[Session]]) -> list[Options]:
        """Hold sessions until the first of `chunk` is answered at least; gives back who is not."""
        for guest in chunk:
            told[guest.domain] = [_unasked(opening, guest) for opening in self._failed_attempts]
        if self._failed_session is None:
            if (shared := await self._open(chunk, told)) is None:
                return []
            if shared.reached:
                self._learn(shared)
                return self._hear(chunk, shared, told)
            self._failed_session = shared.common
        for guest in chunk:
            told[guest.domain].append(_unasked(self._failed_session, guest))
        return []

    async def _open(self, chunk: list[Options], told: dict[str, list[Session]]) -> SharedSession | None:
        """A session held as the last one was, or in a way that the faults it meets leave open.

        None where no time was left for that, and all is told.
        """
        shared = await self._hold(chunk)
        if shared is None and self._last is not None:
            for guest in chunk:
                told[guest.domain].append(_too_late(_unasked(self._last, guest)))
        for fails, way_out in _FALLBACKS:
            plan = way_out(self._plan)
            if shared is None or plan == self._plan or not fails(self._beginning(shared, chunk[0])):
                continue
            for guest, session in _each(chunk, shared):
                told[guest.domain].append(session or _unasked(shared.common, guest))
            self._failed_attempts += (shared.common,)
            self._plan = plan
            shared = await self._hold(chunk)
        return shared

    def _beginning(self, shared: SharedSession, first: Options) -> Session:
        """The first domain's session up to its own flight: what cuts a later one may be their number."""
        own = None if self._single_domain else len(_own(first)) or None
        return replace(shared.head, transactions=shared.head.transactions[:own])

    def _hear(
        self, chunk: list[Options], shared: SharedSession, told: dict[str, list[Session]]
    ) -> list[Options]:
        """Tell those who were answered, and the first in any case; everybody where no time is left."""
        unheard = []
        for guest, session in _each(chunk, shared):
            known = session or _unasked(shared.common, guest)
            if guest is chunk[0] or (session is not None and completed(session, len(_own(guest)))):
                told[guest.domain].append(known)
            elif self._left <= 0:
                told[guest.domain].append(_too_late(known))
            else:
                unheard.append(guest)
        return unheard

    async def _settle_relay(self, guests: Sequence[Options], told: dict[str, list[Session]]) -> None:
        """Whether the address relays is asked once for all, if need be down a connection of its own."""
        sharing = [told[guest.domain] for guest in guests if _shares(guest)]
        lacking = [sessions for sessions in sharing if not any(map(relay_answered, sessions))]
        if lacking and len(guests) > 1 and self._relay is None and self._failed_session is None:
            shared = await self._run(replace(self._plan, transactions=_common(guests)))
            if shared is not None:
                self._learn(shared)
            else:
                for sessions in lacking:
                    sessions[-1] = _too_late(sessions[-1])
        if self._relay is not None:
            for sessions in lacking:
                sessions.append(self._relay)

    async def _control_relay(self, guest: Options, sessions: list[Session]) -> None:
        """Where the address seems to relay, the same question for a mailbox nobody can have."""
        if not guest.test_open_relay or not relayed(sessions[-1]):
            return
        address = control_address(guest, self.seed)
        if address not in self._controls:
            control = Transaction(purpose="relay-control", sender=guest.sender, recipient=address)
            held = await self._run(replace(self._plan, purpose="relay-control", transactions=(control,)))
            if held is None:
                return
            self._controls[address] = held.common
        sessions.append(self._controls[address])

    async def _hold(self, chunk: list[Options]) -> SharedSession | None:
        """One more connection, for all of `chunk`; None where no time is left for it."""
        flights = tuple(map(_own, chunk))
        relay = _common(chunk) if self._relay is None else ()
        if self._single_domain and self._plan.pipelining:
            flights, relay = (flights[0] + relay,), ()
        shared = await self._run(replace(self._plan, guests=flights, transactions=relay))
        if shared is not None:
            self._last = shared.common
        return shared

    def _learn(self, shared: SharedSession) -> None:
        if relay_answered(shared.common):
            self._relay = replace(shared.common, purpose="relay")

    async def _run(self, plan: SessionSpec) -> SharedSession | None:
        if self._left <= 0:
            return None
        self.connections += 1
        shared = await self.runner.run(hold_shared(replace(plan, budget=self._left)))
        self._left = round(self._left - shared.seconds, 3)
        return shared


def _shares(guest: Options) -> bool:
    """Whether the relay probe for this domain is the one that is for everybody."""
    return guest.test_open_relay and guest.probe_address == guest.test_probe_address


def _own(guest: Options) -> tuple[Transaction, ...]:
    """What is asked for this domain alone."""
    wanted = transactions_for(guest)
    return wanted[:-1] if _shares(guest) else wanted


def _common(guests: Sequence[Options]) -> tuple[Transaction, ...]:
    """The relay probe that is for everybody, where any of these domains shares it."""
    return next((transactions_for(guest)[-1:] for guest in guests if _shares(guest)), ())


def _each(chunk: list[Options], shared: SharedSession) -> Iterator[tuple[Options, Session | None]]:
    """Each domain's session, as far as there is one; of common questions only those meant for it."""
    for number, guest in enumerate(chunk):
        session = shared.sessions[number] if number < len(shared.sessions) else None
        if session is not None and not _shares(guest):
            session = replace(session, transactions=session.transactions[: len(_own(guest))])
        yield guest, session


def _unasked(session: Session, guest: Options) -> Session:
    """A session in which it did not come to the guest's transactions."""
    return replace(session, transactions=transactions_for(guest))


def _too_late(session: Session) -> Session:
    """A session in which no time was left for the guest."""
    last = len(session.transcript) - 1
    at = float(session.transcript[last]["at"])
    return replace(
        session, end=session.end or Ending(step="MAIL", kind="budget", detail="", at=at, entry=last)
    )
