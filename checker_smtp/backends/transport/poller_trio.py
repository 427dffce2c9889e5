"""A `Poller` for trio: one task that is woken for all sockets at once.

The sockets are registered with a selector of their own. Its file descriptor is ready as soon as one of them
is, so trio waits for that one only, however many sessions there are, and under one cancel scope, which ends
when the earliest timer is due.
"""

import selectors
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from time import monotonic

import trio

from .transport import Readiness

__all__ = ["trio_poller"]

_EVENTS = {Readiness.READABLE: selectors.EVENT_READ, Readiness.WRITABLE: selectors.EVENT_WRITE}


@dataclass(order=True, slots=True)
class _TrioTimer:
    when: float
    callback: Callable[[], object] | None = field(compare=False)

    def cancel(self) -> None:
        self.callback = None


class _TrioPoller:
    def __init__(self) -> None:
        # epoll or kqueue: select and poll have no file descriptor to wait for
        self._selector = selectors.DefaultSelector()
        self._timers: list[_TrioTimer] = []
        self._until_timer = trio.CancelScope()

    def register(
        self, fd: int, readiness: Readiness, callback: Callable[[], object], replaced: Readiness | None
    ) -> None:
        store = self._selector.register if replaced is None else self._selector.modify
        store(fd, _EVENTS[readiness], callback)

    def unregister(self, fd: int, _: Readiness) -> None:
        self._selector.unregister(fd)

    def call_at(self, when: float, callback: Callable[[], object]) -> _TrioTimer:
        timer = _TrioTimer(when, callback)
        heappush(self._timers, timer)
        if self._timers[0] is timer:
            self._until_timer.deadline = self._next_deadline()
        return timer

    async def serve(self) -> None:
        """Call back as long as trio runs."""
        with self._selector as selector:
            while True:
                with trio.CancelScope(deadline=self._next_deadline()) as self._until_timer:
                    while True:
                        await trio.lowlevel.wait_readable(selector)
                        for key, _ in selector.select(0):
                            key.data()
                self._run_due_timers()

    def _next_deadline(self) -> float:
        """Return when the earliest timer is due, by trio's clock."""
        return trio.current_time() + (self._timers[0].when - monotonic()) if self._timers else inf

    def _run_due_timers(self) -> None:
        now = monotonic()
        while self._timers and (self._timers[0].callback is None or self._timers[0].when <= now):
            if (callback := heappop(self._timers).callback) is not None:
                callback()


_running: trio.lowlevel.RunVar[_TrioPoller] = trio.lowlevel.RunVar("checker-smtp poller")


def trio_poller() -> _TrioPoller:
    """Return the poller of the trio that runs this task, started at the first call in it."""
    try:
        return _running.get()
    except LookupError:
        poller = _TrioPoller()
        _running.set(poller)
        trio.lowlevel.spawn_system_task(poller.serve)
        return poller
