"""Runs every session of a scan: when the limits allow it, and none once the scan is stopping."""

from dataclasses import dataclass
from math import inf
from typing import TypeVar

import anyio

from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import Runner
from checker_smtp.probes.selftest import probe_control
from smtp_sansio import Script

from .politeness import PolitenessLimiter
from .server_queue import ServerQueue
from .settings import ScanSettings
from .stats import ScanStats

__all__ = ["RateLimit", "RateLimitedRunner", "ScanStopping"]

_T = TypeVar("_T")


class ScanStopping(Exception):  # noqa: N818 - not an error: the user pressed Ctrl-C
    """No further session is started."""


class RateLimit:
    """Runs scripts within the limits of a scan; set `stopping` to start no more of them."""

    def __init__(self, settings: ScanSettings, runner: Runner, stats: ScanStats) -> None:
        self.politeness = PolitenessLimiter(settings)
        self.stopping = False
        self._runner = runner
        self._stats = stats
        self._cache_ttl = settings.server_cache_ttl
        self._control_lock = anyio.Lock()
        self._control_outcomes: dict[str, tuple[float, str]] = {}

    def runner_for(self, server: ServerQueue) -> Runner:
        """Return the runner of this server's sessions. Its `run` raises `ScanStopping`."""
        # address and provider only: the server caches its probe, and the probe its runner
        return RateLimitedRunner(self, server.address, server.provider)

    async def run(self, address: str, provider: str, script: Script[_T]) -> _T:
        """Run a session's script as soon as the limits allow it. Raise `ScanStopping`."""
        async with self.politeness.session(address, provider):
            if self.stopping:
                raise ScanStopping
            self._stats.connections += 1
            return await self._runner.run(script)

    async def probe_control(self, options: Options, address: str) -> str:
        """Return the outcome of a connection to a control host, cached for all domains."""
        async with self._control_lock:
            expires_at, outcome = self._control_outcomes.get(address, (-inf, ""))
            if expires_at < anyio.current_time():
                async with self.politeness.session(address, address):
                    self._stats.connections += 1
                    outcome = await self._runner.run(probe_control(address, options))
                self._control_outcomes[address] = anyio.current_time() + self._cache_ttl, outcome
        return outcome


@dataclass(frozen=True, slots=True)
class RateLimitedRunner:
    """A runner for the sessions with one address, which belongs to `provider`."""

    rate_limit: RateLimit
    address: str
    provider: str

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` to its end. Raise `ScanStopping`."""
        return await self.rate_limit.run(self.address, self.provider, script)
