"""The second stage of a scan: the domains that share a server are asked about in one session.

Domains are collected in batches, and each is put into the queue of every address it has. A session takes
several domains from one queue. Facts about the address that the first session finds out are cached, and
later ones do not ask for them again. A server that throttles us gets a pause, and its domains stay in the
queue. A domain whose own recipients were deferred, as greylisting does, is probed a second time if
`--retry-deferred` is given. A domain goes on to the next stage when its last address has answered.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias, TypeVarTuple

import anyio
from anyio.abc import TaskGroup

from checker_smtp.probes.check import server_name
from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.observation import Endpoint, Session
from checker_smtp.probes.ports import Runner
from checker_smtp.probes.registered_domain import provider_of
from checker_smtp.probes.retry import is_deferred, merge_retry

from .domain_scan import DomainScan
from .politeness.backoff import MAX_BACKOFFS, is_throttled
from .politeness.exclusions import Exclusions
from .politeness.limiter import PolitenessLimiter, RateLimitedRunner, ScanStopping
from .settings import ScanSettings
from .stages import Sink, Source, for_each

__all__ = ["ServerQueue", "ServerScheduler"]

_Ts = TypeVarTuple("_Ts")
_Sessions: TypeAlias = dict[str, tuple[Session, ...]]

# Idle servers whose facts stay cached: the ones that many domains share come again and again.
_MAX_IDLE_SERVERS = 2000
_EXCLUDED = Session.not_made("on the stop list of this scan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerScheduler:
    """Has the servers of domains probed by `runner`, within the limits; `seed` decides what is random."""

    settings: ScanSettings
    runner: Runner
    limiter: PolitenessLimiter
    exclusions: Exclusions
    seed: int

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
        ready: Sink["ServerQueue"],
        group: TaskGroup,
    ) -> None:
        self._scheduler = scheduler
        self._settings = scheduler.settings
        self._probed = probed
        self._ready = ready
        self._group = group
        self._servers: dict[str, ServerQueue] = {}
        self._unfinished = self._busy = 0
        self._changed = anyio.Event()

    async def take_in(self, domains: Source[DomainScan]) -> None:
        """Queue the domains, a batch at a time; those without a server to probe go on at once."""
        batch: list[DomainScan] = []
        async for domain in domains:
            for endpoint in domain.endpoints:
                if self._scheduler.exclusions.has_endpoint(endpoint):
                    domain.sessions[endpoint.address] = (_EXCLUDED,)
            domain.pending = len(domain.endpoints) - len(domain.sessions)
            if not domain.pending:
                await self._probed.send(domain)
                continue
            batch.append(domain)
            self._unfinished += 1
            if len(batch) == self._settings.batch_size:
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
        self._evict_idle_servers()

    def _server(self, endpoint: Endpoint, domain: DomainScan) -> "ServerQueue":
        key = endpoint.address if self._settings.reuse else f"{endpoint.address} {domain.number}"
        if key not in self._servers:
            self._servers[key] = ServerQueue(endpoint, self._scheduler)
        return self._servers[key]

    def _start_worker(self, server: "ServerQueue") -> None:
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

    async def work(self, server: "ServerQueue") -> None:
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

    async def _probe(self, server: "ServerQueue") -> None:
        """Probe the pending domains of `server`, one session's worth after the other."""
        settings = self._settings
        while domains := server.take(settings.per_session):
            started_at = anyio.current_time()
            probe = server.cached_probe(started_at) or server.new_probe(domains[0])
            if (sessions := await self._run(probe, server, domains)) is None:
                continue
            throttled = [domain for domain in domains if is_throttled(sessions[domain.name])]
            if len(throttled) < len(domains):
                server.backoffs = 0
            elif server.backoffs == MAX_BACKOFFS:
                throttled = []
            if throttled:
                if server.back_off(throttled):
                    self._run_later(settings.retry_delay * 2 ** (server.backoffs - 1), self._resume, server)
            elif settings.reuse:
                replied = any(session.replies for held in sessions.values() for session in held)
                server.cache_facts(probe, started_at, settings.server_cache_ttl, replied=replied)
                self._start_worker(server)  # with cached facts a second worker can help
            await self._store(server, [domain for domain in domains if domain not in throttled], sessions)

    async def _run(
        self, probe: EndpointProbe, server: "ServerQueue", domains: list[DomainScan]
    ) -> _Sessions | None:
        """Return the sessions by domain; None where a bug of this program made all of these domains fail."""
        hosts = {domain.name: domain.mx_host(server.address) for domain in domains}
        try:
            return await probe.run([domain.options for domain in domains], hosts)
        except ScanStopping:
            raise
        except Exception as error:  # noqa: BLE001 - no server may end the scan of the others
            for domain in domains:
                domain.fail(error)
                await self._address_done(domain)
            return None

    async def _resume(self, server: "ServerQueue") -> None:
        server.backing_off = False
        self._start_worker(server)

    async def _store(self, server: "ServerQueue", domains: list[DomainScan], sessions: _Sessions) -> None:
        """Store the sessions of these domains; probe deferred ones a second time if the options say so."""
        retry_after = 60 * self._settings.options.retry_deferred
        deferred = [domain for domain in domains if retry_after and is_deferred(sessions[domain.name])]
        for domain in domains:
            domain.sessions[server.address] = sessions[domain.name]
            if domain not in deferred:
                await self._address_done(domain)
        if deferred:
            self._scheduler.limiter.stats.deferred += len(deferred)
            self._run_later(retry_after, self._retry, server, deferred)

    async def _retry(self, server: "ServerQueue", domains: list[DomainScan]) -> None:
        self._scheduler.limiter.stats.deferred -= len(domains)
        if (retried := await self._run(server.new_probe(domains[0], "revisit"), server, domains)) is None:
            return
        for domain in domains:
            first = domain.sessions[server.address]
            domain.sessions[server.address] = merge_retry(first, retried[domain.name])
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


