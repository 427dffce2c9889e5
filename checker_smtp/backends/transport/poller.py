"""Who calls when a socket is ready or a time has come: the event loop itself, where it can.

What an event loop costs a session is paid per wait: a task to be woken, a cancel scope, a registration with
the kernel. A watcher spares all three. The socket stays registered as long as it is open, which is safe
because a session waits whenever the loop runs; and what is called takes the session's next step at once,
so that no task is woken before the session is over.

asyncio calls back by itself. trio only ever wakes tasks, so one task of its own, woken once for all sockets
that are ready, calls for them (`watching_trio`).
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Protocol

from .transport import Readiness

__all__ = ["Poller", "Timer", "WakeEvent", "running_poller"]


class Timer(Protocol):
    """A call that will be made at a certain time."""

    def cancel(self) -> object:
        """See to it that it is not made."""
        ...


class WakeEvent(Protocol):
    """What a task waits for that is woken by somebody who is called."""

    def set(self) -> object:
        """Wake the task."""
        ...

    def is_set(self) -> bool:
        """Whether it was woken."""
        ...

    async def wait(self) -> object:
        """Wait for `set`."""
        ...


class Poller(Protocol):
    """Calls whenever a socket is ready, and at a certain time; what is called has to raise nothing."""

    def watch(
        self, fd: int, wait: Readiness, call: Callable[[], object], instead_of: Readiness | None
    ) -> None:
        """Call while `fd` is ready for `wait`, instead of what it has been watched for until now."""
        ...

    def forget(self, fd: int, wait: Readiness) -> None:
        """Call no more for `fd`, which is watched for `wait`; to be said before it is closed."""
        ...

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        """Call when `time.monotonic` has come to `when`."""
        ...

    def bell(self) -> WakeEvent:
        """A bell for the running task."""
        ...


class _AsyncioPoller:
    """asyncio's event loop as a `Poller`; its clock is `time.monotonic`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.call_at = loop.call_at
        self.bell = asyncio.Event

    def watch(
        self, fd: int, wait: Readiness, call: Callable[[], object], instead_of: Readiness | None
    ) -> None:
        (self._loop.add_reader if wait is Readiness.READABLE else self._loop.add_writer)(fd, call)
        if instead_of is not None:
            self.forget(fd, instead_of)

    def forget(self, fd: int, wait: Readiness) -> None:
        (self._loop.remove_reader if wait is Readiness.READABLE else self._loop.remove_writer)(fd)


def running_poller() -> Poller | None:
    """The watcher of the event loop that runs this task, asyncio's or trio's.

    None on Windows, where neither of them can watch a socket without waiting for it.
    """
    if sys.platform == "win32":
        return None
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from .poller_trio import trio_poller

        return trio_poller()
    return _AsyncioPoller(asyncio.get_running_loop())
