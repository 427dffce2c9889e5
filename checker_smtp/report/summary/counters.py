"""Counting what may take any number of values, in bounded memory.

`Frequent` counts by Misra and Gries ("Finding repeated elements", 1982), a batch at a time: where there is no
room for a new value, the rarer half of the values is forgotten, and the largest number forgotten is kept. A
value that comes (again) after that may have been seen so often before, and no more often; one that was never
forgotten is counted exactly. As half of the room is let go at a time, after n values no count is more than
2n / capacity too low, and every value seen more often than that is there. What people ask for, the frequent
values, is exact in practice.

`Slowest` keeps the servers that took longest. To forget the faster half of them loses none of those, only
how many domains a server has had that becomes slow late.
"""

from dataclasses import dataclass, field
from heapq import nlargest
from statistics import median_high

from checker_smtp.probes.addresses import subject_of

__all__ = ["SAMPLES", "Bucket", "Frequent", "Slowest", "TimedServer"]

SAMPLES = 5


@dataclass(slots=True)
class Bucket:
    """How many domains, the first few of them, and how many more there may have been."""

    count: int = 0
    missed: int = 0
    samples: list[str] = field(default_factory=list)

    def add(self, domain: str) -> None:
        self.count += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(domain)


@dataclass(slots=True)
class TimedServer(Bucket):
    """The domains of one address and port; `seconds` is the longest, `target` an MX name that led there."""

    address: str = ""
    port: int = 0
    target: str = ""
    seconds: float = 0.0

    @property
    def subject(self) -> str:
        return subject_of(self.address, self.port)


class Frequent:
    """Domains by value. At most `capacity` values are held."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._buckets: dict[str, Bucket] = {}
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self._buckets)

    @property
    def forgotten(self) -> int:
        """How often a value may have been seen that is not there; 0 where all are."""
        return self._forgotten

    def add(self, value: str, domain: str) -> None:
        bucket = self._buckets.get(value)
        if bucket is None:
            if len(self._buckets) >= self._capacity:
                self._make_room()
            bucket = self._buckets[value] = Bucket(missed=self._forgotten)
        bucket.add(domain)

    def top(self, number: int) -> list[tuple[str, Bucket]]:
        """The most frequent values, the most frequent first; equal ones by name."""
        return sorted(self._buckets.items(), key=lambda pair: (-pair[1].count, pair[0]))[:number]

    def _make_room(self) -> None:
        self._forgotten = median_high(b.count + b.missed for b in self._buckets.values())
        self._buckets = {
            value: b for value, b in self._buckets.items() if b.count + b.missed > self._forgotten
        }


class Slowest:
    """Servers by the longest they took. At most `capacity` are held, at least half as many of the slowest."""

    def __init__(self, capacity: int = 1_000) -> None:
        self._capacity = capacity
        self._servers: dict[tuple[str, int], TimedServer] = {}
        self._added = 0
        self._floor = -1.0  # what is no slower was passed over

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
        """The slowest, the slowest first."""
        return nlargest(number, self._servers.values(), key=lambda server: server.seconds)

    def _make_room(self) -> None:
        kept = self.top(self._capacity // 2)
        self._floor = kept[-1].seconds
        self._servers = {(server.address, server.port): server for server in kept}
