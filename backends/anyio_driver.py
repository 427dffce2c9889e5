"""Runs a script on asyncio or trio, whichever is running.

An effect that needs no waiting costs neither a cancel scope nor a turn of the loop; one that waits costs
one scope. Every `Receive` waits, so a script cannot keep the loop from others. Whatever way it ends,
cancellation included, the script and the socket are closed at once, which takes no waiting either.
"""

from typing import TypeVar

import anyio

from smtp_sansio import Effect, Outcome, Script

from .wire import Dial, Wait, Wire, dial_tcp

__all__ = ["run_anyio"]

_T = TypeVar("_T")


async def run_anyio(script: Script[_T], *, dial: Dial = dial_tcp) -> _T:
    """Drive `script` to its end and give back what it returns.

    Raises what the script raises, and nothing of its own but cancellation. `dial` opens the sockets.
    """
    wire = Wire(dial)
    try:
        effect = next(script)
        while True:
            effect = script.send(await _perform(wire, effect))
    except StopIteration as stop:
        value: _T = stop.value
        return value
    finally:
        script.close()
        wire.close()


async def _perform(wire: Wire, effect: Effect) -> Outcome:
    steps = wire.perform(effect)
    try:
        wait = next(steps)
        with anyio.move_on_after(effect.timeout):
            while True:
                if wait is Wait.READABLE:
                    await anyio.wait_readable(wire.socket)
                else:
                    await anyio.wait_writable(wire.socket)
                wait = next(steps)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    return wire.timed_out()
