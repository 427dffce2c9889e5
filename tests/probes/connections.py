"""Results of connections as data, for the reducer: what its tests share."""

from collections.abc import Mapping
from dataclasses import replace

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.endpoint.follow_ups import control_address
from checker_smtp.probes.endpoint.probe_state import AddressFacts, ProbeState, Step
from checker_smtp.probes.endpoint.reducer import begin
from checker_smtp.probes.endpoint.session import SessionSpec, SharedSession
from checker_smtp.probes.observation import Ending, ReplySeen, Session, Transaction
from checker_smtp.probes.options import Options
from tests.probes.world import options

SEED = 7
ALFA, BRAVO, CHARLIE = DOMAINS = tuple(map(options, ("alfa.test", "bravo.test", "charlie.test")))
SPEC = SessionSpec(
    purpose="main",
    address="192.0.2.7",
    port=25,
    server_name="mx.example.org",
    helo_name="probe.test",
    timeout=12.0,
    budget=60.0,
    transactions=(),
)
OPEN = Session(purpose="main", connected_at=0.1, transcript=({"do": "connect", "at": 0.5},))
RELAY = transactions_for(ALFA)[-1:]
CONTROL = control_address(ALFA, SEED)


def facts(**given: object) -> AddressFacts:
    return replace(AddressFacts(spec=SPEC, max_domains=10), **given)  # type: ignore[arg-type]


def started(*domains: Options, known: AddressFacts | None = None, controls: Mapping = {}) -> Step:  # type: ignore[type-arg]
    return begin(known or facts(), domains or DOMAINS, SEED, controls)


def reply(code: int) -> ReplySeen:
    return ReplySeen(code=code, text="", raw=f"{code}\r\n", at=0.5, entry=0)


def ended(step: str, kind: str = "closed", detail: str = "") -> Ending:
    return Ending(step=step, kind=kind, detail=detail, at=0.5, entry=0)


def answers(flight: tuple[Transaction, ...], relay: int = 554) -> tuple[Transaction, ...]:
    return tuple(
        replace(t, mail=reply(250), rcpt=reply(relay if "relay" in t.purpose else 250), rset=reply(250))
        for t in flight
    )


def connection(
    spec: SessionSpec | None, answered: int | None = None, *, relay: int = 554, seconds: float = 1.0
) -> SharedSession:
    """The result of a connection that answered all flights; or the first so many, and no shared one."""
    assert spec is not None
    base = replace(OPEN, purpose=spec.purpose)
    shared = spec.transactions if answered is not None else answers(spec.transactions, relay)
    flights = [answers(flight, relay) for flight in spec.domain_flights[:answered]]
    if answered is not None:
        base = replace(base, end=ended("MAIL"))
        flights += spec.domain_flights[answered : answered + 1]
    return SharedSession(
        sessions=tuple(replace(base, transactions=flight + shared) for flight in flights),
        common=replace(base, transactions=shared),
        reached=True,
        seconds=seconds,
    )


def broken(spec: SessionSpec | None, fault: Session, seconds: float = 1.0) -> SharedSession:
    """The result of a connection that reached no question."""
    assert spec is not None
    common = replace(fault, purpose=spec.purpose, transactions=spec.transactions)
    return SharedSession(sessions=(), common=common, reached=False, seconds=seconds)


def purposes(state: ProbeState, domain: Options = ALFA) -> list[str]:
    return [session.purpose for session in state.sessions[domain.domain]]


def names(spec: SessionSpec | None) -> list[str]:
    """The domains of the flights."""
    assert spec is not None
    return [flight[0].recipient.rpartition("@")[2] for flight in spec.domain_flights]
