"""What a worker of a cluster has for a scan, as long as the scan runs.

Dask calls each task in a thread. What a task asks of the world runs on one event loop for all of them,
because resolver and caches are shared by the tasks of a process; Dask's own loop, which has to answer the
scheduler at any time, is left alone.

A task that nobody wants any more is given up within a second or so, be it that the client cancelled it or
that it is gone: Dask would let it run to its end, and servers would be asked for nobody.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, wait
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from threading import Thread
from typing import TypeVar, TypeVarTuple, cast
from uuid import uuid4

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal
from distributed import Semaphore, Worker, WorkerPlugin, get_worker

from checker_smtp import __version__
from checker_smtp.backends.dns.cache import SharedResolver
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.probes.options import OptionError
from checker_smtp.probes.ports import DnsAnswer, Resolver
from smtp_sansio import Script

from .job import SharedNetwork, allow_files
from .politeness import Exclusions
from .scan import Scan
from .settings import ScanSettings

__all__ = ["ClusterError", "ScanWorkerPlugin", "WorkerConfig", "plugin_of"]

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

# How often it is looked whether a task is still wanted, and told how far it is, in seconds.
_LOOK = 1.0


class ClusterError(ValueError):
    """The cluster is not there, or cannot do the work; the message says why in a sentence."""


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What all workers have to know of a scan, whose `name` no other one has.

    `servers` are (address, port) of resolvers, None being whichever the worker is configured with. They are
    asked as much at once as the settings allow, divided by `workers`.
    """

    name: str
    settings: ScanSettings
    exclusions: Exclusions
    servers: tuple[tuple[str | None, int], ...]
    resolver_name: str
    workers: int
    version: str = __version__


class ScanWorkerPlugin(WorkerPlugin):
    """Resolver, caches and event loop of one worker process."""

    def __init__(self, errand: WorkerConfig) -> None:
        self.errand = errand

    def setup(self, worker: Worker) -> None:
        """Called by Dask at each worker before it gets a task. Raises `ClusterError`."""
        if self.errand.version != __version__:
            raise ClusterError(
                f"the worker {worker.address} has checker-smtp {__version__}, and here it is "
                f"{self.errand.version}: install the same one on all of them"
            )
        self.worker = worker
        self.places = 0
        ready: Future[BlockingPortal] = Future()
        Thread(target=self._serve, args=[ready], name=self.errand.name, daemon=True).start()
        self._portal = ready.result()

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's signature
        """Called by Dask when the scan is over, or the worker."""
        # not waited for: what is under way may need this very thread to end
        self._portal.start_task_soon(self._portal.stop, True)

    def _serve(self, ready: "Future[BlockingPortal]") -> None:
        async def serve() -> None:
            async with BlockingPortal() as portal:
                self._begin()
                ready.set_result(portal)
                await portal.sleep_until_stopped()

        try:
            anyio.run(serve)
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            if not ready.done():
                ready.set_exception(error)

    def _begin(self) -> None:
        errand = self.errand
        questions = max(errand.settings.concurrency // errand.workers, 1)
        self.settings = replace(errand.settings, concurrency=questions)
        resolvers = [DnsResolver(*server) for server in errand.servers]
        self.resolver: Resolver = resolvers[0]
        if self.settings.reuse:
            self.resolver = SharedResolver(resolvers, in_flight=2 * questions)
        self.lines: dict[int, bytes] = {}
        self.scan = Scan(
            self.settings,
            SerializedRunner(self),
            self.lines.__setitem__,
            exclusions=errand.exclusions,
            resolver_name=errand.resolver_name,
        )

    def do(self, work: Callable[[*_Ts], Awaitable[_T]], *args: *_Ts) -> _T:
        """Do `work` on the station's loop, for the task in whose thread this is called."""
        key = self.worker.get_current_task()
        future = self._portal.start_task_soon(work, *args)
        while not wait([future], timeout=_LOOK).done:
            task = self.worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                future.cancel()
        return future.result()

    def tell(self, visit: str, connections: int, sessions: int) -> None:
        """Tell the client how many connections a visit took so far, and how many sessions are open."""
        self.worker.log_event(self.errand.name, [visit, connections, sessions])

    @asynccontextmanager
    async def telling(self, scan: Scan) -> AsyncIterator[None]:
        """Meanwhile, and at the end, tell how far the visit is that this scan makes."""
        visit = uuid4().hex

        def tell() -> None:
            self.tell(visit, scan.stats.connections, scan.open)

        async def tell_often() -> None:
            while True:
                tell()
                await anyio.sleep(_LOOK)

        async with anyio.create_task_group() as group:
            group.start_soon(tell_often)
            yield
            group.cancel_scope.cancel()
        tell()

    @asynccontextmanager
    async def places_for(self, sessions: int) -> AsyncIterator[None]:
        """While so many more sessions may be open in this process. Raises `ClusterError` if they cannot."""
        self.places += sessions
        try:
            allow_files(self.places + self.settings.concurrency)
            yield
        except OptionError as error:
            raise ClusterError(f"at the worker {self.worker.address} {error}") from None
        finally:
            self.places -= sessions


class SerializedRunner:
    """The world of those who judge: of all in the cluster, one is outside at a time.

    They knock at controls, which are in nobody's district.
    """

    def __init__(self, plugin: ScanWorkerPlugin) -> None:
        worker = plugin.worker
        self._station = plugin
        name = f"{plugin.errand.name}-knock"
        self._turn = Semaphore(1, name, scheduler_rpc=worker.scheduler, loop=worker.loop)

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        """Ask the resolver."""
        return await self._station.resolver.resolve(name, rdtype)

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` to its end, when it is our turn."""
        await anyio.to_thread.run_sync(self._turn.acquire)
        self._station.tell(uuid4().hex, 1, 0)
        try:
            done = await SharedNetwork(self).run(script)
            await anyio.sleep(self._station.settings.delay)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._turn.release)
        return done


def plugin_of(name: str) -> ScanWorkerPlugin:
    """The station of this scan at the worker that runs the calling task."""
    return cast("ScanWorkerPlugin", get_worker().plugins[name])
