"""The address of the client behind trusted proxies, from the headers that these proxies add.

Every client can send these headers, and proxies append to them, so they are read from the right. Each entry
was written by the peer to its right. The first entry that is not the address of a trusted proxy is the
client; the entries to its left are not trustworthy. An entry without an address ends the search: the client
is then the proxy that wrote it.

A proxy writes `X-Forwarded-For` or `Forwarded` (RFC 7239), and may pass on the other one as the client sent
it. If they name different clients, both are ignored. The scheme and the host in these headers are not used.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from .settings import SettingError

__all__ = ["Forwarded", "client_of"]

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
# an address, perhaps with a port: 192.0.2.1, 192.0.2.1:5, 2001:db8::1, [2001:db8::1]:5
_NODE = re.compile(r"\[(?P<six>[^]]+)](:\d+)?|(?P<four>[^:]+)(:\d+)?|(?P<bare>.+)")
_FOR = re.compile(r"(?:^|;)\s*for=\"?([^\";]*)\"?", re.IGNORECASE)


class Forwarded:
    """Puts the client's address into `scope["client"]`, with the port 0 if it is behind a proxy.

    `proxies` are the networks (CIDR) of the trusted proxies. Raises `SettingError`.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        self._proxies = tuple(_network(text) for text in proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope.get("client"):
            host, port = scope["client"]
            peer = _address(host) or host
            client = self._client_behind(peer, scope["headers"])
            scope["client"] = (client, port if client == peer else 0)
        await self._app(scope, receive, send)

    def _client_behind(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        if not self._is_trusted(peer):
            return peer
        # several fields with one name form one list (RFC 9110 §5.3)
        fields = {name: ",".join(_values(headers, name)) for name in (b"x-forwarded-for", b"forwarded")}
        entries = fields[b"x-forwarded-for"].split(",")
        elements = [_for(element) for element in fields[b"forwarded"].split(",")]
        clients = {self._leftmost(peer, hops) for hops in (entries, elements) if hops != [""]}
        return clients.pop() if len(clients) == 1 else peer

    def _leftmost(self, peer: str, hops: list[str]) -> str:
        """Return the client at the end of the chain of trusted proxies."""
        client = peer
        for hop in reversed(hops):
            address = _address(hop.strip())
            if not address or not self._is_trusted(client):
                break
            client = address
        return client

    def _is_trusted(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def client_of(scope: Scope) -> str:
    """Return the client's address as set by `Forwarded`; empty text if unknown, as on a Unix socket."""
    client = scope.get("client")
    return client[0] if client else ""


def _values(headers: Iterable[tuple[bytes, bytes]], field: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name == field]


def _for(element: str) -> str:
    """Return the `for` parameter of one `Forwarded` element (RFC 7239 §5.2); empty text without one."""
    match = _FOR.search(element)
    return match[1] if match else ""


def _address(text: str) -> str:
    """Return the address in `text` without its port, IPv4-mapped as IPv4; empty text without an address."""
    node = _NODE.fullmatch(text)
    try:
        address = ipaddress.ip_address((node["six"] or node["four"] or node["bare"]) if node else text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise SettingError(
            f"{text!r} is not a network of proxies: give CIDR notation such as 10.0.0.0/8, or an address"
        ) from None
