"""The network of the service: a connection to an address that is not allowed fails.

`probes` has checked every address before. This is a second check with the same table, next to the sockets, so
that no present or future code in the probes can connect to another address. A script contains an address and
never a host name, so nothing is resolved a second time; the address of the connected peer is checked as well.
"""

import ipaddress
import socket
from typing import TypeVar

from checker_smtp.backends.dns.cache import CountingResolver
from checker_smtp.backends.network import Network
from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.probes.addresses import why_not_public
from smtp_sansio import Connect, Done, Effect, Failed, FailureKind, Outcome, Script, intercept

__all__ = ["RestrictedNetwork"]

_T = TypeVar("_T")
# one sentence whether a host answers at the address or not, so that nobody can scan a network by it
_REFUSAL = "this service does not connect to this address"


class RestrictedNetwork(Network):
    """The network, limited to public unicast addresses and the networks in `allowed` (CIDR)."""

    def __init__(
        self,
        resolver: CountingResolver | None = None,
        *,
        allowed: tuple[str, ...] = (),
        source_address: str | None = None,
    ) -> None:
        super().__init__(resolver, source_address=source_address)
        self._allowed = allowed

    async def run(self, script: Script[_T]) -> _T:
        """Run `script`; a `Connect` to an address that is not allowed fails as not permitted."""
        sockets: list[socket.socket] = []

        def dial(host: str, port: int) -> socket.socket:
            sockets[:] = [self.dial(host, port)]
            return sockets[0]

        def restricted(effect: Effect) -> Script[Outcome]:
            if not isinstance(effect, Connect):
                return (yield effect)
            if why_not_public(effect.host, self._allowed):
                return Failed(0.0, FailureKind.NOT_PERMITTED, _REFUSAL)
            outcome = yield effect
            if isinstance(outcome, Done) and not self._is_allowed_peer(effect.host, sockets[0]):
                return Failed(outcome.at, FailureKind.NOT_PERMITTED, _REFUSAL)
            return outcome

        return await run_anyio(intercept(script, restricted), dial=dial)

    def _is_allowed_peer(self, host: str, sock: socket.socket) -> bool:
        try:
            peer = sock.getpeername()[0]
        except OSError:
            # it is closed already; the next step reports how
            return True
        # the kernel's notation may differ, and contains the zone of a link-local address
        address = ipaddress.ip_address(peer.partition("%")[0])
        return address == ipaddress.ip_address(host) and not why_not_public(str(address), self._allowed)
