"""Which clients may use happyDomain's protocol: its routes act on what they are sent.

A host chooses the name in HELO, the recipient of the relay test and the MX records of a check, and sends
documents to evaluate. On a page that everybody may use, these would make the service a tool against others.
So the routes answer the operator's hosts, and, where there is a token, everybody who has it.
"""

from starlette.types import Scope

from .errors import ErrorResponse
from .forwarded import client_of, is_direct
from .hosts import Hosts

__all__ = ["PROTOCOL_ROUTES", "refuse_strangers"]

PROTOCOL_ROUTES = ("/collect", "/evaluate", "/report", "/definition")


def refuse_strangers(hosts: Hosts, scope: Scope) -> ErrorResponse | None:
    """Return the refusal of a request for the protocol that is not from one of the `hosts`, else None."""
    if scope["path"] not in PROTOCOL_ROUTES or hosts.include(client_of(scope), is_direct=is_direct(scope)):
        return None
    return ErrorResponse(
        403,
        "this address is for hosts of the operator: use the page at /check, or start the service "
        "with --protocol-from or --token",
    )
