"""Time without waiting: a clock that is set by hand, and event loops that skip every wait."""

import asyncio
import selectors
from typing import Any

__all__ = ["FakeClock", "SkippingEventLoop", "backend_options"]


class FakeClock:
    """Stands in for `time.monotonic`: returns `now`, in seconds, which the caller advances.

    >>> clock = FakeClock(100.0)
    >>> clock.now += 2.5
    >>> clock()
    102.5
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class SkippingEventLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that never sleeps: when every task waits, its `clock` advances to the next timer.

    While a file is ready the clock stands still, so no later timer overtakes it.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        super().__init__(_SkippingSelector(self.clock))

    def time(self) -> float:
        """Return the time of `clock`."""
        return self.clock.now


class _SkippingSelector(selectors.DefaultSelector):
    """A selector that adds to `clock` what it was asked to wait."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self._clock.now += timeout
        return ready


def backend_options(backend: str) -> dict[str, Any]:
    """Return the options with which anyio's `backend`, `asyncio` or `trio`, skips every wait.

    >>> import anyio
    >>> anyio.run(anyio.sleep, 3600, backend="asyncio", backend_options=backend_options("asyncio"))
    """
    if backend == "trio":
        from trio.testing import MockClock

        return {"clock": MockClock(autojump_threshold=0)}
    return {"loop_factory": SkippingEventLoop}
