"""Start queued work at intervals, so that a burst of requests does not block the event loop.

A handler runs for a short time before its first await, but two hundred of them in one iteration of the loop
block it, and the checks that are running have work to do as well. So handlers start one after the other, with
an interval that grows with the lag of the loop. In an idle loop work starts without a delay; in a busy loop
running work finishes first.
"""

import asyncio
from collections import deque

__all__ = ["Pacer"]

# seconds between two starts, and the seconds that each second of the loop's lag adds
_INTERVAL, _LAG_FACTOR = 0.01, 4.0
_MAX_INTERVAL = 0.25


class Pacer:
    """Starts waiting tasks one after the other."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self) -> None:
        """Wait for the turn of the current task."""
        if self._timer is None:
            self._schedule(0.0)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def release_all(self) -> None:
        """Start all waiting tasks now."""
        while self._waiting:
            self._wake()

    def _schedule(self, lag: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + min(_INTERVAL + _LAG_FACTOR * lag, _MAX_INTERVAL)
        self._timer = loop.call_at(due, self._next, due)

    def _next(self, due: float) -> None:
        if not self._waiting:
            self._timer = None
            return
        self._wake()
        self._schedule(asyncio.get_running_loop().time() - due)

    def _wake(self) -> None:
        turn = self._waiting.popleft()
        if not turn.done():
            turn.set_result(None)
