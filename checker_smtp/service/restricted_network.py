"""The network of the service: nothing but what may be dialled is dialled, and nobody else answers.

`probes` has looked at every address before; this is the last look, next to the sockets and by the same
table, so that no way through the probes, today's or a later one, leads anywhere else. A script names an
address, never a name, so nothing is resolved again; that the peer is the one dialled, and may be, is
asked of the connected socket itself.
"""

import ipaddress
import socket
from typing import TypeVar

from checker_smtp.backends.network import Network
from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.backends.transport.transport import connect_tcp
from checker_smtp.probes.addresses import why_not_public
from smtp_sansio import Connect, Done, Effect, Failed, FailureKind, Outcome, Script

__all__ = ["RestrictedNetwork"]

_T = TypeVar("_T")
# one sentence for whatever is there, or is not
_REFUSAL = "this address is not dialled from here"


class RestrictedNetwork(Network):
    """The network, and in it public unicast addresses and those in `allowed` (CIDR)."""

    def __init__(self, server: str | None = None, port: int = 53, *, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(server, port)
        self._allowed = allowed

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` to its end; a `Connect` to where nobody may go fails as not permitted."""
        dialled: list[socket.socket] = []

        def dial(host: str, port: int) -> socket.socket:
            dialled[:] = [connect_tcp(host, port)]
            return dialled[0]

        return await run_anyio(self._pinned(script, dialled), dial=dial)

    def _pinned(self, script: Script[_T], dialled: list[socket.socket]) -> Script[_T]:
        try:
            effect = next(script)
            while True:
                outcome = yield from self._passed(effect, dialled)
                effect = script.send(outcome)
        except StopIteration as stop:
            value: _T = stop.value
            return value
        finally:
            script.close()

    def _passed(self, effect: Effect, dialled: list[socket.socket]) -> Script[Outcome]:
        if not isinstance(effect, Connect):
            return (yield effect)
        if why_not_public(effect.host, self._allowed):
            return Failed(0.0, FailureKind.NOT_PERMITTED, _REFUSAL)
        outcome = yield effect
        if isinstance(outcome, Done) and not self._is_peer(effect.host, dialled[0]):
            return Failed(outcome.at, FailureKind.NOT_PERMITTED, _REFUSAL)
        return outcome

    def _is_peer(self, host: str, sock: socket.socket) -> bool:
        try:
            peer = sock.getpeername()[0]
        except OSError:
            # it is gone already; the next step will say how
            return True
        # the kernel writes an address in its own way, and says which interface a link-local one is on
        address = ipaddress.ip_address(peer.partition("%")[0])
        return address == ipaddress.ip_address(host) and not why_not_public(str(address), self._allowed)
