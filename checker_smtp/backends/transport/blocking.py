"""Runs a script with nothing but this thread: `anyio_driver` without its `await`."""

import selectors
from typing import TypeVar

from smtp_sansio import Script

from .transport import DeadlineExceeded, OpenSocket, Readiness, Transport, connect_tcp

__all__ = ["run_blocking"]

_T = TypeVar("_T")
_EVENTS = {Readiness.READABLE: selectors.EVENT_READ, Readiness.WRITABLE: selectors.EVENT_WRITE}


def run_blocking(script: Script[_T], *, dial: OpenSocket = connect_tcp) -> _T:
    """Drive `script` to its end and give back what it returns.

    Raises what the script raises, and nothing of its own. `dial` opens the sockets.
    """
    wire = Transport(dial)
    steps = wire.perform(script)
    try:
        wait = next(steps)
        while True:
            wait = next(steps) if _came(wire, wait) else steps.throw(DeadlineExceeded())
    except StopIteration as stop:
        value: _T = stop.value
        return value
    finally:
        steps.close()


def _came(wire: Transport, wait: Readiness) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(wire.socket, _EVENTS[wait])
        return bool(selector.select(max(0.0, wire.patience)))
