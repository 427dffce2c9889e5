"""Callbacks for sockets that are ready and for timers, from the event loop that is running.

Waiting in a task costs three things each time: a task switch, a cancel scope, a registration with the kernel.
A poller saves all three. A socket stays registered as long as it is open, which is safe because its session
waits for it whenever the loop runs; and a callback takes the session's next step at once, so that its task
is woken once, at the end. In processor time a session with a poller takes 0.74 of one that waits in a task on
asyncio, 0.76 under TLS, and 0.73 and 0.83 on trio (python -m benchmarks sessions, with and without
`running_poller` returning None).

asyncio has such callbacks. trio only wakes tasks, so `poller_trio` has one task, woken once for all sockets
that are ready, that calls back for them.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Protocol

from .transport import Readiness

__all__ = ["Poller", "Timer", "running_poller"]


class Timer(Protocol):
    """A callback due at a certain time."""

    def cancel(self) -> object:
        """Cancel the callback."""


class Poller(Protocol):
    """An event loop's callbacks for sockets and timers; a callback must not raise."""

    def register(
        self, fd: int, readiness: Readiness, callback: Callable[[], object], replaced: Readiness | None
    ) -> None:
        """Call back whenever `fd` has this readiness; `replaced` is what it was registered for before."""

    def unregister(self, fd: int, readiness: Readiness) -> None:
        """Stop the callbacks for `fd`, which is registered for `readiness`; due before it is closed."""

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call back once `time.monotonic` has reached `when`."""


class _AsyncioPoller:
    """asyncio's event loop as a `Poller`; its clock is `time.monotonic`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.call_at = loop.call_at

    def register(
        self, fd: int, readiness: Readiness, callback: Callable[[], object], replaced: Readiness | None
    ) -> None:
        add = self._loop.add_reader if readiness is Readiness.READABLE else self._loop.add_writer
        add(fd, callback)
        if replaced is not None:
            self.unregister(fd, replaced)

    def unregister(self, fd: int, readiness: Readiness) -> None:
        (self._loop.remove_reader if readiness is Readiness.READABLE else self._loop.remove_writer)(fd)


def running_poller() -> Poller | None:
    """Return the poller of the event loop that runs this task, asyncio's or trio's.

    None on Windows, where neither of them calls back for a socket.
    """
    if sys.platform == "win32":
        return None
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from .poller_trio import trio_poller

        return trio_poller()
    return _AsyncioPoller(asyncio.get_running_loop())
