"""How many connections are open at once, so that asking is never a burden."""

from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import anyio

__all__ = ["ConnectionLimits", "PerKey"]


class PerKey:
    """So many places for each key; a key that nobody wants takes no memory."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._limiters: dict[Hashable, anyio.CapacityLimiter] = {}
        self._wanted: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """How many keys are wanted."""
        return len(self._limiters)

    @asynccontextmanager
    async def place(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for a place of `key` and hold it."""
        limiter = self._limiters.setdefault(key, anyio.CapacityLimiter(self._places))
        self._wanted[key] += 1
        try:
            async with limiter:
                yield
        finally:
            self._wanted[key] -= 1
            if not self._wanted[key]:
                del self._wanted[key], self._limiters[key]


class ConnectionLimits:
    """How many connections may be open: in all, and to one address. Shared by checks that run together."""

    def __init__(self, total: int = 10, per_address: int = 2) -> None:
        self._total = anyio.CapacityLimiter(total)
        self._addresses = PerKey(per_address)

    @asynccontextmanager
    async def connection(self, address: str) -> AsyncIterator[None]:
        """Wait for a place and hold it."""
        async with self._addresses.place(address), self._total:
            yield
