"""The driver of a scan on a Dask cluster, from the scheduler's address to the folder of results.

This process only schedules tasks and writes results; so it needs little memory, and the workers need no
disk in common. TLS is configured in Dask.
"""

import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from typing import TypeAlias
from uuid import uuid4

import anyio
import click
from anyio.abc import TaskStatus
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from checker_smtp import __version__
from checker_smtp.probes.dns import ResolverError
from checker_smtp.scan.input.duplicate_filter import DuplicateFilter
from checker_smtp.scan.job import USER_ERRORS, ScanJob
from checker_smtp.scan.output.manifest import locked_results
from checker_smtp.scan.output.parts_folder import PartsFolder
from checker_smtp.scan.progress import ScanProgress
from checker_smtp.scan.stats import ScanStats
from checker_smtp.ungrouped import ungrouped

from .batches import Batches
from .tasks import resolver_failure
from .worker_plugin import ClusterError, ScanWorkerPlugin, WorkerConfig

__all__ = ["ClusterError", "ResolverAddresses", "run_on_cluster"]

ResolverAddresses: TypeAlias = tuple[tuple[str | None, int, float | None], ...]
"""Resolvers by address, port and timeout, None for what the system of a worker has configured."""

# Seconds for a scheduler to answer, and for a cluster to close.
_TIMEOUT = 10.0
# Threads of each worker process on this machine, which mostly wait for the network.
_THREADS = 4
# Errors raised when the scheduler has ended or dropped this client, or workers keep dying.
_CLUSTER_LOST = (KilledWorker, CancelledError, CommClosedError)


