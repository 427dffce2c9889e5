"""The address of the client behind trusted proxies, from the `X-Forwarded-For` that they append to.

uvicorn reads the field, from the right up to the first address that is not the one of a trusted proxy. Added
here: an invalid network is an error, a socket of both families reports IPv4 proxies as IPv4-mapped, and an
entry that is no address is ignored, because the client's address is the key of its rate limit.

A proxy that is not trusted, or that names nobody, stands before the client: then the address is not the
client's, and `is_direct` is false. Else every visitor behind a proxy on this machine would count as local.
"""

import ipaddress
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from checker_smtp.service.settings import SettingError

__all__ = ["Forwarded", "client_of", "is_direct", "parse_address", "parse_network"]

_PEER, _DIRECT = "checker_smtp.peer", "checker_smtp.direct"
# the fields that proxies add (RFC 9110 §7.6.3, RFC 7239, and those in common use)
_ADDED = {b"x-forwarded-for", b"forwarded", b"via", b"x-real-ip"}


class Forwarded:
    """Puts the client's address into `scope["client"]`.

    `proxies` are the networks (CIDR) of the trusted proxies. Raises `SettingError`.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        networks = [str(parse_network(text, "proxies")) for text in proxies]
        self._proxied = ProxyHeadersMiddleware(self._serve, networks)  # type: ignore[arg-type]

    def trusts(self, peer: str) -> bool:
        """Return whether this address is the one of a trusted proxy."""
        return (parse_address(peer) or peer) in self._proxied.trusted_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope.get("client"):
            host, port = scope["client"]
            scope["client"] = scope[_PEER] = (parse_address(host) or host, port)
        await self._proxied(scope, receive, send)  # type: ignore[arg-type]

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("client"):
            host, port = scope["client"]
            address = parse_address(host)
            scope["client"] = (address, port) if address else scope[_PEER]
            scope[_DIRECT] = bool(address) and self._is_named(scope)
        await self._app(scope, receive, send)

    def _is_named(self, scope: Scope) -> bool:
        """Return whether the client is named by a trusted proxy, or connects without any proxy."""
        forwarded = {name for name, _ in scope["headers"]} & _ADDED
        if self.trusts(scope[_PEER][0]):
            return b"x-forwarded-for" in forwarded
        return not forwarded


def client_of(scope: Scope) -> str:
    """Return the client's address as set by `Forwarded`; empty text if unknown, as on a Unix socket."""
    client = scope.get("client")
    return client[0] if client else ""


def is_direct(scope: Scope) -> bool:
    """Return whether `client_of` is the client itself, not a proxy in front of it."""
    return bool(scope.get(_DIRECT))


def parse_address(text: str) -> str:
    """Return the address in `text`, IPv4-mapped as IPv4; empty text if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def parse_network(text: str, whose: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Parse CIDR notation. Raises `SettingError`, which says `whose` network it is."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise SettingError(
            f"{text!r} is not a network of {whose}: give CIDR notation such as 10.0.0.0/8, or an address"
        ) from None
