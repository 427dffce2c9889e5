"""The Internet as one object for the probes: DNS and TCP, on asyncio or trio."""

from typing import TypeVar

from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.transport.anyio_driver import run_anyio
from smtp_sansio import Script

__all__ = ["Network"]

_T = TypeVar("_T")


class Network(DnsResolver):
    """A `DnsResolver` that runs scripts as well: both ports of `probes`."""

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` over TCP to its end; see `run_anyio`."""
        return await run_anyio(script)
