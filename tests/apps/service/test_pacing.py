"""The start times of queued work, on a simulated clock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from checker_smtp.service.http.pacing import Pacer
from checker_smtp.testing import SkippingEventLoop

T = TypeVar("T")


def on_the_clock(main: Callable[[SkippingEventLoop], Awaitable[T]]) -> T:
    loop = SkippingEventLoop()
    try:
        return loop.run_until_complete(main(loop))  # type: ignore[arg-type]
    finally:
        loop.close()


async def begin(
    turns: Pacer, loop: SkippingEventLoop, began: list[tuple[int, float]], number: int, work: float
) -> None:
    await turns.wait()
    began.append((number, round(loop.clock.now, 6)))
    loop.clock.now += work


def begun(count: int, work: float) -> list[tuple[int, float]]:
    """Return the start times of `count` simultaneous tasks that each block the loop for `work` seconds."""

    async def main(loop: SkippingEventLoop) -> list[tuple[int, float]]:
        turns, began = Pacer(), []  # type: ignore[var-annotated]
        await asyncio.gather(*(begin(turns, loop, began, number, work) for number in range(count)))
        return began

    return on_the_clock(main)


def test_who_comes_alone_does_not_wait() -> None:
    async def main(loop: SkippingEventLoop) -> None:
        turns = Pacer()
        for _ in range(3):
            await turns.wait()
            await asyncio.sleep(1)
            assert loop.clock.now == pytest.approx(round(loop.clock.now))

    on_the_clock(main)


def test_who_come_at_once_begin_one_after_the_other() -> None:
    assert begun(4, work=0.0) == [(0, 0.0), (1, 0.01), (2, 0.02), (3, 0.03)]


def test_a_loop_that_is_late_gets_time_to_catch_up() -> None:
    """The second begins 0.02 too late; so the pause behind it is 0.01 and four times that longer."""
    assert begun(3, work=0.03)[:2] == [(0, 0.0), (1, 0.03)]
    assert begun(3, work=0.03)[2] == (2, 0.12)


def test_no_pause_is_long() -> None:
    assert begun(4, work=10.0) == [(0, 0.0), (1, 10.0), (2, 20.0), (3, 30.0)]


def test_who_has_gone_is_passed_over() -> None:
    async def main(loop: SkippingEventLoop) -> list[tuple[int, float]]:
        turns, began = Pacer(), []  # type: ignore[var-annotated]
        tasks = [asyncio.create_task(begin(turns, loop, began, number, 0.0)) for number in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return began

    assert [number for number, _ in on_the_clock(main)] == [0, 2, 3]


def test_all_at_once_where_nobody_is_to_wait_any_more() -> None:
    async def main(loop: SkippingEventLoop) -> list[tuple[int, float]]:
        turns, began = Pacer(), []  # type: ignore[var-annotated]
        tasks = [asyncio.create_task(begin(turns, loop, began, number, 0.0)) for number in range(4)]
        await asyncio.sleep(0)
        turns.release_all()
        await asyncio.gather(*tasks)
        return began

    assert on_the_clock(main) == [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0)]
