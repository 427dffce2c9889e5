"""Where every session of a scan begins: when manners allow it, and not at all once the scan is to stop."""

from dataclasses import dataclass
from math import inf
from typing import TypeVar

import anyio

from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import Runner
from checker_smtp.probes.vantage import knocking
from smtp_sansio import Script

from .manners import Manners
from .server import Server
from .settings import ScanSettings
from .tally import Tally

__all__ = ["Doorstep", "Stopping"]

_T = TypeVar("_T")


class Stopping(Exception):  # noqa: N818 - no error: somebody pressed Ctrl-C
    """No further session is begun."""


class Doorstep:
    """Lets sessions in; `stopping` is set when no more are to begin."""

    def __init__(self, settings: ScanSettings, runner: Runner, tally: Tally) -> None:
        self.manners = Manners(settings)
        self.stopping = False
        self._runner = runner
        self._tally = tally
        self._holds = settings.address_ttl
        self._knocking = anyio.Lock()
        self._knocks: dict[str, tuple[float, str]] = {}

    def of(self, server: Server) -> Runner:
        """What runs the sessions with this server. Its `run` raises `Stopping`."""
        # not the server itself, which keeps what is run here: nobody would let go of the other
        return _Door(self, server.address, server.provider)

    async def hold(self, address: str, provider: str, script: Script[_T]) -> _T:
        """Run a session's script as soon as that is decent. Raises `Stopping`."""
        async with self.manners.session(address, provider):
            if self.stopping:
                raise Stopping
            self._tally.connections += 1
            return await self._runner.run(script)

    async def knock(self, options: Options, address: str) -> str:
        """Visit a control; once for all who want to know, until that is too old."""
        async with self._knocking:
            until, outcome = self._knocks.get(address, (-inf, ""))
            if until < anyio.current_time():
                async with self.manners.session(address, address):
                    self._tally.connections += 1
                    outcome = await self._runner.run(knocking(address, options))
                self._knocks[address] = anyio.current_time() + self._holds, outcome
        return outcome


@dataclass(frozen=True, slots=True)
class _Door:
    doorstep: Doorstep
    address: str
    provider: str

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` to its end."""
        return await self.doorstep.hold(self.address, self.provider, script)