def run_on_cluster(
    job: ScanJob, scheduler: str | None, resolvers: ResolverAddresses
) -> tuple[ScanStats, bool]:
    """Run the job on the cluster at `scheduler`, or on one started on this machine.

    Return the counts, and False if it was interrupted. Raise the errors of `run_job` and `ClusterError`.
    """
    # Dask's own log would repeat every error that is reported here
    for name in logging.root.manager.loggerDict:
        if name.startswith("distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    folder = PartsFolder(job.results)
    locked = locked_results(folder, job.manifest, resume=job.resume, force=job.force)
    try:
        with locked as make_ready, ungrouped(*USER_ERRORS, *_CLUSTER_LOST, ClusterError, ResolverError):
            return anyio.run(_run, job, scheduler, resolvers, folder, make_ready)
    except KilledWorker:
        raise ClusterError(
            "the scan was stopped: workers died one by one in the same task. The parts so far are kept. Give "
            "the workers more memory, or a smaller --batch-size, and continue with --resume."
        ) from None
    except _CLUSTER_LOST:
        raise ClusterError(
            "the scan was stopped: the scheduler has ended. The parts so far are kept. "
            "Start it again and continue with the same command and --resume."
        ) from None


async def _run(
    job: ScanJob,
    scheduler: str | None,
    resolvers: ResolverAddresses,
    folder: PartsFolder,
    make_ready: Callable[[], None],
) -> tuple[ScanStats, bool]:
    interrupted = anyio.Event()
    stats = ScanStats()
    async with anyio.create_task_group() as group:
        await group.start(_watch_signals, group.cancel_scope, interrupted)
        async with _connected(scheduler) as client, _workers_ready(client, job, resolvers, scheduler) as name:
            make_ready()
            await _scan(job, folder, Batches(client, name, job.settings, stats, folder))
        group.cancel_scope.cancel()
    return stats, not interrupted.is_set()


async def _watch_signals(
    scope: anyio.CancelScope, interrupted: anyio.Event, *, task_status: TaskStatus[None]
) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            interrupted.set()
            with suppress(OSError):
                click.echo("\nStopping the workers.", err=True)
            scope.cancel()


async def _scan(job: ScanJob, folder: PartsFolder, batches: Batches) -> None:
    length = job.domain_list.length
    with closing(DuplicateFilter()) as seen, job.domain_list.open(job.exclusions, seen.add) as domains:
        done_before = sum(map(seen.add, folder.done_domains()))
        async with anyio.create_task_group() as group:
            group.start_soon(ScanProgress(batches.stats, length, done_before).show)
            await batches.run(domains, length - done_before)
            group.cancel_scope.cancel()


@asynccontextmanager
async def _connected(scheduler: str | None) -> AsyncIterator[Client]:
    """Connect to the cluster, or start one on this machine if `scheduler` is None. Raise `ClusterError`."""
    async with AsyncExitStack() as stack:
        if scheduler is None:
            click.echo("Starting a cluster on this machine.", err=True)
            cluster = LocalCluster(
                n_workers=CPU_COUNT,
                threads_per_worker=_THREADS,
                memory_limit=1 / CPU_COUNT,
                # a scheduler runs the code of every client that can connect, so none but this one may
                security=True,
                # Dask would listen on every interface, and its usual port may be in use
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                asynchronous=True,
            )
            stack.push_async_callback(_close, cluster.close)
            with _sigint_ignored():
                try:
                    await cluster
                except (OSError, RuntimeError) as error:
                    raise ClusterError(f"no cluster can be started on this machine: {error}") from None
            client = Client(cluster, asynchronous=True)
        else:
            client = Client(scheduler, timeout=_TIMEOUT, asynchronous=True)
        stack.push_async_callback(_close, client.close)
        try:
            await client
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            why = str(error).partition("\n")[0] or type(error).__name__
            raise ClusterError(
                f"the scheduler {scheduler!r} cannot be reached: {why}. "
                "Give the address that it prints when it starts, such as tcp://192.0.2.1:8786."
            ) from None
        if "dashboard" in client.scheduler_info()["services"]:
            click.echo(f"Dask's dashboard: {client.dashboard_link}", err=True)
        yield client


@contextmanager
def _sigint_ignored() -> Iterator[None]:
    """Start processes that ignore Ctrl-C, which a terminal sends to every process in the foreground."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # a cluster cannot be closed while it is starting
        with anyio.CancelScope(shield=True):
            yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _close(close: Callable[[], Awaitable[None] | None]) -> None:
    with anyio.move_on_after(_TIMEOUT, shield=True):
        if (closing := close()) is not None:
            await closing


@asynccontextmanager
async def _workers_ready(
    client: Client, job: ScanJob, resolvers: ResolverAddresses, scheduler: str | None
) -> AsyncIterator[str]:
    """Register the plugin at every worker; yield the name under which tasks find it. Raise `ClusterError`."""
    workers = await client.nthreads()
    if not workers:
        click.echo("The scheduler has no workers yet. The scan starts when one connects.", err=True)
    config = WorkerConfig(
        name=f"checker-smtp-{uuid4().hex}",
        settings=job.settings,
        exclusions=job.exclusions,
        resolvers=resolvers,
        resolver_name=job.resolver_name,
        workers=len(workers) or 1,
    )
    try:
        try:
            await client.register_plugin(ScanWorkerPlugin(config), name=config.name)
        except ClusterError:
            raise
        except Exception as error:  # noqa: BLE001 - another version there may fail anyhow
            raise ClusterError(
                f"the workers cannot run the scan: {error}. "
                f"Install 'checker-smtp[dask]' {__version__} on each of them."
            ) from None
        await _require_answers(client, config.name, workers)
        yield config.name
    finally:
        if scheduler is not None:
            # some workers may not have the plugin yet, or have ended
            with anyio.move_on_after(_TIMEOUT, shield=True), suppress(Exception):
                await client.unregister_worker_plugin(config.name)


async def _require_answers(client: Client, name: str, workers: Iterable[str]) -> None:
    """Raise `ResolverError` where one of the workers cannot rely on its resolvers."""
    failures = [client.submit(resolver_failure, name, workers=[worker], pure=False) for worker in workers]
    for failure in failures:
        if error := await failure:
            raise ResolverError(*error)
