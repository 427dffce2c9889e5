"""Run a script in this thread, with no event loop: `anyio_driver` without its `await`."""

import selectors
from typing import TypeVar

from smtp_sansio import Script

from .effect_log import log_effects
from .transport import DeadlineExceeded, OpenSocket, Readiness, Transport, connect_tcp

__all__ = ["run_blocking"]

_T = TypeVar("_T")
_EVENTS = {Readiness.READABLE: selectors.EVENT_READ, Readiness.WRITABLE: selectors.EVENT_WRITE}


def run_blocking(script: Script[_T], *, dial: OpenSocket = connect_tcp) -> _T:
    """Drive `script` to its end and return what it returns.

    Raises what the script raises, and nothing of its own. `dial` opens the sockets.
    """
    transport = Transport(dial)
    steps = transport.perform(log_effects(script))
    try:
        readiness = next(steps)
        while True:
            is_ready = _wait_until_deadline(transport, readiness)
            readiness = next(steps) if is_ready else steps.throw(DeadlineExceeded())
    except StopIteration as stop:
        value: _T = stop.value
        return value
    finally:
        steps.close()


def _wait_until_deadline(transport: Transport, readiness: Readiness) -> bool:
    """Wait for the socket; return False where the deadline came first."""
    with selectors.DefaultSelector() as selector:
        selector.register(transport.socket, _EVENTS[readiness])
        return bool(selector.select(max(0.0, transport.time_left)))
