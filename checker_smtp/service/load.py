"""How busy the service is, as `/health` tells it."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TypedDict

__all__ = ["Health", "Load"]

_PERIOD = 5.0
_WINDOWS = (60.0, 300.0, 900.0)


class Health(TypedDict):
    """The answer of `/health`; `loadavg` are averages of `inflight` over 1, 5 and 15 minutes."""

    status: str
    uptime_seconds: float
    num_cpu: int
    inflight: int
    total_requests: int
    loadavg: list[float]


class Load:
    """Requests that make work: how many run now, how many there were, and averages as Unix has them.

    The averages are sampled every five seconds, exponentially weighted. No task takes the samples: between
    two changes the number is the same, so those that fell due are taken when it next changes or is read.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._samples = 0
        self._averages = [0.0] * len(_WINDOWS)
        self.inflight = 0
        self.total_requests = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count one request, from here to the end of the block."""
        self._sample()
        self.inflight += 1
        self.total_requests += 1
        try:
            yield
        finally:
            self._sample()
            self.inflight -= 1

    @property
    def uptime_seconds(self) -> float:
        """Seconds since this was built."""
        return self._clock() - self._began

    @property
    def num_cpu(self) -> int:
        """Processors of this machine."""
        return os.cpu_count() or 1

    @property
    def loadavg(self) -> list[float]:
        """Averages of `inflight` over 1, 5 and 15 minutes."""
        self._sample()
        return list(self._averages)

    def health(self) -> Health:
        """What `/health` answers."""
        return {
            "status": "ok",
            "uptime_seconds": round(self.uptime_seconds, 3),
            "num_cpu": self.num_cpu,
            "inflight": self.inflight,
            "total_requests": self.total_requests,
            "loadavg": [round(average, 4) for average in self.loadavg],
        }

    def _sample(self) -> None:
        """Take the samples that fell due since the last change."""
        due = int(self.uptime_seconds / _PERIOD)
        periods, self._samples = due - self._samples, due
        for index, window in enumerate(_WINDOWS):
            kept = math.exp(-periods * _PERIOD / window)
            self._averages[index] = self.inflight + (self._averages[index] - self.inflight) * kept