@dataclass(slots=True)
class ServerQueue:
    """An address and its pending domains; `workers` probe it now, and none while it is `backing_off`.

    `backoffs` counts the pauses since a session was last accepted.
    """

    endpoint: Endpoint
    scheduler: ServerScheduler
    pending: deque[DomainScan] = field(default_factory=deque)
    workers: int = 0
    backoffs: int = 0
    backing_off: bool = False
    _silent_sessions: int = 0
    _cached: EndpointProbe | None = None
    _cached_until: float = 0.0

    @property
    def address(self) -> str:
        return self.endpoint.address

    def take(self, max_domains: int) -> list[DomainScan]:
        """Remove and return the next domains; none while the server is backing off."""
        number = 0 if self.backing_off else min(max_domains, len(self.pending))
        return [self.pending.popleft() for _ in range(number)]

    def new_probe(self, first: DomainScan, purpose: str = "main") -> EndpointProbe:
        """Return a probe of this address that knows nothing about it."""
        scheduler, mx_host = self.scheduler, server_name(self.endpoint)
        return EndpointProbe(
            RateLimitedRunner(scheduler.limiter, scheduler.runner, self.address, provider_of(mx_host)),
            first.options,
            self.address,
            mx_host,
            scheduler.seed,
            max_domains=scheduler.settings.per_session,
            purpose=purpose,
            translated=self.endpoint.translated,
        )

    def cached_probe(self, now: float) -> EndpointProbe | None:
        """Return a probe that starts with the facts that are cached at `now`; None where there are none."""
        return copy(self._cached) if self._cached is not None and now < self._cached_until else None

    def cache_facts(self, probe: EndpointProbe, started_at: float, ttl: float, *, replied: bool) -> None:
        """Cache the facts that `probe`, started at `started_at`, found out, for `ttl` seconds.

        A probe that started with cached facts does not extend their life. Where the server did not reply at
        all, that is cached from the second time on: one lost connection must not count for every domain.
        """
        self._silent_sessions = 0 if replied else self._silent_sessions + 1
        if self._silent_sessions == 1:
            return
        if started_at >= self._cached_until:
            self._cached_until = started_at + ttl
        elif started_at < self._cached_until - ttl:
            return
        self._cached = probe

    @property
    def has_facts(self) -> bool:
        """True once facts were cached, even if they have expired since."""
        return self._cached is not None

    def back_off(self, domains: list[DomainScan]) -> bool:
        """Return `domains` to the queue and pause it; False if it was paused already."""
        self.pending.extendleft(reversed(domains))
        if self.backing_off:
            return False
        self.backing_off = True
        self._cached, self._cached_until = None, 0.0
        self.backoffs += 1
        return True
