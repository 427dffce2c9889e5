"""Runs a script with nothing but this thread: `anyio_driver` without its `await`."""

import selectors
from time import monotonic
from typing import TypeVar

from smtp_sansio import Effect, Outcome, Script

from .wire import Dial, Wait, Wire, dial_tcp

__all__ = ["run_blocking"]

_T = TypeVar("_T")
_EVENTS = {Wait.READABLE: selectors.EVENT_READ, Wait.WRITABLE: selectors.EVENT_WRITE}


def run_blocking(script: Script[_T], *, dial: Dial = dial_tcp) -> _T:
    """Drive `script` to its end and give back what it returns.

    Raises what the script raises, and nothing of its own. `dial` opens the sockets.
    """
    wire = Wire(dial)
    try:
        effect = next(script)
        while True:
            effect = script.send(_perform(wire, effect))
    except StopIteration as stop:
        value: _T = stop.value
        return value
    finally:
        script.close()
        wire.close()


def _perform(wire: Wire, effect: Effect) -> Outcome:
    deadline = monotonic() + effect.timeout
    steps = wire.perform(effect)
    try:
        while True:
            wait = next(steps)
            with selectors.DefaultSelector() as selector:
                selector.register(wire.socket, _EVENTS[wait])
                if not selector.select(max(0.0, deadline - monotonic())):
                    return wire.timed_out()
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
