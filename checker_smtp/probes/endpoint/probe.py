"""The probe of one address: makes the connections that the reducer asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf

from checker_smtp.probes.bounded import BoundedRunner, TimeBudget
from checker_smtp.probes.evidence_budget import EvidenceBudget, octets_of
from checker_smtp.probes.observation import Session, Transaction
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import Runner
from smtp_sansio import FailureKind

from .probe_state import AddressFacts
from .reducer import advance, begin, settled, without_waiting
from .retry_conditions import last_answers
from .session import SessionSpec, SharedSession, run_shared_session

__all__ = ["EndpointProbe"]

_NO_ROUTE = str(FailureKind.NETWORK_UNREACHABLE)


class EndpointProbe:
    """Asks one address about one domain, or about many whose options differ in the domain only.

    `facts` are what it knows about the address; `run` may be called again while they are held to be true.
    Copies share the follow-ups that were made, so that each is made once however many copies run at a time.
    `connections` counts all connections, and `stopped` is about the last run.
    """

    __slots__ = (
        "_controls",
        "_mx_host",
        "_runner",
        "_seed",
        "_translated",
        "connections",
        "facts",
        "stopped",
    )

    def __init__(
        self,
        runner: Runner,
        options: Options,
        address: str,
        server_name: str,
        seed: int,
        *,
        max_domains: int = 1,
        purpose: str = "main",
        starttls: bool = True,
        translated: str = "",
    ) -> None:
        """Prepare a probe of `address`, which is the MX host `server_name`: the SNI as well.

        At most `max_domains` domains share a connection; `seed` decides what is random; `purpose` names the
        connection in the results; without `starttls` TLS is not tried. `translated` is the address to
        connect to where this machine has no route to `address` itself (RFC 6147).
        """
        spec = SessionSpec(
            purpose=purpose,
            address=address,
            port=options.port,
            server_name=server_name,
            helo_name=options.helo_name,
            timeout=options.timeout,
            budget=options.budget,
            transactions=(),
            starttls=starttls,
        )
        self.facts = AddressFacts(spec=spec, max_domains=max_domains)
        self.connections = 0
        self.stopped = False
        self._runner = runner
        self._seed = seed
        self._translated = translated
        self._mx_host = server_name
        self._controls: dict[tuple[Transaction, ...], Session] = {}

    async def run(
        self,
        domains: Sequence[Options],
        mx_hosts: Mapping[str, str] | None = None,
        stop_after: Callable[[Session], bool] = lambda _: False,
        max_octets: float = inf,
        evidence: EvidenceBudget | None = None,
    ) -> dict[str, tuple[Session, ...]]:
        """Return the sessions of each of these domains by its name, the main one first.

        `mx_hosts` are the names of their MX hosts at this address, where they differ from the probe's.

        Domains are left out of the result, to be asked about later, in two cases. After a session for which
        `stop_after` is true no further connection is made, and `stopped` is True; only domains that need none
        are returned. After `max_octets` of evidence, or a connection that answered none of its domains, no
        connection is made for domains that still wait for their first one. All connections of the run stay
        within `evidence`.
        """
        runner = self._runner
        if evidence is not None:
            runner = BoundedRunner(runner, evidence, TimeBudget(inf))
        names = {options.domain: self._mx_host for options in domains} | dict(mx_hosts or {})
        state, spec = begin(self.facts, domains, self._seed, dict(self._controls), names)
        self.stopped, octets = False, 0
        while spec is not None:
            self.connections += 1
            shared = await runner.run(run_shared_session(spec))
            if self._translated and _has_no_route(shared):
                self.facts = replace(self.facts, spec=replace(self.facts.spec, address=self._translated))
                self._translated = ""
                state, spec = begin(self.facts, domains, self._seed, dict(self._controls), names)
                continue
            # a copy of this probe may have made a follow-up meanwhile
            state, spec = advance(replace(state, controls=dict(self._controls)), shared)
            self._controls.update(state.controls)
            octets += octets_of((*shared.sessions, shared.common))
            self.stopped = any(map(stop_after, (*shared.sessions, shared.common)))
            if self.stopped:
                state, spec = settled(state), None
            elif octets > max_octets or (max_octets < inf and not last_answers(shared.sessions)):
                state, spec = without_waiting(state, spec)
        self.facts = state.facts
        return dict(state.sessions)


def _has_no_route(shared: SharedSession) -> bool:
    session = shared.head
    return session.connected_at is None and session.end is not None and session.end.kind == _NO_ROUTE
