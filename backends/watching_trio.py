"""A `Watcher` for trio: one task that is woken for all sockets at once.

The sockets are registered with a selector of their own. Its file descriptor is ready as soon as one of them
is, so trio has to wait for that one only, however many sessions there are.
"""

import selectors
from collections.abc import Callable

import trio

from .wire import Wait

__all__ = ["trio_watcher"]

_EVENTS = {Wait.READABLE: selectors.EVENT_READ, Wait.WRITABLE: selectors.EVENT_WRITE}


class _TrioWatcher:
    def __init__(self) -> None:
        # epoll or kqueue: select and poll have no file descriptor to wait for
        self._selector = selectors.DefaultSelector()

    def watch(self, fd: int, wait: Wait, call: Callable[[], object]) -> None:
        if fd in self._selector.get_map():
            self._selector.modify(fd, _EVENTS[wait], call)
        else:
            self._selector.register(fd, _EVENTS[wait], call)

    def forget(self, fd: int) -> None:
        self._selector.unregister(fd)

    async def serve(self) -> None:
        """Call back as long as trio runs."""
        with self._selector as selector:
            while True:
                await trio.lowlevel.wait_readable(selector)
                for ready, _ in selector.select(0):
                    ready.data()


_running: trio.lowlevel.RunVar[_TrioWatcher] = trio.lowlevel.RunVar("checker-smtp watcher")


def trio_watcher() -> _TrioWatcher:
    """The watcher of the trio that runs this task; it is started with the first session, and stays."""
    try:
        return _running.get()
    except LookupError:
        watcher = _TrioWatcher()
        _running.set(watcher)
        trio.lowlevel.spawn_system_task(watcher.serve)
        return watcher
