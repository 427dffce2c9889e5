"""The limits on simultaneous sessions, and the delay between two sessions with one address.

Slots are acquired from the narrowest limit to the widest, so that a session which waits for a scarce slot
does not hold a common one meanwhile.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import anyio

from checker_smtp.probes.addresses import network_of
from checker_smtp.probes.limits import PerKey
from checker_smtp.probes.ports import Runner
from checker_smtp.scan.settings import ScanSettings
from checker_smtp.scan.stats import ScanStats
from smtp_sansio import Script

__all__ = ["PolitenessLimiter", "RateLimitedRunner", "ScanStopping"]

_T = TypeVar("_T")

# Addresses whose delay is remembered before those whose delay has passed are dropped.
_MAX_COOLDOWNS = 10_000


class ScanStopping(Exception):  # noqa: N818 - not an error: the user pressed Ctrl-C
    """No further session is started."""


class PolitenessLimiter:
    """Limits simultaneous sessions, and delays the next one with an address; `stats` counts them.

    After `stopping` no server gets a new session.
    """

    def __init__(self, settings: ScanSettings, stats: ScanStats) -> None:
        self.stats = stats
        self.stopping = anyio.Event()
        self._addresses = PerKey(settings.per_address)
        self._networks = PerKey(settings.per_network)
        self._providers = PerKey(settings.per_provider)
        self._total = anyio.CapacityLimiter(settings.concurrency)
        self._delay = settings.delay
        self._next_allowed: dict[str, float] = {}

    @asynccontextmanager
    async def session(self, address: str, provider: str) -> AsyncIterator[None]:
        """Wait until the limits allow one more session with `address`, and hold its slots meanwhile."""
        network = network_of(address)
        async with self._addresses.place(address):
            while True:
                await anyio.sleep_until(self._next_allowed.get(address, 0))
                async with self._networks.place(network), self._providers.place(provider), self._total:
                    if self._next_allowed.get(address, 0) > anyio.current_time():
                        continue  # another session with this address ended meanwhile and renewed the delay
                    self.stats.open_sessions += 1
                    try:
                        yield
                    finally:
                        self.stats.open_sessions -= 1
                        self._start_cooldown(address)
                    return

    def _start_cooldown(self, address: str) -> None:
        if not self._delay:
            return
        now = anyio.current_time()
        self._next_allowed[address] = now + self._delay
        if len(self._next_allowed) > _MAX_COOLDOWNS:
            self._next_allowed = {key: at for key, at in self._next_allowed.items() if at > now}


@dataclass(frozen=True, slots=True)
class RateLimitedRunner:
    """Runs the sessions with one address, which belongs to `provider`, when the limits allow it.

    `is_control` sessions are run even if the scan is stopping: they belong to domains that are almost done.
    """

    limiter: PolitenessLimiter
    runner: Runner
    address: str
    provider: str
    is_control: bool = False

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` to its end. Raise `ScanStopping`."""
        limiter = self.limiter
        async with limiter.session(self.address, self.provider):
            if limiter.stopping.is_set() and not self.is_control:
                raise ScanStopping
            limiter.stats.connections += 1
            return await self.runner.run(script)
