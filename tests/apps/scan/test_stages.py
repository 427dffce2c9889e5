"""Stages that are joined by streams: order, concurrency, and every way to end."""

import gc
import weakref
from collections.abc import Iterator

import anyio
import pytest

from checker_smtp.scan.stages import Pipeline, Sink, Source, for_each, open_pipeline

pytestmark = pytest.mark.anyio


async def slowly(number: int) -> int:
    await anyio.sleep(10 - number)
    return number


@pytest.mark.parametrize(("workers", "seconds"), [(1, 55), (10, 10)])
async def test_as_many_items_at_once_as_workers(workers: int, seconds: int) -> None:
    started_at = anyio.current_time()
    async with open_pipeline() as pipeline:
        found = [n async for n in pipeline.map(slowly, pipeline.feed(range(10)), workers)]
    assert found == list(range(10) if workers == 1 else reversed(range(10)))
    assert anyio.current_time() - started_at == pytest.approx(seconds)


async def test_a_limit_holds_the_items_back() -> None:
    limit = anyio.Semaphore(3)
    taken: list[int] = []

    async def take(number: int) -> int:
        taken.append(number)
        return number

    async with open_pipeline() as pipeline:
        source = pipeline.map(take, pipeline.feed(range(100), limit), 10)
        for n in range(90):
            await source.receive()
            assert len(taken) <= 3 + n
            limit.release()


async def first_three(source: Source[int], sink: Sink[int]) -> None:
    for _ in range(3):
        await sink.send(await source.receive())


async def test_a_stage_that_ends_early_ends_those_before_it() -> None:
    asked: list[int] = []

    async def ask(number: int) -> int:
        asked.append(number)
        return number

    async with open_pipeline() as pipeline:
        asking = pipeline.map(ask, pipeline.feed(range(100)), 2)
        assert [n async for n in pipeline.add(first_three, asking)] == [0, 1, 2]
        await anyio.sleep(1)
        # each worker may have one more that nobody takes
        assert len(asked) <= 5


async def test_an_error_in_a_stage_ends_all_of_them() -> None:
    async def fail(number: int) -> int:
        if number == 5:
            raise KeyError(number)
        return number

    async def run() -> None:
        async with open_pipeline() as pipeline:
            async for number in pipeline.map(fail, pipeline.feed(range(100))):
                found.append(number)  # noqa: PERF401 - the loop ends in an error

    found: list[int] = []
    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.group_contains(KeyError)
    assert found == list(range(5))


async def test_leaving_the_block_cancels_the_stages() -> None:
    cancelled: list[str] = []

    async def never(_: Source[int], __: Sink[int]) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append("never")

    async def use(pipeline: Pipeline) -> None:
        pipeline.add(never, pipeline.feed(range(3)))
        await anyio.sleep(1)

    async with open_pipeline() as pipeline:
        await use(pipeline)
    assert cancelled == ["never"]
    # streams of stages that were cancelled before they began are closed as well, or a warning is an error
    async with open_pipeline() as pipeline:
        pipeline.add(never, pipeline.feed(range(3)))


@pytest.mark.parametrize(("at_once", "used"), [(1, 2), (3, 4), (9, 5), (99, 5)])
async def test_a_worker_starts_when_all_others_are_busy(at_once: int, used: int) -> None:
    """One more waits for the next item, up to the limit of five."""
    tasks: set[int] = set()

    async def note_task(_: int) -> None:
        tasks.add(anyio.get_current_task().id)
        await anyio.sleep(1)

    sink, source = anyio.create_memory_object_stream[int](at_once)
    async with anyio.create_task_group() as group:
        group.start_soon(for_each, note_task, source, 5)
        with sink:
            for _ in range(10):
                for number in range(at_once):
                    await sink.send(number)
                await anyio.sleep(at_once)
    source.close()
    assert len(tasks) == used


async def test_an_item_is_released_before_its_result_is_taken() -> None:
    class Item:
        pass

    alive: list[weakref.ref[Item]] = []

    def listed() -> Iterator[Item]:
        for _ in range(2):
            item = Item()
            alive.append(weakref.ref(item))
            yield item
            del item

    async def result_of(item: Item) -> str:
        return "result"

    async with open_pipeline() as pipeline:
        results = pipeline.map(result_of, pipeline.feed(listed()), 1)
        await anyio.wait_all_tasks_blocked()
        gc.collect()
        assert [reference() is None for reference in alive] == [True, False]
        assert await results.receive() == "result"
