"""Which clients may use happyDomain's protocol: its routes act on what they are sent.

A host chooses the name in HELO, the recipient of the relay test and the MX records of a check, and sends
documents to evaluate. On a page that everybody may use, these would make the service a tool against others.
So the routes answer hosts in private networks and on this machine, those in `--protocol-from`, and, where
there is a token, everybody who has it.
"""

import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from checker_smtp.probes.addresses import NOT_PUBLIC
from checker_smtp.service.settings import ServiceSettings

from .errors import ErrorResponse
from .forwarded import client_of, is_direct, parse_network

__all__ = ["ProtocolAccess"]

_ROUTES = ("/collect", "/evaluate", "/report", "/definition")
_LOCAL = tuple(
    network
    for network, purpose, _ in NOT_PUBLIC
    if purpose in ("loopback", "private", "unique local", "link-local")
)


class ProtocolAccess:
    """Passes requests to `app`, those for the protocol from hosts only. Raises `SettingError`."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        # `Auth` has admitted nobody else
        self._everybody = bool(settings.token)
        self._hosts = tuple(parse_network(text, "hosts") for text in settings.protocol_from)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] in _ROUTES and not self._may_use(scope):
            refusal = ErrorResponse(
                403,
                "this address is for hosts of the operator: use the page at /check, or start the service "
                "with --protocol-from or --token",
            )
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _may_use(self, scope: Scope) -> bool:
        if self._everybody:
            return True
        try:
            client = ipaddress.ip_address(client_of(scope))
        except ValueError:
            return False
        # a network that the operator names may be that of a proxy
        networks = (*self._hosts, *(_LOCAL if is_direct(scope) else ()))
        return any(client in network for network in networks)
