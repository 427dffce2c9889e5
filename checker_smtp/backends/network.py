"""The Internet as one object for the probes: a resolver for names, and TCP for sessions."""

from functools import partial
from ipaddress import ip_address
from typing import TypeVar

from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.backends.transport.transport import OpenSocket, connect_tcp, connect_udp
from checker_smtp.probes.ports import DnsAnswer
from smtp_sansio import Script

__all__ = ["Network"]

_T = TypeVar("_T")


class Network:
    """Both ports of `probes`: names are resolved by `resolver`, and scripts run over TCP.

    `server`, `port`, `timeout`, `udp` and `tcp` are those of `DnsResolver`. `dial` opens the connections of
    scripts, by default from the local address `source_address`, or from any. A connection to an address of
    the other family fails then. Raises `ResolverUnavailable`, and ValueError where `source_address` is no IP
    address.
    """

    def __init__(
        self,
        server: str | None = None,
        port: int = 53,
        timeout: float | None = None,
        *,
        udp: OpenSocket = connect_udp,
        tcp: OpenSocket = connect_tcp,
        dial: OpenSocket | None = None,
        source_address: str | None = None,
    ) -> None:
        self.resolver = DnsResolver(server, port, timeout, udp=udp, tcp=tcp)
        if source_address is not None:
            ip_address(source_address)
        self.dial = dial or partial(connect_tcp, source_address=source_address)

    @property
    def name(self) -> str:
        """The resolver's servers, for people."""
        return self.resolver.name

    @property
    def queries(self) -> int:
        """DNS questions sent so far; see `DnsResolver`."""
        return self.resolver.queries

    @property
    def responses(self) -> int:
        """DNS questions answered so far; see `DnsResolver`."""
        return self.resolver.responses

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Ask for `name`'s records of the type `rdtype`. Raises nothing but cancellation."""
        return await self.resolver.resolve(name, rdtype, unvalidated=unvalidated)

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` over TCP to its end; see `run_anyio`."""
        return await run_anyio(script, dial=self.dial)
