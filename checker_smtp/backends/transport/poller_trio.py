"""A `Poller` for trio: one task that is woken for all sockets at once.

The sockets are registered with a selector of their own. Its file descriptor is ready as soon as one of them
is, so trio has to wait for that one only, however many sessions there are, and under one cancel scope, which
ends when the first alarm goes off.
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
class _Alarm:
    when: float
    call: Callable[[], object] | None = field(compare=False)

    def cancel(self) -> None:
        self.call = None


class _TrioPoller:
    def __init__(self) -> None:
        # epoll or kqueue: select and poll have no file descriptor to wait for
        self._selector = selectors.DefaultSelector()
        self._alarms: list[_Alarm] = []
        self._nap = trio.CancelScope()
        self.bell = trio.Event

    def watch(
        self, fd: int, wait: Readiness, call: Callable[[], object], instead_of: Readiness | None
    ) -> None:
        (self._selector.register if instead_of is None else self._selector.modify)(fd, _EVENTS[wait], call)

    def forget(self, fd: int, _: Readiness) -> None:
        self._selector.unregister(fd)

    def call_at(self, when: float, call: Callable[[], object]) -> _Alarm:
        alarm = _Alarm(when, call)
        heappush(self._alarms, alarm)
        if self._alarms[0] is alarm:
            self._nap.deadline = self._first()
        return alarm

    async def serve(self) -> None:
        """Call as long as trio runs."""
        with self._selector as selector:
            while True:
                with trio.CancelScope(deadline=self._first()) as self._nap:
                    while True:
                        await trio.lowlevel.wait_readable(selector)
                        for ready, _ in selector.select(0):
                            ready.data()
                self._ring()

    def _first(self) -> float:
        """When the first alarm goes off, by trio's clock."""
        return trio.current_time() + (self._alarms[0].when - monotonic()) if self._alarms else inf

    def _ring(self) -> None:
        now = monotonic()
        while self._alarms and (self._alarms[0].call is None or self._alarms[0].when <= now):
            if (call := heappop(self._alarms).call) is not None:
                call()


_running: trio.lowlevel.RunVar[_TrioPoller] = trio.lowlevel.RunVar("checker-smtp watcher")


def trio_poller() -> _TrioPoller:
    """The watcher of the trio that runs this task; it is started with the first session, and stays."""
    try:
        return _running.get()
    except LookupError:
        poller = _TrioPoller()
        _running.set(poller)
        trio.lowlevel.spawn_system_task(poller.serve)
        return poller
