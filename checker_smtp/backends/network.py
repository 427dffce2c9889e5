"""The Internet as one object for the probes: a resolver for names, and TCP for sessions."""

from collections.abc import Iterable
from functools import partial
from ipaddress import ip_address
from typing import TypeVar

from checker_smtp.backends.dns.cache import CountingResolver
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.local_addresses import public_sources
from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.backends.transport.transport import OpenSocket, connect_tcp
from checker_smtp.probes.observation import Endpoint
from checker_smtp.probes.ports import DnsAnswer
from smtp_sansio import Script

__all__ = ["Network"]

_T = TypeVar("_T")


class Network:
    """Both ports of `probes`: names are resolved by `resolver`, and scripts run over TCP.

    `resolver` is by default a `DnsResolver` for the servers of the system; a `SharedResolver` may serve
    several networks. `dial` opens the connections of scripts: it is called with a host and a port and returns
    a non-blocking socket that is connecting. By default they begin at the local address `source_address`, or
    at any; a connection to an address of the other family fails then. Raises `ResolverUnavailable`, and
    ValueError where `source_address` is no IP address.
    """

    def __init__(
        self,
        resolver: CountingResolver | None = None,
        *,
        dial: OpenSocket | None = None,
        source_address: str | None = None,
    ) -> None:
        self.resolver = resolver or DnsResolver()
        if source_address is not None:
            ip_address(source_address)
        self._source_address = source_address
        self._dials_itself = dial is None
        self.dial = dial or partial(connect_tcp, source_address=source_address)

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Ask for `name`'s records of the type `rdtype`. Raises nothing but cancellation."""
        return await self.resolver.resolve(name, rdtype, unvalidated=unvalidated)

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` over TCP to its end; see `run_anyio`."""
        return await run_anyio(script, dial=self.dial)

    def find_sources(self, endpoints: Iterable[Endpoint]) -> tuple[str, ...]:
        """Return the public addresses of this machine that connections to `endpoints` began at.

        See `public_sources`; nothing is known where `dial` was given.
        """
        return public_sources(endpoints, self._source_address) if self._dials_itself else ()
