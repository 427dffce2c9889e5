"""A driver for trio: a task waits for the socket, and Transport does everything else."""

from typing import TypeVar

import trio

from checker_smtp.drivers import DeadlineExceeded, Readiness, Transport
from smtp_sansio import Script

T = TypeVar("T")


async def run(script: Script[T]) -> T:
    """Run `script` to its end and return what it returns."""
    transport = Transport()
    steps = transport.perform(script)
    try:
        readiness = next(steps)
        while True:
            is_read = readiness is Readiness.READABLE
            wait = trio.lowlevel.wait_readable if is_read else trio.lowlevel.wait_writable
            with trio.move_on_after(max(0, transport.time_left)) as scope:
                await wait(transport.socket)
            readiness = steps.throw(DeadlineExceeded()) if scope.cancelled_caught else next(steps)
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()
