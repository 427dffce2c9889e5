"""Which clients may use happyDomain's protocol: its routes act on what they are sent.

A host chooses the name in HELO, the recipient of the relay test and the MX records of a check, and sends
documents to evaluate. On a page that everybody may use, these would make the service a tool against others.
So the routes answer the operator's hosts, and, where there is a token, everybody who has it.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import ErrorResponse
from .forwarded import client_of, is_direct
from .hosts import Hosts

__all__ = ["PROTOCOL_ROUTES", "ProtocolAccess"]

PROTOCOL_ROUTES = ("/collect", "/evaluate", "/report", "/definition")


class ProtocolAccess:
    """Passes requests to `app`, those for the protocol from `hosts` only, or with the token."""

    def __init__(self, app: ASGIApp, hosts: Hosts, *, has_token: bool) -> None:
        self._app = app
        self._hosts = hosts
        # `Auth` has admitted nobody without it
        self._has_token = has_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] in PROTOCOL_ROUTES and not self._may_use(scope):
            refusal = ErrorResponse(
                403,
                "this address is for hosts of the operator: use the page at /check, or start the service "
                "with --protocol-from or --token",
            )
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _may_use(self, scope: Scope) -> bool:
        return self._has_token or self._hosts.include(client_of(scope), is_direct=is_direct(scope))
