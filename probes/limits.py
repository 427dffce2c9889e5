"""How many connections are open at once, so that asking is never a burden."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

__all__ = ["ConnectionLimits"]


class ConnectionLimits:
    """How many connections may be open: in all, and to one address. Shared by checks that run together."""

    def __init__(self, total: int = 10, per_address: int = 2) -> None:
        self._total = anyio.CapacityLimiter(total)
        self._per_address = per_address
        self._addresses: dict[str, anyio.CapacityLimiter] = {}
        self._wanted: Counter[str] = Counter()

    @asynccontextmanager
    async def connection(self, address: str) -> AsyncIterator[None]:
        """Wait for a place and hold it."""
        limiter = self._addresses.setdefault(address, anyio.CapacityLimiter(self._per_address))
        self._wanted[address] += 1
        try:
            async with limiter, self._total:
                yield
        finally:
            self._wanted[address] -= 1
            if not self._wanted[address]:
                del self._wanted[address], self._addresses[address]
