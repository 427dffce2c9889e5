"""The address of the client behind trusted proxies, from the `X-Forwarded-For` that they append to.

uvicorn reads the field, from the right up to the first address that is not the one of a trusted proxy. Added
here: an invalid network is an error, a socket of both families reports IPv4 proxies as IPv4-mapped, and an
entry that is no address is ignored, because the client's address is the key of its rate limit.
"""

import ipaddress
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from checker_smtp.service.settings import SettingError

__all__ = ["Forwarded", "client_of"]

_PEER = "checker_smtp.peer"


class Forwarded:
    """Puts the client's address into `scope["client"]`.

    `proxies` are the networks (CIDR) of the trusted proxies. Raises `SettingError`.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        self._proxied = ProxyHeadersMiddleware(self._serve, [_network(text) for text in proxies])  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope.get("client"):
            host, port = scope["client"]
            scope["client"] = scope[_PEER] = (_address(host) or host, port)
        await self._proxied(scope, receive, send)  # type: ignore[arg-type]

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("client"):
            host, port = scope["client"]
            address = _address(host)
            scope["client"] = (address, port) if address else scope[_PEER]
        await self._app(scope, receive, send)


def client_of(scope: Scope) -> str:
    """Return the client's address as set by `Forwarded`; empty text if unknown, as on a Unix socket."""
    client = scope.get("client")
    return client[0] if client else ""


def _address(text: str) -> str:
    """Return the address in `text`, IPv4-mapped as IPv4; empty text if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise SettingError(
            f"{text!r} is not a network of proxies: give CIDR notation such as 10.0.0.0/8, or an address"
        ) from None
