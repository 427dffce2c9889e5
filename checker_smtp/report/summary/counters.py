"""Counters for an unlimited number of values, in bounded memory.

`Frequent` counts by Misra and Gries ("Finding repeated elements", 1982), in batches: when the capacity is
used up, the rarer half of the values is dropped, and the largest count dropped is kept. A value that appears
(again) after that may have appeared up to that many times before; one that was never dropped is counted
exactly. As half of the capacity is freed at a time, after n values no count is more than 2n / capacity too
low, and every value that is more frequent than that is present. The most frequent values, the ones that are
shown, are exact in practice.

`Slowest` keeps the slowest servers. Dropping the faster half loses none of those, only the earlier domains
of a server that becomes slow late.
"""

from dataclasses import dataclass, field
from heapq import nlargest
from statistics import median_high

from checker_smtp.probes.addresses import subject_of

__all__ = ["SAMPLES", "Bucket", "Frequent", "Slowest", "TimedServer"]

SAMPLES = 5


@dataclass(slots=True)
class Bucket:
    """A number of domains, the first few of them, and the largest number that may be `missed`."""

    count: int = 0
    missed: int = 0
    samples: list[str] = field(default_factory=list)

    def add(self, domain: str) -> None:
        self.count += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(domain)


@dataclass(slots=True)
class TimedServer(Bucket):
    """The domains of one address and port; `seconds` is its longest wait, `target` one of its MX names."""

    address: str = ""
    port: int = 0
    target: str = ""
    seconds: float = 0.0

    @property
    def subject(self) -> str:
        return subject_of(self.address, self.port)


class Frequent:
    """Counts domains by value; at most `capacity` values are kept."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._buckets: dict[str, Bucket] = {}
        # the largest possible count of a value that is not kept; 0 where all are
        self.max_dropped = 0

    def __len__(self) -> int:
        return len(self._buckets)

    def add(self, value: str, domain: str) -> None:
        bucket = self._buckets.get(value)
        if bucket is None:
            if len(self._buckets) >= self._capacity:
                self._make_room()
            bucket = self._buckets[value] = Bucket(missed=self.max_dropped)
        bucket.add(domain)

    def top(self, number: int) -> list[tuple[str, Bucket]]:
        """Return the most frequent values, by descending count, then by name."""
        return sorted(self._buckets.items(), key=lambda pair: (-pair[1].count, pair[0]))[:number]

    def _make_room(self) -> None:
        self.max_dropped = median_high(b.count + b.missed for b in self._buckets.values())
        self._buckets = {v: b for v, b in self._buckets.items() if b.count + b.missed > self.max_dropped}


class Slowest:
    """Keeps the slowest servers: at most `capacity`, at least half as many."""

    def __init__(self, capacity: int = 1_000) -> None:
        self._capacity = capacity
        self._servers: dict[tuple[str, int], TimedServer] = {}
        self._added = 0
        self._floor = -1.0  # servers that are not slower were skipped

    def __len__(self) -> int:
        return len(self._servers)

    def add(self, address: str, port: int, target: str, seconds: float, domain: str) -> None:
        self._added += 1
        server = self._servers.get((address, port))
        if server is None:
            if seconds <= self._floor:
                return
            if len(self._servers) >= self._capacity:
                self._make_room()
            missed = self._added - 1 if self._floor >= 0 else 0
            server = TimedServer(missed=missed, address=address, port=port, target=target)
            self._servers[address, port] = server
        server.seconds = max(server.seconds, seconds)
        server.add(domain)

    def top(self, number: int) -> list[TimedServer]:
        """Return the slowest servers, slowest first."""
        return nlargest(number, self._servers.values(), key=lambda server: server.seconds)

    def _make_room(self) -> None:
        kept = self.top(self._capacity // 2)
        self._floor = kept[-1].seconds
        self._servers = {(server.address, server.port): server for server in kept}
