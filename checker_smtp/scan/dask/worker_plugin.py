"""The Dask plugin that gives a worker resolver, caches and event loop for the time of a scan.

Dask calls each task in a thread. The network is used on one event loop for all tasks of a process, because
they share resolver and caches; Dask's own loop has to answer the scheduler at any time and is not used.

A task that is no longer wanted is cancelled within about a second, whether the client cancelled it or ended:
Dask would let it run to its end, and servers would be probed for nothing.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Future, wait
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from secrets import randbits
from threading import Thread
from types import MappingProxyType
from typing import TypeVar, TypeVarTuple, cast
from uuid import uuid4

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal
from distributed import Semaphore, Worker, WorkerPlugin, get_worker

from checker_smtp import __version__
from checker_smtp.backends.dns.cache import SharedResolver
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.network import Network
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.options import OptionError
from checker_smtp.probes.ports import Resolver, Runner
from checker_smtp.scan.evaluate import ControlProbes, DomainEvaluator
from checker_smtp.scan.job import raise_file_limit
from checker_smtp.scan.politeness.exclusions import Exclusions
from checker_smtp.scan.politeness.limiter import PolitenessLimiter
from checker_smtp.scan.resolve import DomainResolver
from checker_smtp.scan.settings import ScanSettings
from checker_smtp.scan.stats import ScanStats
from checker_smtp.scan.waiting_evidence import WAITING_LIMIT, WaitingEvidence
from smtp_sansio import Script

__all__ = ["ClusterError", "ScanWorkerPlugin", "WorkerConfig", "WorkerScan", "worker_scan"]

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

# Seconds between two checks for a cancelled task, and between two reports of open sessions.
_POLL_INTERVAL = 1.0

_NO_LENGTHS: Mapping[str, int] = MappingProxyType({})


class ClusterError(ValueError):
    """The cluster is missing or cannot run the scan; the message says why and how to fix it."""


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """The configuration of all workers for the scan with the unique `name`.

    `resolvers` are (address, port, timeout), None for what the worker's system has configured. The
    concurrency of the settings is divided by `workers` for their queries.
    """

    name: str
    settings: ScanSettings
    exclusions: Exclusions
    resolvers: tuple[tuple[str | None, int, float | None], ...]
    resolver_name: str
    workers: int
    version: str = __version__


class WorkerScan:
    """Resolver, caches and event loop of one worker process, for the time of a scan.

    It is built on the event loop of `portal`. `domain_resolver` and `evaluator` are the first and the last
    stage; the second one has an object for each partition. `evidence` is that of all its tasks.
    """

    def __init__(self, config: WorkerConfig, worker: Worker, portal: BlockingPortal) -> None:
        self.config = config
        self.worker = worker
        self._portal = portal
        self._slots = 0
        concurrency = max(config.settings.concurrency // config.workers, 1)
        self.settings = settings = replace(config.settings, concurrency=concurrency)
        resolvers = [DnsResolver(*resolver) for resolver in config.resolvers]
        self.resolver: Resolver = resolvers[0]
        if settings.reuse:
            self.resolver = SharedResolver(resolvers, in_flight=2 * concurrency)
        self.seed = randbits(63)
        self.runner: Runner = Network(resolvers[0])
        # one for all tasks of the process, which has one memory
        self.evidence = WaitingEvidence(EvidenceBudget(WAITING_LIMIT))
        self.domain_resolver = DomainResolver(settings, self.resolver, self.seed, self.evidence)
        limiter = PolitenessLimiter(settings, ScanStats())
        controls = ControlProbes(limiter, SerializedRunner(self), settings.server_cache_ttl)
        self.evaluator = DomainEvaluator(controls, config.resolver_name, settings.policy)

    def run(self, function: Callable[[*_Ts], Awaitable[_T]], *args: *_Ts) -> _T:
        """Run `function` on the plugin's event loop, for the task in whose thread this is called."""
        key = self.worker.get_current_task()
        future = self._portal.start_task_soon(function, *args)
        while not wait([future], timeout=_POLL_INTERVAL).done:
            task = self.worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                future.cancel()
        return future.result()

    def stop(self) -> None:
        """Stop the event loop; not waited for, because tasks in progress may need this very thread to end."""
        self._portal.start_task_soon(self._portal.stop, True)

    def report_sessions(
        self, source: str, connections: int, open_sessions: int, lengths: Mapping[str, int] = _NO_LENGTHS
    ) -> None:
        """Report to the client the connections that `source` made so far, and its open sessions.

        `lengths` are, by address, the numbers of domains after which a server ended a session.
        """
        self.worker.log_event(self.config.name, [source, connections, open_sessions, dict(lengths)])

    @asynccontextmanager
    async def report_sessions_of(self, stats: ScanStats, lengths: Mapping[str, int]) -> AsyncIterator[None]:
        """Report the sessions that `stats` counts, and the lengths learned, every second and at the end."""
        source, known = uuid4().hex, dict(lengths)

        def report() -> None:
            learned = {address: n for address, n in lengths.items() if known.get(address) != n}
            known.update(learned)
            self.report_sessions(source, stats.connections, stats.open_sessions, learned)

        async def report_regularly() -> None:
            while True:
                report()
                await anyio.sleep(_POLL_INTERVAL)

        async with anyio.create_task_group() as group:
            group.start_soon(report_regularly)
            yield
            group.cancel_scope.cancel()
        report()

    @asynccontextmanager
    async def reserve_files(self, sessions: int) -> AsyncIterator[None]:
        """Allow this process the files of `sessions` more. Raise `ClusterError` where the system refuses."""
        self._slots += sessions
        try:
            raise_file_limit(self._slots + self.settings.concurrency)
            yield
        except OptionError as error:
            raise ClusterError(f"the worker {self.worker.address} cannot run the scan: {error}") from None
        finally:
            self._slots -= sessions


