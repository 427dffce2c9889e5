"""How much evidence may be in memory: of one endpoint, of one check, and of all checks in the process.

Evidence is what a check keeps of the answers of others: octets of sessions and of DNS records. An entry costs
`ENTRY_COST` octets beside its own, because a server that sends one octet at a time makes the objects around
the octets the larger part.

A budget may be a part of another one, so that endpoints share the budget of their check, and checks that of
the process. The reserve of a part is in use for the whole, whether or not it is taken: a check that was
admitted with the reserve of an honest one can always be made, however much others keep.
"""

from collections.abc import Iterable
from threading import Lock

import anyio

from .observation import Session
from .ports import DnsAnswer

__all__ = [
    "CHECK_LIMIT",
    "CHECK_RESERVE",
    "ENTRY_COST",
    "MAX_READ",
    "PROCESS_LIMIT",
    "EvidenceBudget",
    "dns_limit",
    "endpoint_limit",
    "octets_of",
    "octets_of_answers",
]

# What the objects of a transcript entry take beside its octets (python -m benchmarks hostile).
ENTRY_COST = 512

# A healthy domain with ten endpoints keeps 100 KiB, and each of ten open connections has room for a read of
# 64 KiB; 8 MiB are eight sessions that send all that they may.
CHECK_LIMIT = 8 * 1024 * 1024
CHECK_RESERVE = 1024 * 1024

# The part of a check's evidence that the DNS may be: an answer has at most 64 KiB, and a check asks hundreds.
_DNS_SHARE = 4

MAX_READ = 64 * 1024
"""The longest read of `backends.transport`: with less room left the next one might not fit."""

# Eight checks that keep all that they may, or 64 honest ones. In memory evidence takes about five times its
# octets while a check is evaluated and rendered.
PROCESS_LIMIT = 8 * CHECK_LIMIT


class EvidenceBudget:
    """An amount of evidence, in octets, that may be in use at a time; `in_use` never exceeds `limit`.

    May be used by several threads, except for `wait_for_part`.
    """

    def __init__(self, limit: int = PROCESS_LIMIT) -> None:
        self.limit = limit
        self._in_use = self._reserved = 0
        self._whole: EvidenceBudget | None = None
        self._lock = Lock()
        self._waiting: list[anyio.Event] = []

    @property
    def in_use(self) -> int:
        """Return the octets in use: those taken, and those that open parts have reserved."""
        return self._in_use

    def share(self, limit: int) -> "EvidenceBudget":
        """Return a part of at most `limit` octets without a reserve, to be closed unless the whole is."""
        part = EvidenceBudget(limit)
        part._whole, part._lock = self, self._lock
        return part

    def part(self, limit: int = CHECK_LIMIT, reserve: int = CHECK_RESERVE) -> "EvidenceBudget | None":
        """Open a part of at most `limit` octets with `reserve` of them in use from now on.

        Return None where there is no room for the reserve. The part is to be closed.
        """
        part = self.share(limit)
        with self._lock:
            if not self._grow(reserve):
                return None
        part._reserved = reserve
        return part

    async def wait_for_part(self, limit: int = CHECK_LIMIT, reserve: int = CHECK_RESERVE) -> "EvidenceBudget":
        """Open a part as soon as there is room for its reserve; all callers run in the same event loop.

        Raises ValueError where there never will be.
        """
        if reserve > self.limit:
            raise ValueError(f"the reserve of {reserve} octets exceeds the limit of {self.limit}")
        while (part := self.part(limit, reserve)) is None:
            room = anyio.Event()
            self._waiting.append(room)
            await room.wait()
        return part

    def take(self, octets: int, entries: int = 0) -> bool:
        """Take octets and entries into use; return False, and take nothing, where there is no room."""
        with self._lock:
            return self._grow(octets + entries * ENTRY_COST)

    def give_back(self, octets: int, entries: int = 0) -> None:
        """Return what was taken and is not kept."""
        with self._lock:
            self._shrink(octets + entries * ENTRY_COST)

    def settle(self, free: int) -> None:
        """Return the reserve to the whole, and have only what is in use beyond `free` octets in use there."""
        with self._lock:
            kept = max(self._in_use - free, 0)
            if self._whole is not None:
                self._whole._shrink(max(self._in_use, self._reserved) - kept)
            self.limit -= self._in_use - kept
            self._in_use, self._reserved = kept, 0

    def close(self) -> None:
        """Return everything to the whole, what was reserved as well; nothing can be taken from then on."""
        with self._lock:
            if self._whole is not None:
                self._whole._shrink(max(self._in_use, self._reserved))
            self._in_use = self._reserved = self.limit = 0
            self._whole = None

    def _grow(self, octets: int) -> bool:
        if self._in_use + octets > self.limit:
            return False
        more = self._beyond_reserve(self._in_use + octets) - self._beyond_reserve(self._in_use)
        if more and self._whole is not None and not self._whole._grow(more):
            return False
        self._in_use += octets
        return True

    def _shrink(self, octets: int) -> None:
        less = self._beyond_reserve(self._in_use) - self._beyond_reserve(self._in_use - octets)
        self._in_use -= octets
        if less and self._whole is not None:
            self._whole._shrink(less)
        waiting, self._waiting = self._waiting, []
        for room in waiting:
            room.set()

    def _beyond_reserve(self, octets: int) -> int:
        return max(0, octets - self._reserved)


def dns_limit(limit: int = CHECK_LIMIT) -> int:
    """Return the octets that the answers of the DNS may have in a check of at most `limit`."""
    return limit // _DNS_SHARE


def endpoint_limit(endpoints: int, limit: int = CHECK_LIMIT) -> int:
    """Return the octets that all sessions with one of `endpoints` may have in a check of at most `limit`."""
    return (limit - dns_limit(limit)) // max(1, endpoints)


def octets_of_answers(answers: Iterable[DnsAnswer]) -> int:
    """Return the octets of evidence in these answers, with the cost of their entries."""
    return sum(ENTRY_COST + len(a.detail) + sum(map(len, a.records)) for a in answers)


def octets_of(sessions: Iterable[Session]) -> int:
    """Return the octets of evidence in these sessions, with the cost of their entries."""
    return sum(
        ENTRY_COST + len(str(entry.get("got", ""))) + len(str(entry.get("data", "")))
        for session in sessions
        for entry in session.transcript
    )
