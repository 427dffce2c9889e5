"""Stages that run concurrently, each joined to the next by a memory stream.

A scan has three, through which each `DomainScan` of the list goes: `resolve` finds its servers, `schedule`
has them probed, and `evaluate` makes its line. A scan on one machine opens one pipeline with all of them; on
a cluster each task opens one with one of them, and Dask moves the domains in between.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

__all__ = ["Pipeline", "Sink", "Source", "for_each", "open_pipeline"]

_A = TypeVar("_A")
_B = TypeVar("_B")

Source: TypeAlias = MemoryObjectReceiveStream[_A]
"""The items of the stage before."""

Sink: TypeAlias = MemoryObjectSendStream[_A]
"""The items for the next stage; sending waits until it takes the item."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Running stages. A stage that closes its source ends the stages before it."""

    _group: TaskGroup
    _streams: ExitStack

    def feed(self, items: Iterable[_A], limit: anyio.Semaphore | None = None) -> Source[_A]:
        """Return a source of `items`; each is read only when a place of `limit` was acquired for it."""
        sink, source = anyio.create_memory_object_stream[_A]()
        self._close_at_end(sink, source)

        async def send_all() -> None:
            with sink, suppress(anyio.BrokenResourceError):
                if limit is not None:
                    await limit.acquire()
                for item in items:
                    await sink.send(item)
                    del item  # it may be done before the next one is read
                    if limit is not None:
                        await limit.acquire()

        self._group.start_soon(send_all)
        return source

    def add(self, stage: Callable[[Source[_A], Sink[_B]], Awaitable[None]], source: Source[_A]) -> Source[_B]:
        """Start a stage that reads `source`; return the source of the next one."""
        sink, output = anyio.create_memory_object_stream[_B]()
        self._close_at_end(sink, output)

        async def run() -> None:
            with source, sink:
                await stage(source, sink)

        self._group.start_soon(run)
        return output

    def map(
        self, function: Callable[[_A], Awaitable[_B]], source: Source[_A], workers: int = 1
    ) -> Source[_B]:
        """Start a stage that sends `function` of each item, for as many items at once as it has workers."""

        async def stage(source: Source[_A], sink: Sink[_B]) -> None:
            async def send_result(item: _A) -> None:
                result = await function(item)
                del item  # a result may wait long for the next stage
                await sink.send(result)

            await for_each(send_result, source, workers)

        return self.add(stage, source)

    def _close_at_end(self, sink: Sink[_A], source: Source[_A]) -> None:
        """Close both even if the stage between them is cancelled before it begins."""
        self._streams.enter_context(sink)
        self._streams.enter_context(source)


async def for_each(function: Callable[[_A], Awaitable[object]], source: Source[_A], max_workers: int) -> None:
    """Call `function` with each item of `source`, for at most `max_workers` items at once.

    A worker is started when all others are busy: hundreds are allowed, and most scans need a few. One whose
    `function` finds its sink closed ends.
    """
    workers = idle = 0

    async def work() -> None:
        nonlocal idle
        with suppress(anyio.BrokenResourceError):
            async for item in source:
                idle -= 1
                if not idle and workers < max_workers:
                    start_worker()
                call = function(item)
                del item  # else a worker would keep its last item alive
                await call
                idle += 1

    def start_worker() -> None:
        nonlocal workers, idle
        workers += 1
        idle += 1
        group.start_soon(work)

    async with anyio.create_task_group() as group:
        start_worker()


@asynccontextmanager
async def open_pipeline() -> AsyncIterator[Pipeline]:
    """Open a pipeline; stages that are still running at the end of the block are cancelled."""
    with ExitStack() as streams:
        async with anyio.create_task_group() as group:
            yield Pipeline(group, streams)
            group.cancel_scope.cancel()
