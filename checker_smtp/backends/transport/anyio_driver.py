"""Runs a script on asyncio or trio, whichever is running.

Sockets are watched, not waited for (`watching`): each step is taken when the event loop calls, and the task
that called `run_anyio` sleeps until the last one. Time is kept lazily: an alarm that goes off for an effect
long done is only set anew. Where nothing can be watched, the task waits for the socket itself, which costs
more and comes to the same.

Every `Receive` waits, so a script cannot keep the loop from others. Whatever way it ends, cancellation
included, the script and the socket are closed at once, which takes no waiting either.
"""

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Generic, TypeVar

import anyio

from smtp_sansio import Script

from .poller import Poller, Timer, running_poller
from .transport import DeadlineExceeded, OpenSocket, Readiness, Transport, connect_tcp

__all__ = ["run_anyio"]

_T = TypeVar("_T")


async def run_anyio(script: Script[_T], *, dial: OpenSocket = connect_tcp) -> _T:
    """Drive `script` to its end and give back what it returns.

    Raises what the script raises, and nothing of its own but cancellation. `dial` opens the sockets.
    """
    poller = running_poller()
    if poller is None:
        return await _wait_through(script, dial)
    return await _Watched(script, dial, poller).run()


async def _wait_through(script: Script[_T], dial: OpenSocket) -> _T:
    wire = Transport(dial)
    steps = wire.perform(script)
    try:
        wait = next(steps)
        while True:
            with anyio.move_on_after(wire.patience) as scope:
                await (anyio.wait_readable if wait is Readiness.READABLE else anyio.wait_writable)(
                    wire.socket
                )
            wait = steps.throw(DeadlineExceeded()) if scope.cancelled_caught else next(steps)
    except StopIteration as stop:
        value: _T = stop.value
        return value
    finally:
        steps.close()


class _Watched(Transport, Generic[_T]):
    """One script under way, on a wire whose socket is watched."""

    def __init__(self, script: Script[_T], dial: OpenSocket, poller: Poller) -> None:
        super().__init__(dial)
        self._poller = poller
        self._watching: Readiness | None = None
        self._fd = -1
        self._alarm: Timer | None = None
        self._rings = inf
        self._steps = self.perform(script)
        self._over = poller.bell()
        self._value: _T
        self._error: BaseException | None = None

    async def run(self) -> _T:
        """Have every step taken; see `run_anyio`."""
        try:
            self._go_on()
            await self._over.wait()
        finally:
            self._steps.close()
            if self._alarm is not None:
                self._alarm.cancel()
        if self._error is not None:
            raise self._error
        return self._value

    def leave(self) -> None:
        """Have the watcher forget the socket."""
        if self._watching is not None:
            self._poller.forget(self._fd, self._watching)
            self._watching = None

    def _go_on(self) -> None:
        self._take(self._steps.__next__)

    def _ring(self) -> None:
        self._alarm, self._rings = None, inf
        if self.patience <= 0:
            self._take(partial(self._steps.throw, DeadlineExceeded()))
        else:
            self._set_alarm()

    def _take(self, step: Callable[[], Readiness]) -> None:
        """Take one step, and see to it that the next one will be."""
        if self._over.is_set():
            return
        try:
            self._expect(step())
        except StopIteration as stop:
            self._value = stop.value
            self._over.set()
        except BaseException as error:  # noqa: BLE001 - `run` raises it
            self._error = error
            self._over.set()

    def _expect(self, wait: Readiness) -> None:
        if wait is not self._watching:
            self._fd = self.socket.fileno()
            self._poller.watch(self._fd, wait, self._go_on, self._watching)
            self._watching = wait
        if self.deadline < self._rings:
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._rings = self.deadline
        self._alarm = self._poller.call_at(self._rings, self._ring)
