"""A scan on a Dask cluster: what is around its rounds, from the scheduler's address to the folder of results.

This process decides and writes, and does nothing else; so it needs little memory, and the workers need no
disk in common. TLS is a matter of Dask's own configuration.
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
from checker_smtp.probes.check import ResolverError

from .batches import Batches
from .domain_list import entries
from .duplicate_filter import DuplicateFilter
from .job import USER_ERRORS, Job, innermost
from .parts import locked_parts, part_files
from .progress import Progress
from .results import done_before
from .stats import ScanStats
from .tasks import why_no_answers
from .worker_plugin import ClusterError, ScanWorkerPlugin, WorkerConfig

__all__ = ["ClusterError", "Servers", "run_on_cluster"]

Servers: TypeAlias = tuple[tuple[str | None, int], ...]
"""Resolvers by address and port, None being whichever a worker is configured with."""

# What a scheduler may take to answer, and workers to be let go, in seconds.
_PATIENCE = 10.0
# Of each worker process on this machine: they mostly wait.
_THREADS = 4
# What is left of a scheduler that ended, or was told to forget us.
_CLUSTER_LOST = (KilledWorker, CancelledError, CommClosedError)


def run_on_cluster(job: Job, scheduler: str | None, servers: Servers) -> tuple[ScanStats, bool]:
    """Do the job on the cluster at `scheduler`, or on this machine: how far it came, and whether to its end.

    Raises what `run_job` does, and `ClusterError`.
    """
    # what goes wrong is told in a sentence
    for name in logging.root.manager.loggerDict:
        if name.startswith("distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    with locked_parts(job.results, job.note, resume=job.resume, force=job.force) as make_ready:
        try:
            return anyio.run(_run, job, scheduler, servers, make_ready)
        except BaseExceptionGroup as group:
            if (told := group.subgroup((*USER_ERRORS, *_CLUSTER_LOST, ClusterError, ResolverError))) is None:
                raise
            error = innermost(told)
    if isinstance(error, KilledWorker):
        why = "workers ended over the same task, one by one: give them more memory, or a smaller --batch-size"
    elif isinstance(error, _CLUSTER_LOST):
        why = "the scheduler is gone"
    else:
        raise error
    raise ClusterError(f"{why}. What is written is kept: go on with the same command and --resume")


async def _run(
    job: Job, scheduler: str | None, servers: Servers, make_ready: Callable[[], int]
) -> tuple[ScanStats, bool]:
    interrupted = anyio.Event()
    stats = ScanStats()
    async with anyio.create_task_group() as group:
        await group.start(_watch_signals, group.cancel_scope, interrupted)
        async with _connected(scheduler) as client, _workers_ready(client, job, servers, scheduler) as name:
            await _scan(job, Batches(client, name, job.settings, stats, make_ready()))
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
                click.echo("\nCalling the workers off.", err=True)
            scope.cancel()


async def _scan(job: Job, batches: Batches) -> None:
    with closing(DuplicateFilter()) as seen, job.names.names() as names:
        before = sum(seen.add(domain) for part in part_files(job.results) for domain in done_before(part))
        async with anyio.create_task_group() as group:
            group.start_soon(Progress(batches, job.names.length, before).show)
            listed = entries(names, job.exclusions, seen.add)
            await batches.run(enumerate(listed), job.names.length - before, job.results)
            group.cancel_scope.cancel()


@asynccontextmanager
async def _connected(scheduler: str | None) -> AsyncIterator[Client]:
    """A client of the cluster, which is started here where none is named. Raises `ClusterError`."""
    async with AsyncExitStack() as stack:
        if scheduler is None:
            click.echo("Starting a cluster on this machine.", err=True)
            cluster = LocalCluster(
                n_workers=CPU_COUNT,
                threads_per_worker=_THREADS,
                memory_limit=1 / CPU_COUNT,
                # whoever can talk to a scheduler can run what he likes: nobody but us can
                security=True,
                # Dask would show it to the whole network; and its usual port may be taken
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                asynchronous=True,
            )
            stack.push_async_callback(_close, cluster.close)
            with _sigint_ignored():
                try:
                    await cluster
                except (OSError, RuntimeError) as error:
                    raise ClusterError(f"no cluster could be started on this machine ({error})") from None
            client = Client(cluster, asynchronous=True)
        else:
            client = Client(scheduler, timeout=_PATIENCE, asynchronous=True)
        stack.push_async_callback(_close, client.close)
        try:
            await client
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            why = str(error).partition("\n")[0] or type(error).__name__
            raise ClusterError(
                f"there is no scheduler at {scheduler!r} ({why}): give the address that it prints when it "
                "starts, such as tcp://192.0.2.1:8786"
            ) from None
        if "dashboard" in client.scheduler_info()["services"]:
            click.echo(f"Dask's dashboard: {client.dashboard_link}", err=True)
        yield client


@contextmanager
def _sigint_ignored() -> Iterator[None]:
    """Whatever process is started meanwhile does not hear Ctrl-C, which a terminal sends to all of them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # half a cluster cannot be closed
        with anyio.CancelScope(shield=True):
            yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _close(close: Callable[[], Awaitable[None] | None]) -> None:
    with anyio.move_on_after(_PATIENCE, shield=True):
        if (closing := close()) is not None:
            await closing


@asynccontextmanager
async def _workers_ready(
    client: Client, job: Job, servers: Servers, scheduler: str | None
) -> AsyncIterator[str]:
    """Have a station at every worker; gives the name under which tasks find it. Raises `ClusterError`."""
    workers = await client.nthreads()
    if not workers:
        click.echo("The scheduler has no workers yet: the scan begins when the first one comes.", err=True)
    errand = WorkerConfig(
        name=f"checker-smtp-{uuid4().hex}",
        settings=job.settings,
        exclusions=job.exclusions,
        servers=servers,
        resolver_name=job.resolver_name,
        workers=len(workers) or 1,
    )
    try:
        try:
            await client.register_plugin(ScanWorkerPlugin(errand), name=errand.name)
        except ClusterError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever another version over there stumbles over
            raise ClusterError(
                f"the workers cannot do this ({error}): install 'checker-smtp[dask]' {__version__} on each"
            ) from None
        await _require_answers(client, errand.name, workers)
        yield errand.name
    finally:
        if scheduler is not None:
            # some workers may never have heard of it, or be gone
            with anyio.move_on_after(_PATIENCE, shield=True), suppress(Exception):
                await client.unregister_worker_plugin(errand.name)


async def _require_answers(client: Client, name: str, workers: Iterable[str]) -> None:
    """Raise `ResolverError` where no resolver answers one of the workers."""
    asked = [client.submit(why_no_answers, name, workers=[worker], pure=False) for worker in workers]
    for answer in asked:
        if why := await answer:
            raise ResolverError(why)
