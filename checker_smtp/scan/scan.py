"""The scan: resolve a batch of domains, probe the servers they share, write each domain's result line.

At most two batches are in progress: while the servers of one are probed, the next is resolved. A domain is
done when its last address has answered; its line is then written and nothing of it is kept. Each line comes
from the code that a single check runs: `probes.check.resolve_domain` before the sessions and `observe` after
them, `probes.endpoint.EndpointProbe` in between.

Reading the list, storing the lines and showing progress are done elsewhere (`job`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import islice
from math import inf
from secrets import randbits
from time import monotonic
from typing import TypeAlias, TypeVarTuple

import anyio
from anyio.abc import ObjectReceiveStream

from checker_smtp.api import now
from checker_smtp.backends.recording.record_backend import Backend
from checker_smtp.probes.check import ResolverError, resolve_domain, server_name
from checker_smtp.probes.dns import LookupCache
from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.observation import Endpoint, Session
from checker_smtp.probes.retry import is_deferred, merge_retry
from checker_smtp.report.document import NOT_CHECKED, dump_line, dump_not_checked
from checker_smtp.report.summary.providers import provider_of

from .domain_list import Entry
from .domain_scan import DomainScan, bug_report
from .politeness import Exclusions
from .rate_limit import RateLimit, ScanStopping
from .server_queue import MAX_BACKOFFS, ServerQueue, is_throttled
from .settings import ScanSettings
from .stats import ScanStats

__all__ = ["Scan"]

_Ts = TypeVarTuple("_Ts")
_DomainCallback: TypeAlias = Callable[[DomainScan], Coroutine[object, object, None]]

# Idle servers whose facts stay cached: the ones that many domains share come again and again.
_MAX_IDLE_SERVERS = 2000
EXCLUDED = Session.not_made("on the stop list of this scan")


class Scan:
    """One scan of one list.

    `backend` resolves names and runs sessions; `write` is called with the number of an entry and its line,
    in the order of completion. `stats` may be read at any time. `run` does the whole scan; `resolve_batch`,
    `probe` and `render_line` are its stages, for a cluster that runs them in different places.
    """

    def __init__(
        self,
        settings: ScanSettings,
        backend: Backend,
        write: Callable[[int, bytes], None],
        *,
        exclusions: Exclusions | None = None,
        resolver_name: str = "",
    ) -> None:
        self.settings = settings
        self.stats = ScanStats()
        self.rate_limit = RateLimit(settings, backend, self.stats)
        self._write = write
        self._exclusions = exclusions or Exclusions()
        self._resolver_name = resolver_name
        self._seed = randbits(63)
        cache_ttl = settings.server_cache_ttl if settings.reuse else 0
        self._lookups = LookupCache(backend, cache_ttl, monotonic, seed=self._seed)
        self._servers: dict[str, ServerQueue] = {}
        self._changed = anyio.Event()
        self._cancel_scope = anyio.CancelScope()
        self._busy_workers = 0

    @property
    def open_sessions(self) -> int:
        return self.rate_limit.politeness.open_sessions

    async def run(self, entries: Iterable[Entry]) -> None:
        """Scan all of `entries`; return when each has its line, or after `stop`."""
        numbered = enumerate(entries)
        async with self._workers(self._write_result):
            while (
                batch := list(islice(numbered, self.settings.batch_size))
            ) and not self.rate_limit.stopping:
                await self._wait_until_in_progress(self.settings.batch_size)
                self._enqueue(await self.resolve_batch(batch))
            await self._wait_until_in_progress(0)

    async def probe(self, domains: list[DomainScan]) -> None:
        """Probe the servers of these domains, and store the sessions in the domains."""
        async with self._workers(self._count_done):
            self.stats.in_progress += len(domains)
            self._enqueue(domains)
            await self._wait_until_in_progress(0)

    @asynccontextmanager
    async def _workers(self, on_probed: _DomainCallback) -> AsyncIterator[None]:
        """Run the workers that probe servers; call `on_probed` for each domain without pending address."""
        self._on_probed = on_probed
        self._ready_servers, ready = anyio.create_memory_object_stream[ServerQueue](inf)
        async with self._ready_servers, ready:
            with self._cancel_scope:
                async with anyio.create_task_group() as group:
                    self._group = group
                    for _ in range(2 * self.settings.concurrency):
                        group.start_soon(self._work, ready)
                    yield
                    self._cancel_scope.cancel()

    async def stop(self, grace: float) -> None:
        """Start no more sessions, and end `run` when the open ones are over, or after `grace` seconds."""
        self.rate_limit.stopping = True
        with anyio.move_on_after(grace):
            while self._busy_workers:
                await self._wait_for_change()
        self._cancel_scope.cancel()

    async def _wait_until_in_progress(self, max_domains: int) -> None:
        while self.stats.in_progress > max_domains:
            await self._wait_for_change()

    async def _wait_for_change(self) -> None:
        self._changed = anyio.Event()
        await self._changed.wait()

    # names

    async def resolve_batch(self, batch: list[tuple[int, Entry]]) -> list[DomainScan]:
        """Resolve the domains of a batch and return them; write the line of an entry that is skipped."""
        resolved: list[DomainScan] = []
        remaining = iter(batch)

        async def resolve_some() -> None:
            for number, entry in remaining:
                if self.rate_limit.stopping:
                    return
                if entry.skip_reason:
                    self._write_not_checked(number, entry.domain, entry.skip_reason, entry.reason)
                elif (domain := await self._resolve(number, entry.domain)) is not None:
                    resolved.append(domain)

        async with anyio.create_task_group() as group:
            for _ in range(min(len(batch), 2 * self.settings.concurrency)):
                group.start_soon(resolve_some)
        return resolved

    async def _resolve(self, number: int, name: str) -> DomainScan | None:
        options = self.settings.options.about(name)
        started_at = anyio.current_time()
        try:
            resolved = await resolve_domain(options, self._lookups.view())
        except ResolverError as error:
            self._write_not_checked(number, name, "resolver", str(error))
            return None
        except Exception as error:  # noqa: BLE001 - no domain may end the scan of the others
            self._write_not_checked(number, name, "error", bug_report(error))
            return None
        self.stats.in_progress += 1
        return DomainScan(number=number, resolved=resolved, run_at=now(), started_at=started_at)

    # servers

    def _enqueue(self, domains: list[DomainScan]) -> None:
        """Add every domain to the queue of each of its servers; the longest queues are started first."""
        servers: dict[int, ServerQueue] = {}
        for domain in domains:
            for endpoint in domain.resolved.endpoints:
                if self._is_excluded(endpoint):
                    domain.sessions[endpoint.address] = (EXCLUDED,)
                    continue
                domain.pending += 1
                server = self._server(endpoint, domain)
                server.pending.append(domain)
                servers[id(server)] = server
            if not domain.pending:
                self._group.start_soon(self._on_probed, domain)
        for server in sorted(servers.values(), key=lambda server: -len(server.pending)):
            self._start_worker(server)
        self._evict_idle_servers()

    def _is_excluded(self, endpoint: Endpoint) -> bool:
        exclusions = self._exclusions
        return exclusions.has_address(endpoint.address) or any(map(exclusions.has_domain, endpoint.targets))

    def _server(self, endpoint: Endpoint, domain: DomainScan) -> ServerQueue:
        key = endpoint.address if self.settings.reuse else f"{endpoint.address} {domain.number}"
        if key not in self._servers:
            name = server_name(endpoint)
            self._servers[key] = ServerQueue(endpoint.address, provider_of(name), name, endpoint.translated)
        return self._servers[key]

    def _start_worker(self, server: ServerQueue) -> None:
        """Have one more worker probe `server`, if domains are pending and the limits allow it."""
        max_workers = self.settings.per_address if server.has_facts else 1
        if server.pending and not server.backing_off and server.workers < max_workers:
            server.workers += 1
            self._ready_servers.send_nowait(server)

    def _evict_idle_servers(self) -> None:
        """Drop servers without pending domains, except the most recent ones."""
        idle = [key for key, server in self._servers.items() if not (server.pending or server.workers)]
        for key in idle if not self.settings.reuse else idle[:-_MAX_IDLE_SERVERS]:
            del self._servers[key]

    async def _work(self, ready: ObjectReceiveStream[ServerQueue]) -> None:
        async for server in ready:
            self._busy_workers += 1
            with suppress(ScanStopping):
                await self._probe(server)
            self._busy_workers -= 1
            server.workers -= 1
            self._changed.set()

    async def _probe(self, server: ServerQueue) -> None:
        """Probe the pending domains of `server`, one session's worth after the other."""
        settings = self.settings
        while domains := server.take(settings.per_session):
            started_at = anyio.current_time()
            runner = self.rate_limit.runner_for(server)
            probe = server.new_probe(runner, domains[0], settings, self._seed, started_at)
            try:
                sessions = await _run_probe(probe, server.address, domains)
            except Exception as error:  # noqa: BLE001 - no server may end the scan of the others
                await self._fail(domains, error)
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

    async def _resume(self, server: ServerQueue) -> None:
        server.backing_off = False
        self._start_worker(server)

    async def _store(
        self, server: ServerQueue, domains: list[DomainScan], sessions: dict[str, tuple[Session, ...]]
    ) -> None:
        """Store the sessions of these domains; probe deferred ones a second time if the options say so."""
        retry_after = 60 * self.settings.options.retry_deferred
        deferred = [domain for domain in domains if retry_after and is_deferred(sessions[domain.name])]
        for domain in domains:
            domain.sessions[server.address] = sessions[domain.name]
            if domain not in deferred:
                await self._address_done(domain)
        if deferred:
            self.stats.deferred += len(deferred)
            self._run_later(retry_after, self._retry, server, deferred)

    async def _retry(self, server: ServerQueue, domains: list[DomainScan]) -> None:
        self.stats.deferred -= len(domains)
        probe = EndpointProbe(
            self.rate_limit.runner_for(server),
            domains[0].options,
            server.address,
            server.server_name,
            self._seed,
            max_domains=self.settings.per_session,
            purpose="revisit",
        )
        try:
            retried = await _run_probe(probe, server.address, domains)
        except Exception as error:  # noqa: BLE001 - as above
            await self._fail(domains, error)
            return
        for domain in domains:
            first = domain.sessions[server.address]
            domain.sessions[server.address] = merge_retry(first, retried[domain.name])
            await self._address_done(domain)

    def _run_later(self, seconds: float, action: Callable[[*_Ts], Awaitable[None]], *args: *_Ts) -> None:
        async def wait_and_run() -> None:
            await anyio.sleep(seconds)
            with suppress(ScanStopping):
                await action(*args)

        self._group.start_soon(wait_and_run)

    # results

    async def _fail(self, domains: list[DomainScan], error: Exception) -> None:
        """Mark these domains as failed; raise `error` again if the scan is only stopping."""
        if isinstance(error, ScanStopping):
            raise error
        for domain in domains:
            domain.failed = bug_report(error)
            await self._address_done(domain)

    async def _address_done(self, domain: DomainScan) -> None:
        domain.pending -= 1
        if not domain.pending:
            await self._on_probed(domain)

    async def _count_done(self, _: DomainScan) -> None:
        self.stats.in_progress -= 1
        self.stats.done += 1
        self._changed.set()

    async def _write_result(self, domain: DomainScan) -> None:
        """Write the line of a domain whose servers were all probed."""
        line, status = await self.render_line(domain)
        self.stats.in_progress -= 1
        self._changed.set()
        self._write_line(domain.number, line, status)

    async def render_line(self, domain: DomainScan) -> tuple[bytes, str]:
        """Return the line of a domain whose servers were all probed, and the status in it."""
        if not domain.failed:
            try:
                result = await domain.evaluate(self.rate_limit.probe_control, self._resolver_name)
                return dump_line(result), result.status
            except Exception as error:  # noqa: BLE001 - no domain may end the scan of the others
                domain.failed = bug_report(error)
        return dump_not_checked(domain.name, "error", domain.failed), NOT_CHECKED

    def _write_not_checked(self, number: int, name: str, kind: str, reason: str) -> None:
        self._write_line(number, dump_not_checked(name, kind, reason), NOT_CHECKED)

    def _write_line(self, number: int, line: bytes, status: str) -> None:
        self._write(number, line)
        self.stats.done += 1
        self.stats.statuses[status] += 1


async def _run_probe(
    probe: EndpointProbe, address: str, domains: list[DomainScan]
) -> dict[str, tuple[Session, ...]]:
    hosts = {domain.name: domain.mx_host(address) for domain in domains}
    return await probe.run([domain.options for domain in domains], hosts)
