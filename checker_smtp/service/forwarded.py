"""Who is asking, where proxies stand between: the forwarded headers of those proxies that are trusted.

Anybody can write these headers, and proxies append to them, so they are read from the right. Each entry was
written by the peer to its right; the first that does not come from a trusted proxy names the client, and
what is further left is hearsay. An entry that names no address ends the reading: the proxy that wrote it is
then the client, as nothing better is known.

A proxy writes `X-Forwarded-For` or `Forwarded` (RFC 7239), and may pass the other one on as the client wrote
it. Where they name different clients neither is believed. Nothing else of a proxy's word is used: no
scheme, no host name, for nothing here depends on them.
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
    """Puts the client's address into `scope["client"]`, with the port 0 where a proxy told it.

    `proxies` are the networks (CIDR) of proxies that are trusted. Raises `SettingError`.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        self._proxies = tuple(_network(text) for text in proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope.get("client"):
            host, port = scope["client"]
            peer = _address(host) or host
            client = self._behind(peer, scope["headers"])
            scope["client"] = (client, port if client == peer else 0)
        await self._app(scope, receive, send)

    def _behind(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        if not self._trusted(peer):
            return peer
        # several fields of one name are one list (RFC 9110 §5.3); one alone may be missing
        told = {name: ",".join(_values(headers, name)) for name in (b"x-forwarded-for", b"forwarded")}
        entries = told[b"x-forwarded-for"].split(",")
        elements = [_for(element) for element in told[b"forwarded"].split(",")]
        clients = {self._leftmost(peer, hops) for hops in (entries, elements) if hops != [""]}
        return clients.pop() if len(clients) == 1 else peer

    def _leftmost(self, peer: str, hops: list[str]) -> str:
        """The one that the chain of trusted proxies leads to."""
        client = peer
        for hop in reversed(hops):
            address = _address(hop.strip())
            if not address or not self._trusted(client):
                break
            client = address
        return client

    def _trusted(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def client_of(scope: Scope) -> str:
    """The client's address, as `Forwarded` left it; empty text where there is none, as on a Unix socket."""
    client = scope.get("client")
    return client[0] if client else ""


def _values(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name == wanted]


def _for(element: str) -> str:
    """The `for` of one element of a `Forwarded` header; empty text where there is none."""
    found = _FOR.search(element)
    return found[1] if found else ""


def _address(text: str) -> str:
    """The address in `text`, without a port, an IPv4-mapped one as IPv4; empty text where there is none."""
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
            f"{text!r} is no network of proxies: give one in CIDR notation such as 10.0.0.0/8, or an address"
        ) from None
