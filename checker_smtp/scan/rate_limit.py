"""Where every session of a scan begins: when manners allow it, and not at all once the scan is to stop."""

from dataclasses import dataclass
from math import inf
from typing import TypeVar

import anyio

from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import Runner
from checker_smtp.probes.selftest import probe_control
from smtp_sansio import Script

from .politeness import PolitenessLimiter
from .server_queue import Server
from .settings import ScanSettings
from .stats import ScanStats

__all__ = ["RateLimit", "ScanStopping"]

_T = TypeVar("_T")


class ScanStopping(Exception):  # noqa: N818 - no error: somebody pressed Ctrl-C
    """No further session is begun."""


class RateLimit:
    """Lets sessions in; `stopping` is set when no more are to begin."""

    def __init__(self, settings: ScanSettings, runner: Runner, stats: ScanStats) -> None:
        self.politeness = PolitenessLimiter(settings)
        self.stopping = False
        self._runner = runner
        self._tally = stats
        self._holds = settings.server_cache_ttl
        self._knocking = anyio.Lock()
        self._knocks: dict[str, tuple[float, str]] = {}

    def of(self, server: Server) -> Runner:
        """What runs the sessions with this server. Its `run` raises `ScanStopping`."""
        # not the server itself, which keeps what is run here: nobody would let go of the other
        return RateLimitedRunner(self, server.address, server.provider)

    async def hold(self, address: str, provider: str, script: Script[_T]) -> _T:
        """Run a session's script as soon as that is decent. Raises `ScanStopping`."""
        async with self.politeness.session(address, provider):
            if self.stopping:
                raise ScanStopping
            self._tally.connections += 1
            return await self._runner.run(script)

    async def knock(self, options: Options, address: str) -> str:
        """Visit a control; once for all who want to know, until that is too old."""
        async with self._knocking:
            until, outcome = self._knocks.get(address, (-inf, ""))
            if until < anyio.current_time():
                async with self.politeness.session(address, address):
                    self._tally.connections += 1
                    outcome = await self._runner.run(probe_control(address, options))
                self._knocks[address] = anyio.current_time() + self._holds, outcome
        return outcome


@dataclass(frozen=True, slots=True)
class RateLimitedRunner:
    rate_limit: RateLimit
    address: str
    provider: str

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` to its end."""
        return await self.rate_limit.hold(self.address, self.provider, script)
