"""The domains that wait for one address, and what a scan knows about it."""

from collections import deque
from copy import copy
from dataclasses import dataclass, field

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.observation import Endpoint

from .domain_scan import DomainScan
from .politeness.backoff import MAX_BACKOFFS
from .settings import ScanSettings
from .waiting_evidence import WaitingEvidence

__all__ = ["MAX_LENGTHS", "MAX_RUN", "ServerQueue"]

MAX_LENGTHS = 100_000
"""The addresses whose session lengths are kept, the latest ones; that of another one is learnt again."""

MAX_RUN = 512 * 1024
"""The octets of evidence after which a probe makes no further connection for other domains."""


@dataclass(slots=True)
class ServerQueue:
    """An address and its pending domains; `workers` probe it now, and none while it is `backing_off`.

    `open` are those of the pending domains that hold evidence of other servers: they are first. `backoffs`
    the pauses in a row. `session_lengths` are, by address, those numbers of domains after which a server
    ended a session; all queues share them, and `evidence`.
    """

    endpoint: Endpoint
    settings: ScanSettings
    session_lengths: dict[str, int]
    evidence: WaitingEvidence
    pending: deque[DomainScan] = field(default_factory=deque)
    open: deque[DomainScan] = field(default_factory=deque)
    workers: int = 0
    backoffs: int = 0
    backing_off: bool = False
    _silent_sessions: int = 0
    _cached: EndpointProbe | None = None
    _cached_until: float = 0.0

    @property
    def address(self) -> str:
        return self.endpoint.address

    @property
    def max_domains(self) -> int:
        """The domains that share a session at most."""
        return self.session_lengths.get(self.address, self.settings.per_session)

    def learn_max_domains(self, number: int) -> None:
        """Keep that the server ended a session after `number` domains, for the rest of the scan."""
        if number < self.max_domains:
            self.session_lengths[self.address] = number
            if len(self.session_lengths) > MAX_LENGTHS:
                del self.session_lengths[next(iter(self.session_lengths))]

    def take(self, now: float) -> list[DomainScan]:
        """Remove and return the next domains; none while the server is backing off, or without room for them.

        Evidence of the domains that are returned stays within `MAX_RUN`, as far as it is known before.
        """
        if self.backing_off:
            return []
        within_run = MAX_RUN // self.evidence.expected(self.address) or 1
        number = 1 if self.is_last_attempt(now) else min(self.max_domains, within_run)
        taken: list[DomainScan] = []
        for queue in (self.open, self.pending):
            while queue and len(taken) < number:
                if self.address not in queue[0].asked:
                    if not self.evidence.open(queue[0]):
                        break
                    queue[0].asked |= {self.address}
                    taken.append(queue[0])
                queue.popleft()
        return taken

    def ask_alone(self, domains: list[DomainScan]) -> None:
        """Have one domain asked about at a time, and these without cached facts, as a check asks."""
        for domain in domains:
            self.learn_max_domains(1)
            domain.alone |= {self.address}

    def put_back(self, domains: list[DomainScan]) -> None:
        """Return domains to the front of the queue; those without evidence of other servers are closed."""
        for domain in domains:
            domain.asked -= {self.address}
            if not domain.asked:
                self.evidence.close(domain)
        self.pending.extendleft(reversed(domains))

    def is_last_attempt(self, now: float) -> bool:
        """Return True after the last pause in a row: what the server replies now is reported."""
        probe = self.cached_probe(now)
        is_given_up = probe is not None and probe.facts.failed_session is not None
        return self.backoffs == MAX_BACKOFFS and not is_given_up

    def cached_probe(self, now: float) -> EndpointProbe | None:
        """Return a probe that starts with the facts that are cached at `now`; None where there are none."""
        return copy(self._cached) if self._cached is not None and now < self._cached_until else None

    def cache_facts(self, probe: EndpointProbe, started_at: float, *, replied: bool) -> None:
        """Cache the facts that `probe`, started at `started_at`, found out.

        A probe that started with cached facts does not extend their life. Where the server did not reply at
        all, that is cached from the second time on: one lost connection must not count for every domain.
        """
        self._silent_sessions = 0 if replied else self._silent_sessions + 1
        if self._silent_sessions == 1:
            return
        ttl = self.settings.server_cache_ttl
        if started_at >= self._cached_until:
            self._cached_until = started_at + ttl
        elif started_at < self._cached_until - ttl:
            return
        self._cached = probe

    @property
    def has_facts(self) -> bool:
        """True once facts were cached, even if they have expired since."""
        return self._cached is not None

    def back_off(self, domains: list[DomainScan]) -> float:
        """Put `domains` back and pause the queue. Return the pause in seconds; 0 if it is paused already.

        Each pause is twice as long as the one before; after the last attempt it is the first one again.
        """
        self.put_back(domains)
        if self.backing_off:
            return 0.0
        self.backing_off = True
        self._cached, self._cached_until = None, 0.0
        doublings = self.backoffs % MAX_BACKOFFS
        self.backoffs = min(self.backoffs + 1, MAX_BACKOFFS)
        return self.settings.retry_delay * (1 << doublings)
