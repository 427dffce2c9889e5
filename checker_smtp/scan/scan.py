"""The scan: look up a window of domains, visit the servers that they share, tell each domain's result.

Two windows at most are under way: while servers of one are asked, the next is looked up. A domain is done
when the last of its addresses has answered; its line is then written and nothing of it kept. Each line
comes from the code that a single check runs: `probes.check.resolve_domain` before the visits and
`build_observation` after them, `probes.endpoint.EndpointProbe` in between.

Not here: how a list is read, how lines are kept, what is shown meanwhile.
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
from .domain_scan import DomainScan, bug
from .politeness import Exclusions
from .rate_limit import RateLimit, ScanStopping
from .server_queue import MAX_BACKOFFS, Server, is_throttled
from .settings import ScanSettings
from .stats import ScanStats

__all__ = ["Scan"]

_Ts = TypeVarTuple("_Ts")
_Then: TypeAlias = Callable[[DomainScan], Coroutine[object, object, None]]

# Addresses whose facts are kept when nobody waits there: the concentrated ones come again and again.
_MAX_KNOWN = 2000
EXCLUDED = Session.not_made("on the stop list of this scan")


class Scan:
    """One scan of one list.

    `backend` reaches the world; `write` is called with the number of an entry and its line, in whatever
    order they are done. `stats` may be read at any time. `resolve_domain`, `visit` and `line_of` are its
    parts, for whoever does them in different places.
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
        self._backend = backend
        self._write = write
        self._stop_list = exclusions or Exclusions()
        self._resolver_name = resolver_name
        self._seed = randbits(63)
        self._lookups = LookupCache(backend, settings.server_cache_ttl if settings.reuse else 0, monotonic)
        self._servers: dict[str, Server] = {}
        self._changed = anyio.Event()
        self._scope = anyio.CancelScope()
        self._asking = 0

    @property
    def open(self) -> int:
        """How many sessions are open."""
        return self.rate_limit.politeness.open

    async def run(self, entries: Iterable[Entry]) -> None:
        """Scan all of `entries`; returns when each has its line, or after `stop`."""
        numbered = enumerate(entries)
        async with self._serving(self._finish):
            while (
                batch_size := list(islice(numbered, self.settings.batch_size))
            ) and not self.rate_limit.stopping:
                await self._under_way_at_most(self.settings.batch_size)
                self._dispatch(await self.resolve_domain(batch_size))
            await self._under_way_at_most(0)

    async def visit(self, domains: list[DomainScan]) -> None:
        """Have the servers of these domains asked; what they said is in the domains then."""
        async with self._serving(self._leave):
            self.stats.in_progress += len(domains)
            self._dispatch(domains)
            await self._under_way_at_most(0)

    @asynccontextmanager
    async def _serving(self, then: _Then) -> AsyncIterator[None]:
        """While servers are asked; `then` is what comes for a domain when all of its own were."""
        self._then = then
        self._ready, called = anyio.create_memory_object_stream[Server](inf)
        async with self._ready, called:
            with self._scope:
                async with anyio.create_task_group() as group:
                    self._group = group
                    for _ in range(2 * self.settings.concurrency):
                        group.start_soon(self._serve, called)
                    yield
                    self._scope.cancel()

    async def stop(self, grace: float) -> None:
        """Begin nothing more, and end `run` when the sessions that are open are over, or `grace` seconds."""
        self.rate_limit.stopping = True
        with anyio.move_on_after(grace):
            while self._asking:
                await self._change()
        self._scope.cancel()

    async def _under_way_at_most(self, most: int) -> None:
        while self.stats.in_progress > most:
            await self._change()

    async def _change(self) -> None:
        self._changed = anyio.Event()
        await self._changed.wait()

    # names

    async def resolve_domain(self, batch_size: list[tuple[int, Entry]]) -> list[DomainScan]:
        """The domains of a window, looked up; entries that are no such thing have their line at once."""
        found: list[DomainScan] = []
        todo = iter(batch_size)

        async def some() -> None:
            for number, entry in todo:
                if self.rate_limit.stopping:
                    return
                if entry.skip_reason:
                    self._tell_why_not(number, entry.domain, entry.skip_reason, entry.reason)
                elif (domain := await self._look_up_one(number, entry.domain)) is not None:
                    found.append(domain)

        async with anyio.create_task_group() as group:
            for _ in range(min(len(batch_size), 2 * self.settings.concurrency)):
                group.start_soon(some)
        return found

    async def _look_up_one(self, number: int, name: str) -> DomainScan | None:
        options = self.settings.options.about(name)
        began = anyio.current_time()
        try:
            prospect = await resolve_domain(options, self._lookups.view())
        except ResolverError as error:
            self._tell_why_not(number, name, "resolver", str(error))
            return None
        except Exception as error:  # noqa: BLE001 - no domain may end the scan of the others
            self._tell_why_not(number, name, "error", bug(error))
            return None
        self.stats.in_progress += 1
        return DomainScan(number=number, prospect=prospect, run_at=now(), began=began)

    # servers

    def _dispatch(self, domains: list[DomainScan]) -> None:
        """Put every domain into the queue of each of its servers; the longest queues come first."""
        wanted: dict[int, Server] = {}
        for domain in domains:
            for endpoint in domain.prospect.endpoints:
                if self._is_stopped(endpoint):
                    domain.sessions[endpoint.address] = (EXCLUDED,)
                    continue
                domain.open += 1
                server = self._server(endpoint, domain)
                server.guests.append(domain)
                wanted[id(server)] = server
            if not domain.open:
                self._group.start_soon(self._then, domain)
        for server in sorted(wanted.values(), key=lambda server: -len(server.guests)):
            self._call(server)
        self._forget()

    def _is_stopped(self, endpoint: Endpoint) -> bool:
        return self._stop_list.covers(endpoint.address) or any(map(self._stop_list.names, endpoint.targets))

    def _server(self, endpoint: Endpoint, domain: DomainScan) -> Server:
        key = endpoint.address if self.settings.reuse else f"{endpoint.address} {domain.number}"
        if key not in self._servers:
            name = server_name(endpoint)
            self._servers[key] = Server(endpoint.address, provider_of(name), name)
        return self._servers[key]

    def _call(self, server: Server) -> None:
        """Have somebody ask `server`, if anybody waits there and that is decent."""
        if (
            server.guests
            and not server.backing_off
            and server.workers < (self.settings.per_address if server.known else 1)
        ):
            server.workers += 1
            self._ready.send_nowait(server)

    def _forget(self) -> None:
        """Let go of servers nobody waits for, but for the most recent ones."""
        idle = [key for key, server in self._servers.items() if not (server.guests or server.workers)]
        for key in idle if not self.settings.reuse else idle[:-_MAX_KNOWN]:
            del self._servers[key]

    async def _serve(self, called: ObjectReceiveStream[Server]) -> None:
        async for server in called:
            self._asking += 1
            with suppress(ScanStopping):
                await self._ask(server)
            self._asking -= 1
            server.workers -= 1
            self._changed.set()

    async def _ask(self, server: Server) -> None:
        """Ask about one session's worth of domains after the other."""
        settings = self.settings
        while guests := server.take(settings.per_session):
            began = anyio.current_time()
            visit = server.visit(self.rate_limit.of(server), guests[0], settings, self._seed, began)
            try:
                told = await visit.run([guest.options for guest in guests])
            except Exception as error:  # noqa: BLE001 - no server may end the scan of the others
                await self._give_up(guests, error)
                continue
            late = [g for g in guests if is_throttled(told[g.name])]
            if len(late) < len(guests):
                server.deferrals = 0
            elif server.deferrals == MAX_BACKOFFS:
                late = []
            if late:
                if server.defer(late):
                    self._later(settings.retry_delay * 2 ** (server.deferrals - 1), self._wake, server)
            elif settings.reuse:
                heard = any(session.replies for sessions in told.values() for session in sessions)
                server.learn(visit, began, settings.server_cache_ttl, heard=heard)
                self._call(server)  # what is known now is enough for another lane
            await self._settle(server, [g for g in guests if g not in late], told)

    async def _wake(self, server: Server) -> None:
        server.backing_off = False
        self._call(server)

    async def _settle(
        self, server: Server, guests: list[DomainScan], told: dict[str, tuple[Session, ...]]
    ) -> None:
        """Take down what the guests were told; those who were put off may come once more."""
        revisit = 60 * self.settings.options.retry_deferred
        again = [g for g in guests if revisit and is_deferred(told[g.name])]
        for guest in guests:
            guest.sessions[server.address] = told[guest.name]
            if guest not in again:
                await self._answered(guest)
        if again:
            self.stats.deferred += len(again)
            self._later(revisit, self._ask_again, server, again)

    async def _ask_again(self, server: Server, guests: list[DomainScan]) -> None:
        self.stats.deferred -= len(guests)
        visit = EndpointProbe(
            self.rate_limit.of(server),
            guests[0].options,
            server.address,
            server.server_name,
            self._seed,
            max_domains=self.settings.per_session,
            purpose="revisit",
        )
        try:
            told = await visit.run([guest.options for guest in guests])
        except Exception as error:  # noqa: BLE001 - as above
            await self._give_up(guests, error)
            return
        for guest in guests:
            guest.sessions[server.address] = merge_retry(guest.sessions[server.address], told[guest.name])
            await self._answered(guest)

    def _later(self, seconds: float, do: Callable[[*_Ts], Awaitable[None]], *args: *_Ts) -> None:
        async def wait() -> None:
            await anyio.sleep(seconds)
            with suppress(ScanStopping):
                await do(*args)

        self._group.start_soon(wait)

    # results

    async def _give_up(self, domains: list[DomainScan], error: Exception) -> None:
        """Take down that these cannot be told about, unless it is only that nothing more is begun."""
        if isinstance(error, ScanStopping):
            raise error
        for domain in domains:
            domain.failed = bug(error)
            await self._answered(domain)

    async def _answered(self, domain: DomainScan) -> None:
        domain.open -= 1
        if not domain.open:
            await self._then(domain)

    async def _leave(self, _: DomainScan) -> None:
        self.stats.in_progress -= 1
        self.stats.done += 1
        self._changed.set()

    async def _finish(self, domain: DomainScan) -> None:
        """Write the line of a domain whose servers all were asked."""
        line, status = await self.line_of(domain)
        self.stats.in_progress -= 1
        self._changed.set()
        self._tell(domain.number, line, status)

    async def line_of(self, domain: DomainScan) -> tuple[bytes, str]:
        """The line of a domain whose servers all were asked, and the status in it."""
        if not domain.failed:
            try:
                result = await domain.evaluate(self.rate_limit.knock, self._resolver_name)
                return dump_line(result), result.status
            except Exception as error:  # noqa: BLE001 - no domain may end the scan of the others
                domain.failed = bug(error)
        return dump_not_checked(domain.name, "error", domain.failed), NOT_CHECKED

    def _tell_why_not(self, number: int, name: str, kind: str, reason: str) -> None:
        self._tell(number, dump_not_checked(name, kind, reason), NOT_CHECKED)

    def _tell(self, number: int, line: bytes, status: str) -> None:
        self._write(number, line)
        self.stats.done += 1
        self.stats.statuses[status] += 1
