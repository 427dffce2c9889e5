"""The load of the service, as `/health` reports it."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

__all__ = ["Load"]

_PERIOD = 5.0
_WINDOWS = (60.0, 300.0, 900.0)


class Load:
    """Counts requests that start work: in flight, in total, and load averages as Unix computes them.

    The averages are exponentially weighted samples, one every five seconds. There is no sampling task: the
    number is constant between two changes, so due samples are added at the next change or read.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._started_at = clock()
        self._samples = 0
        self._averages = [0.0] * len(_WINDOWS)
        self.inflight = 0
        self.total_requests = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count one request until the end of the block."""
        self._sample()
        self.inflight += 1
        self.total_requests += 1
        try:
            yield
        finally:
            self._sample()
            self.inflight -= 1

    @property
    def loadavg(self) -> list[float]:
        """Return the averages of `inflight` over 1, 5 and 15 minutes."""
        self._sample()
        return list(self._averages)

    def health(self) -> dict[str, object]:
        """Return the response of `/health`."""
        return {
            "status": "ok",
            "uptime_seconds": round(self._clock() - self._started_at, 3),
            "num_cpu": os.cpu_count() or 1,
            "inflight": self.inflight,
            "total_requests": self.total_requests,
            "loadavg": [round(average, 4) for average in self.loadavg],
        }

    def _sample(self) -> None:
        """Add the samples that are due since the last change."""
        due = int((self._clock() - self._started_at) / _PERIOD)
        periods, self._samples = due - self._samples, due
        for index, window in enumerate(_WINDOWS):
            decay = math.exp(-periods * _PERIOD / window)
            self._averages[index] = self.inflight + (self._averages[index] - self.inflight) * decay
