"""Run a script on asyncio or trio, whichever is running.

The event loop's `poller` calls back when the socket is ready, and the callback takes the next step, so the
task that called `run_anyio` sleeps until the last one. A plain session costs 0.85 times the processor time
of aiosmtplib's on asyncio at most, 0.55 times on trio (python -m benchmarks sessions). Timers are lazy: an
effect that ends in time does not cancel its timer, and a timer that fires early is set again. Where there is
no poller, the task waits for the socket itself, which has the same result. One driver for all loops could
only be that one, because on Windows neither loop calls back for a socket; elsewhere a session would then cost
1.35 times the processor time in plain text, and under TLS 1.3 times on asyncio and 1.2 times on trio.

Every `Receive` waits, so a script cannot keep other tasks from running. However a run ends, cancellation
included, the script and the socket are closed at once, without waiting.
"""

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Generic, TypeVar

import anyio

from smtp_sansio import Script

from .effect_log import log_effects
from .poller import Poller, Timer, running_poller
from .transport import DeadlineExceeded, OpenSocket, Readiness, Transport, connect_tcp

__all__ = ["run_anyio"]

_T = TypeVar("_T")


async def run_anyio(script: Script[_T], *, dial: OpenSocket = connect_tcp) -> _T:
    """Drive `script` to its end and return what it returns.

    Raises what the script raises, and nothing of its own but cancellation. `dial` opens the sockets.
    """
    script = log_effects(script)
    poller = running_poller()
    if poller is None:
        return await _run_waiting(script, dial)
    return await _PolledRun(script, dial, poller).run()


async def _run_waiting(script: Script[_T], dial: OpenSocket) -> _T:
    transport = Transport(dial)
    steps = transport.perform(script)
    try:
        readiness = next(steps)
        while True:
            wait = anyio.wait_readable if readiness is Readiness.READABLE else anyio.wait_writable
            with anyio.move_on_after(transport.time_left) as scope:
                await wait(transport.socket)
            readiness = steps.throw(DeadlineExceeded()) if scope.cancelled_caught else next(steps)
    except StopIteration as stop:
        value: _T = stop.value
        return value
    finally:
        steps.close()


class _PolledRun(Transport, Generic[_T]):
    """One run of a script; its socket is registered with a poller from the first wait until it is closed."""

    def __init__(self, script: Script[_T], dial: OpenSocket, poller: Poller) -> None:
        super().__init__(dial)
        self._poller = poller
        self._registered: Readiness | None = None
        self._fd = -1
        self._timer: Timer | None = None
        self._timer_at = inf
        self._steps = self.perform(script)
        self._finished = anyio.Event()
        self._value: _T
        self._error: BaseException | None = None

    async def run(self) -> _T:
        """Wait until every step was taken; see `run_anyio`."""
        try:
            self._on_ready()
            await self._finished.wait()
        finally:
            self._steps.close()
            if self._timer is not None:
                self._timer.cancel()
        if self._error is not None:
            raise self._error
        return self._value

    def on_close(self) -> None:
        """Unregister the socket."""
        if self._registered is not None:
            self._poller.unregister(self._fd, self._registered)
            self._registered = None

    def _on_ready(self) -> None:
        self._take(self._steps.__next__)

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, inf
        if self.time_left <= 0:
            self._take(partial(self._steps.throw, DeadlineExceeded()))
        else:
            self._set_timer()

    def _take(self, step: Callable[[], Readiness]) -> None:
        """Take one step, and register for the next one."""
        if self._finished.is_set():
            return
        try:
            self._register(step())
        except StopIteration as stop:
            self._value = stop.value
            self._finished.set()
        except BaseException as error:  # noqa: BLE001 - `run` raises it
            self._error = error
            self._finished.set()

    def _register(self, readiness: Readiness) -> None:
        if readiness is not self._registered:
            self._fd = self.socket.fileno()
            self._poller.register(self._fd, readiness, self._on_ready, self._registered)
            self._registered = readiness
        if self.deadline < self._timer_at:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self.deadline
        self._timer = self._poller.call_at(self._timer_at, self._on_timer)
