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
or before its turn is the first of the next one; the first one's answers stand, as they would alone.

All connections together stay within one budget of time for each domain.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from .faults import (
    broken_by_tls,
    dropped_at_ehlo,
    incomplete,
    out_of_step,
    relay_answered,
    relayed,
    sni_refused,
)
from .observation import Session, Transaction
from .options import Options
from .ports import Runner
from .session import Plan, Shared, hold_shared

__all__ = ["Visit", "control_address", "probe_endpoint", "transactions_for"]

_WAYS_OUT: tuple[tuple[Callable[[Session], bool], Callable[[Plan], Plan]], ...] = (
    (dropped_at_ehlo, lambda plan: replace(plan, purpose="helo-only", ehlo=False)),
    (sni_refused, lambda plan: replace(plan, purpose="without-sni", server_name="")),
    (broken_by_tls, lambda plan: replace(plan, purpose="without-tls", starttls=False)),
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
    visit = Visit(runner, options, address, server_name, seed)
    return (await visit.ask([options]))[options.domain]


@dataclass(slots=True)
class Visit:
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
    _plan: Plan = field(init=False)
    _openings: list[Session] = field(default_factory=list)  # connections that could not go on
    _last: Shared | None = None
    _relay: Session | None = None  # the one that tells whether the address relays, fit for anybody
    _controls: dict[str, Session] = field(default_factory=dict)
    _left: float = 0.0

    def __post_init__(self) -> None:
        self._plan = Plan(
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
        told: dict[str, list[Session]] = {}
        waiting = deque(guests)
        while waiting:
            chunk = [waiting.popleft() for _ in range(min(self.most, len(waiting)))]
            unheard = await self._ask(chunk, told)
            waiting.extendleft(reversed(unheard))
            if unheard:
                self.most = len(chunk) - len(unheard)
        for guest in guests:
            await self._settle_relay(guest, told[guest.domain])
        return {domain: tuple(sessions) for domain, sessions in told.items()}

    async def _ask(self, chunk: list[Options], told: dict[str, list[Session]]) -> list[Options]:
        """Hold sessions until the first of `chunk` is answered at least; gives back who is not."""
        for guest in chunk:
            told[guest.domain] = [_unasked(opening, guest) for opening in self._openings]
        known = self._last
        if known is None:
            shared = await self._open(chunk, told)
        elif known.reached:
            shared = await self._hold(chunk) or replace(known, sessions=(), reached=False)
        else:
            shared = known
        if shared is None:
            return []
        if shared.reached:
            return await self._hear(chunk, shared, told)
        for guest in chunk:
            told[guest.domain].append(_unasked(shared.common, guest))
        return []

    async def _open(self, chunk: list[Options], told: dict[str, list[Session]]) -> Shared | None:
        """The first session, in the main way or one that the faults of the address leave open.

        None where no time was left for that one, and all is told.
        """
        shared = await self._hold(chunk)
        for fails, way_out in _WAYS_OUT:
            if shared is None or not fails(shared.head):
                continue
            for guest, session in zip_longest(chunk, shared.sessions[: len(chunk)]):
                told[guest.domain].append(session or _unasked(shared.common, guest))
            self._openings.append(shared.common)
            self._plan = way_out(self._plan)
            shared = await self._hold(chunk)
        return shared

    async def _hear(
        self, chunk: list[Options], shared: Shared, told: dict[str, list[Session]]
    ) -> list[Options]:
        """Tell those who were answered, and the first in any case."""
        unheard = []
        for guest, session in zip_longest(chunk, shared.sessions):
            if session is None or (guest is not chunk[0] and incomplete(session, self._flight(guest))):
                unheard.append(guest)
            else:
                told[guest.domain].append(session)
        if self._plan.pipelining and out_of_step(shared.head):
            self._plan = replace(self._plan, purpose="one-by-one", pipelining=False)
            again = await self._hold(chunk[:1])
            told[chunk[0].domain] += [again.head] if again is not None else []
        return unheard

    async def _settle_relay(self, guest: Options, sessions: list[Session]) -> None:
        """Whether the address relays is asked once for all; and the control where it seems to."""
        if not guest.test_open_relay:
            return
        if self._relay is not None and not any(relay_answered(session) for session in sessions):
            sessions.append(self._relay)
        if not relayed(sessions[-1]):
            return
        address = control_address(guest, self.seed)
        if address not in self._controls:
            control = Transaction(purpose="relay-control", sender=guest.sender, recipient=address)
            plan = replace(self._plan, purpose="relay-control", transactions=(control,))
            if (held := await self._run(plan)) is None:
                return
            self._controls[address] = held.common
        sessions.append(self._controls[address])

    async def _hold(self, chunk: list[Options]) -> Shared | None:
        """One more connection, for all of `chunk`; None where no time is left for it."""
        flights = tuple(self._flight(guest) for guest in chunk)
        relay = self._relay_probe()
        if len(chunk) == 1 and self._plan.pipelining:
            # nobody to be kept apart from: everything goes out in one write
            shared = await self._run(replace(self._plan, transactions=flights[0] + relay))
            shared = shared and replace(shared, sessions=(shared.common,))
            self._last = shared or self._last
            return shared
        shared = await self._run(replace(self._plan, guests=flights, transactions=relay))
        if shared is not None:
            self._last = shared
            if relay and relay_answered(shared.common):
                self._relay = shared.common
        return shared

    async def _run(self, plan: Plan) -> Shared | None:
        if self._left <= 0:
            return None
        self.connections += 1
        shared = await self.runner.run(hold_shared(replace(plan, budget=self._left)))
        self._left = round(self._left - shared.seconds, 3)
        return shared

    def _flight(self, guest: Options) -> tuple[Transaction, ...]:
        """What is asked for this domain alone: the relay probe only where it has to be another one."""
        common = self.options.probe_address
        return tuple(t for t in transactions_for(guest) if t.purpose != "relay" or t.recipient != common)

    def _relay_probe(self) -> tuple[Transaction, ...]:
        if self._relay is not None:
            return ()
        return tuple(t for t in transactions_for(self.options) if t.purpose == "relay")


def _unasked(session: Session, guest: Options) -> Session:
    """A session in which it did not come to the guest's transactions."""
    return replace(session, transactions=transactions_for(guest))
