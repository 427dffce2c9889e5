"""Who is called when a socket is ready: the event loop itself, where it can.

What an event loop costs a session is paid per wait: a task to be woken, a cancel scope, a registration with
the kernel. A watcher spares all three. The socket stays registered as long as it is open, which is safe
because a session waits whenever the loop runs; and what is called back takes the session's next step at
once, so that no task is woken before the session is over.

asyncio calls back by itself. trio only ever wakes tasks, so one task of its own, woken once for all sockets
that are ready, calls back for them (`watching_trio`).
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Protocol

from .wire import Wait

__all__ = ["Watcher", "running_watcher"]


class Watcher(Protocol):
    """Calls back while a socket is ready, again and again until told to forget it.

    What is called has to raise nothing.
    """

    def watch(self, fd: int, wait: Wait, call: Callable[[], object]) -> None:
        """Call when `fd` is ready for `wait`, and for nothing else from now on."""
        ...

    def forget(self, fd: int) -> None:
        """Call no more; to be said before `fd` is closed, and only if it is watched."""
        ...


class _AsyncioWatcher:
    """asyncio's event loop as a `Watcher`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def watch(self, fd: int, wait: Wait, call: Callable[[], object]) -> None:
        if wait is Wait.READABLE:
            self._loop.add_reader(fd, call)
            self._loop.remove_writer(fd)
        else:
            self._loop.add_writer(fd, call)
            self._loop.remove_reader(fd)

    def forget(self, fd: int) -> None:
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)


def running_watcher() -> Watcher | None:
    """The watcher of the event loop that runs this task, asyncio's or trio's.

    None on Windows, where neither of them can watch a socket without waiting for it.
    """
    if sys.platform == "win32":
        return None
    if _in_asyncio():
        return _AsyncioWatcher()
    from .watching_trio import trio_watcher

    return trio_watcher()


def _in_asyncio() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False
