"""A driver for a thread: select waits, and Transport does everything else."""

import select
from typing import TypeVar

from checker_smtp.drivers import DeadlineExceeded, Readiness, Transport
from smtp_sansio import Script

T = TypeVar("T")


def run(script: Script[T]) -> T:
    """Run `script` to its end and return what it returns."""
    transport = Transport()
    steps = transport.perform(script)
    try:
        readiness = next(steps)
        while True:
            sock = [transport.socket]
            read, write = (sock, []) if readiness is Readiness.READABLE else ([], sock)
            is_ready = any(select.select(read, write, [], max(0, transport.time_left)))
            readiness = next(steps) if is_ready else steps.throw(DeadlineExceeded())
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()
