"""The second stage of a scan: the domains that share a server are asked about in one session.

Domains are collected in batches, and each is put into the queue of every address it has. A session takes
several domains from one queue. Facts about the address that the first session finds out are cached, and
later ones do not ask for them again. A server that throttles us gets a pause, and its domains stay in the
queue; after the last pause it is asked about one domain, as by a check. A domain whose own recipients were
deferred, as greylisting does, is probed a second time if `--retry-deferred` is given. A domain has no more
evidence than a check keeps: where it might have ended its session earlier, it is asked about again, alone. It
goes on to the next stage when its last address has answered.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from math import inf
from typing import TypeAlias, TypeVarTuple

import anyio
from anyio.abc import TaskGroup

from checker_smtp.probes.check import server_name
from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.evidence_budget import EvidenceBudget, octets_of
from checker_smtp.probes.observation import Endpoint, Session
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import Runner
from checker_smtp.probes.registered_domain import provider_of
from checker_smtp.probes.retry import is_deferred, merge_retry, retry_options

from .domain_evidence import budget_of_run, is_cut
from .domain_scan import DomainScan
from .politeness.backoff import is_throttled
from .politeness.exclusions import Exclusions
from .politeness.limiter import PolitenessLimiter, RateLimitedRunner, ScanStopping
from .server_queue import MAX_RUN, ServerQueue
from .settings import ScanSettings
from .stages import Sink, Source, for_each
from .waiting_evidence import WAITING_LIMIT, WaitingEvidence

__all__ = ["ServerScheduler"]

_Ts = TypeVarTuple("_Ts")
_Sessions: TypeAlias = dict[str, tuple[Session, ...]]

# Idle servers whose facts stay cached: the ones that many domains share come again and again.
_MAX_IDLE_SERVERS = 2000
_EXCLUDED = Session.not_made("on the stop list of this scan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerScheduler:
    """Has the servers of domains probed by `runner`, within the limits; `seed` decides what is random.

    `session_lengths` are, by address, the numbers of domains after which a server ended a session. The
    next stage closes the `evidence` of each domain.
    """

    settings: ScanSettings
    runner: Runner
    limiter: PolitenessLimiter
    exclusions: Exclusions
    seed: int
    session_lengths: dict[str, int] = field(default_factory=dict)
    evidence: WaitingEvidence = field(default_factory=lambda: WaitingEvidence(EvidenceBudget(WAITING_LIMIT)))

    async def run(self, domains: Source[DomainScan], probed: Sink[DomainScan]) -> None:
        """Probe the servers of all domains; end early when the limiter is stopping and no session is open."""
        ready, waiting = anyio.create_memory_object_stream[ServerQueue](inf)
        with ready, waiting:
            async with anyio.create_task_group() as group:
                schedule = _Schedule(self, probed, ready, group)
                group.start_soon(for_each, schedule.work, waiting, 2 * self.settings.concurrency)
                with anyio.CancelScope() as intake:
                    group.start_soon(schedule.end_at_stop, intake)
                    await schedule.take_in(domains)
                domains.close()
                await schedule.wait_until_over()
                group.cancel_scope.cancel()


class _Schedule:
    """The servers of one run, their domains, and the workers that probe them; `ready` wakes a worker."""

    def __init__(
        self,
        scheduler: ServerScheduler,
        probed: Sink[DomainScan],
        ready: Sink[ServerQueue],
        group: TaskGroup,
    ) -> None:
        self._scheduler = scheduler
        self._settings = scheduler.settings
        self._probed = probed
        self._ready = ready
        self._group = group
        self._servers: dict[str, ServerQueue] = {}
        self._held_back: dict[int, ServerQueue] = {}
        self._unfinished = self._busy = self._queued = 0
        self._changed = anyio.Event()

    async def take_in(self, domains: Source[DomainScan]) -> None:
        """Queue the domains, a batch or a scarce few at a time; those without a server go on at once."""
        batch: list[DomainScan] = []
        async for domain in domains:
            await self._scheduler.evidence.wait_for_room()
            for endpoint in domain.endpoints:
                if self._scheduler.exclusions.has_endpoint(endpoint):
                    domain.sessions[endpoint.address] = (_EXCLUDED,)
            domain.pending = len(domain.endpoints) - len(domain.sessions)
            if not domain.pending:
                await self._probed.send(domain)
                continue
            batch.append(domain)
            self._unfinished += 1
            if len(batch) == self._settings.batch_size or self._scheduler.evidence.is_scarce:
                self._queue(batch)
                batch = []
        self._queue(batch)

    async def end_at_stop(self, intake: anyio.CancelScope) -> None:
        """Take in no more domains once the limiter is stopping."""
        await self._scheduler.limiter.stopping.wait()
        intake.cancel()
        self._changed.set()

    async def wait_until_over(self) -> None:
        """Wait for the last domain, or for the last open session where the limiter is stopping."""
        stopping = self._scheduler.limiter.stopping
        while self._busy if stopping.is_set() else self._unfinished:
            self._changed = anyio.Event()
            await self._changed.wait()

    def _queue(self, batch: list[DomainScan]) -> None:
        """Add every domain to the queue of each of its servers; the longest queues are started first."""
        servers: dict[int, ServerQueue] = {}
        for domain in batch:
            for endpoint in domain.endpoints:
                if endpoint.address not in domain.sessions:
                    server = self._server(endpoint, domain)
                    server.pending.append(domain)
                    servers[id(server)] = server
        for server in sorted(servers.values(), key=lambda server: -len(server.pending)):
            self._start_worker(server)
        self._queued += len(batch)
        if self._queued >= self._settings.batch_size:
            self._queued = 0
            self._evict_idle_servers()

    def _server(self, endpoint: Endpoint, domain: DomainScan) -> ServerQueue:
        key = endpoint.address if self._settings.reuse else f"{endpoint.address} {domain.number}"
        if key not in self._servers:
            self._servers[key] = ServerQueue(
                endpoint, self._settings, self._scheduler.session_lengths, self._scheduler.evidence
            )
        return self._servers[key]

    def _start_worker(self, server: ServerQueue) -> None:
        """Have one more worker probe `server`, if domains are pending and the limits allow it."""
        max_workers = self._settings.per_address if server.has_facts else 1
        if server.pending and not server.backing_off and server.workers < max_workers:
            server.workers += 1
            self._ready.send_nowait(server)

    def _evict_idle_servers(self) -> None:
        """Drop servers without pending domains, except the most recent ones."""
        idle = [key for key, server in self._servers.items() if not (server.pending or server.workers)]
        for key in idle if not self._settings.reuse else idle[:-_MAX_IDLE_SERVERS]:
            del self._servers[key]

    async def work(self, server: ServerQueue) -> None:
        """Probe the pending domains of `server`."""
        with self._busy_until_stop():
            await self._probe(server)
        server.workers -= 1

    @contextmanager
    def _busy_until_stop(self) -> Iterator[None]:
        self._busy += 1
        with suppress(ScanStopping):
            yield
        self._busy -= 1
        self._changed.set()

    async def _probe(self, server: ServerQueue) -> None:
        """Probe the pending domains of `server`, one session's worth after the other."""
        while domains := self._take(server):
            started_at = anyio.current_time()
            is_last_attempt = server.is_last_attempt(started_at)
            cached = server.cached_probe(started_at) if server.address not in domains[0].alone else None
            probe = cached or self._new_probe(server, domains[0])
            connections = probe.connections
            asked = [domain.options for domain in domains]
            if (sessions := await self._run(probe, server, domains, asked, is_last=is_last_attempt)) is None:
                continue
            server.learn_max_domains(probe.facts.max_domains)
            cut = [domain for domain in domains if is_cut(domain, sessions.get(domain.name, ()))]
            server.ask_alone(again := cut if cached or len(domains) > 1 else [])
            left = [domain for domain in domains if domain.name not in sessions or domain in again]
            is_given_up = is_last_attempt and probe.facts.failed_session is not None
            if probe.stopped or (probe.connections > connections and not is_given_up):
                self._note_throttling(server, left if probe.stopped else [], sessions)
            if left and not probe.stopped:
                server.put_back(left)
            if self._settings.reuse and not probe.stopped and not cut:
                replied = any(session.replies for held in sessions.values() for session in held)
                server.cache_facts(probe, started_at, replied=replied)
                self._start_worker(server)  # with cached facts a second worker can help
            await self._store(server, [domain for domain in domains if domain not in left], sessions)

    def _take(self, server: ServerQueue) -> list[DomainScan]:
        """Return the next domains of the server; where others hold all room, it is started again later."""
        domains = server.take(anyio.current_time())
        for domain in domains:
            for endpoint in domain.endpoints:
                if endpoint.address not in domain.asked and endpoint.address not in domain.sessions:
                    other = self._server(endpoint, domain)
                    other.open.append(domain)
                    self._start_worker(other)
        if not domains and server.pending and not server.backing_off:
            if not self._held_back:
                self._group.start_soon(self._start_held_back)
            self._held_back[id(server)] = server
        return domains

    async def _start_held_back(self) -> None:
        evidence = self._scheduler.evidence
        firsts = (server.pending[0] for server in self._held_back.values() if server.pending)
        await evidence.wait_for_room(min(map(evidence.octets, firsts), default=0))
        servers, self._held_back = list(self._held_back.values()), {}
        for server in servers:
            self._start_worker(server)

    def _new_probe(self, server: ServerQueue, first: DomainScan, purpose: str = "main") -> EndpointProbe:
        """Return a probe of this server that knows nothing about it."""
        scheduler, mx_host = self._scheduler, server_name(server.endpoint)
        return EndpointProbe(
            RateLimitedRunner(scheduler.limiter, scheduler.runner, server.address, provider_of(mx_host)),
            first.options,
            server.address,
            mx_host,
            scheduler.seed,
            max_domains=server.max_domains,
            purpose=purpose,
            translated=server.endpoint.translated,
        )

    def _note_throttling(self, server: ServerQueue, left: list[DomainScan], sessions: _Sessions) -> None:
        """Give a server a pause that throttled us; `left` are the domains to ask about after it."""
        if not left and not any(is_throttled(session) for held in sessions.values() for session in held):
            server.backoffs = 0
        elif pause := server.back_off(left):
            self._run_later(pause, self._resume, server)

    async def _run(
        self,
        probe: EndpointProbe,
        server: ServerQueue,
        domains: list[DomainScan],
        asked: list[Options],
        *,
        is_last: bool,
    ) -> _Sessions | None:
        """Return the sessions by domain; None where a bug of this program made all of these domains fail.

        Unless this attempt is the last, the probe stops where the server throttles us. Domains without
        sessions are to be asked about later.
        """
        stop_after = (lambda _: False) if is_last else is_throttled
        hosts = {domain.name: domain.mx_host(server.address) for domain in domains}
        evidence = budget_of_run(domains, server.address)
        try:
            return await probe.run(asked, hosts, stop_after, inf if is_last else MAX_RUN, evidence)
        except ScanStopping:
            raise
        except Exception as error:  # noqa: BLE001 - no server may end the scan of the others
            for domain in domains:
                domain.fail(error)
                await self._address_done(domain)
            return None

    async def _resume(self, server: ServerQueue) -> None:
        server.backing_off = False
        self._start_worker(server)

    async def _store(self, server: ServerQueue, domains: list[DomainScan], sessions: _Sessions) -> None:
        """Store the sessions of these domains; probe deferred ones a second time if the options say so."""
        retry_after = 60 * self._settings.options.retry_deferred
        deferred = [domain for domain in domains if retry_after and is_deferred(sessions[domain.name])]
        evidence = self._scheduler.evidence
        evidence.learn(server.address, max(map(octets_of, sessions.values()), default=0))
        for domain in domains:
            domain.sessions[server.address] = sessions[domain.name]
            evidence.measure(domain)
        for domain in domains:
            if domain not in deferred:
                await self._address_done(domain)
        if deferred:
            self._scheduler.limiter.stats.deferred += len(deferred)
            self._run_later(retry_after, self._retry, server, deferred)

    async def _retry(self, server: ServerQueue, domains: list[DomainScan]) -> None:
        def questions(domain: DomainScan) -> tuple[bool, ...]:
            asked = retry_options(domain.options, domain.sessions[server.address])
            return asked.test_null_sender, asked.test_postmaster, asked.test_open_relay

        self._scheduler.limiter.stats.deferred -= len(domains)
        # the domains of a session have the same questions
        for _, group in groupby(sorted(domains, key=questions), questions):
            await self._retry_together(server, list(group))

    async def _retry_together(self, server: ServerQueue, domains: list[DomainScan]) -> None:
        first = {domain.name: domain.sessions[server.address] for domain in domains}
        probe = self._new_probe(server, domains[0], "revisit")
        asked = [retry_options(domain.options, first[domain.name]) for domain in domains]
        if (retried := await self._run(probe, server, domains, asked, is_last=True)) is None:
            return
        self._note_throttling(server, [], retried)
        for domain in domains:
            if len(domains) > 1 and is_cut(domain, (*first[domain.name], *retried[domain.name])):
                await self._retry_together(server, [domain])
                continue
            domain.sessions[server.address] = merge_retry(first[domain.name], retried[domain.name])
            self._scheduler.evidence.measure(domain)
            await self._address_done(domain)

    def _run_later(self, seconds: float, action: Callable[[*_Ts], Awaitable[None]], *args: *_Ts) -> None:
        async def wait_and_run() -> None:
            await anyio.sleep(seconds)
            with self._busy_until_stop():
                await action(*args)

        self._group.start_soon(wait_and_run)

    async def _address_done(self, domain: DomainScan) -> None:
        domain.pending -= 1
        if not domain.pending:
            await self._probed.send(domain)
            self._unfinished -= 1
            self._changed.set()
