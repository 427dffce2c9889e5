"""Limits on the connections open at once, so that a check never loads a server."""

from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import anyio

__all__ = ["ConnectionLimits", "PerKey"]


class PerKey:
    """A limit of `places` for each key; a key without holders and waiters takes no memory."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._limiters: dict[Hashable, anyio.CapacityLimiter] = {}
        self._users: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """Return the number of keys in use."""
        return len(self._limiters)

    @asynccontextmanager
    async def place(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for a place of `key`, and hold it while the context is open."""
        limiter = self._limiters.setdefault(key, anyio.CapacityLimiter(self._places))
        self._users[key] += 1
        try:
            async with limiter:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._limiters[key]


class ConnectionLimits:
    """Limits on open connections, in total and per address. Checks that run together share one object."""

    def __init__(self, total: int = 10, per_address: int = 2) -> None:
        self._total = anyio.CapacityLimiter(total)
        self._addresses = PerKey(per_address)

    @asynccontextmanager
    async def connection(self, address: str) -> AsyncIterator[None]:
        """Wait for a place for one connection to `address`, and hold it while the context is open."""
        async with self._addresses.place(address), self._total:
            yield
