"""Work begins bit by bit, however much comes in at once, so that the event loop stays quick for all else.

What a handler does before it first waits is short, but not so for two hundred of them in one turn of the
loop; and all that runs already has its steps to make. So one begins after the other, with a pause between
them that grows with how late the loop is: where it is idle nobody waits, and where it is behind what runs
is finished first.
"""

import asyncio
from collections import deque

__all__ = ["Pacer"]

# seconds between two beginnings, and by how much each second of the loop's delay adds to it
_PAUSE, _PATIENCE = 0.01, 4.0
_MAX_PAUSE = 0.25


class Pacer:
    """Lets one after the other begin."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self) -> None:
        """Wait for a turn of one's own."""
        if self._timer is None:
            self._pause(0.0)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def release_all(self) -> None:
        """Let everybody go on who waits now."""
        while self._waiting:
            self._wake()

    def _pause(self, late: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + min(_PAUSE + _PATIENCE * late, _MAX_PAUSE)
        self._timer = loop.call_at(due, self._next, due)

    def _next(self, due: float) -> None:
        if not self._waiting:
            self._timer = None
            return
        self._wake()
        self._pause(asyncio.get_running_loop().time() - due)

    def _wake(self) -> None:
        turn = self._waiting.popleft()
        if not turn.done():
            turn.set_result(None)