class SerializedRunner:
    """Runs sessions one at a time in the whole cluster.

    They probe control hosts, which belong to no partition.
    """

    def __init__(self, scan: WorkerScan) -> None:
        worker = scan.worker
        self._scan = scan
        name = f"{scan.config.name}-control"
        self._semaphore = Semaphore(1, name, scheduler_rpc=worker.scheduler, loop=worker.loop)

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` to its end, when no other session runs."""
        await anyio.to_thread.run_sync(self._semaphore.acquire)
        self._scan.report_sessions(uuid4().hex, 1, 0)
        try:
            value = await self._scan.runner.run(script)
            await anyio.sleep(self._scan.settings.delay)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._semaphore.release)
        return value


class ScanWorkerPlugin(WorkerPlugin):
    """Gives a worker its `WorkerScan`."""

    def __init__(self, config: WorkerConfig) -> None:
        self.config = config

    def setup(self, worker: Worker) -> None:
        """Start the event loop; Dask calls this before the worker gets a task. Raise `ClusterError`."""
        if self.config.version != __version__:
            raise ClusterError(
                f"the worker {worker.address} cannot run the scan: it has checker-smtp {__version__}, and "
                f"this machine has {self.config.version}. Install the same version on all of them."
            )
        ready: Future[WorkerScan] = Future()
        Thread(target=self._serve, args=[worker, ready], name=self.config.name, daemon=True).start()
        self.scan = ready.result()

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's signature
        """Stop the event loop; Dask calls this when the scan or the worker ends."""
        self.scan.stop()

    def _serve(self, worker: Worker, ready: "Future[WorkerScan]") -> None:
        async def serve() -> None:
            async with BlockingPortal() as portal:
                ready.set_result(WorkerScan(self.config, worker, portal))
                await portal.sleep_until_stopped()

        try:
            anyio.run(serve)
        except Exception as error:  # noqa: BLE001 - raised by ready.result()
            if not ready.done():
                ready.set_exception(error)


def worker_scan(name: str) -> WorkerScan:
    """Return the scan of this name at the worker that runs the calling task."""
    return cast("ScanWorkerPlugin", get_worker().plugins[name]).scan
