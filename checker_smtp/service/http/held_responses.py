"""Large responses within the budget of evidence: a client may be slow to read what was rendered at once.

A response above a limit takes its octets of the budget until the client has read it, or its time is over.
Where there is no room it is replaced by a 503: memory does not grow with the number of those who read.
"""

from contextlib import ExitStack

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checker_smtp.service.admission import Admission
from checker_smtp.service.refusal import CheckRefused

from .errors import ErrorResponse

__all__ = ["HeldResponses"]

# The report of a usual domain has 60 KiB; 256 connections with this much each are 64 MiB.
_SMALL = 256 * 1024
# The response itself, and what the transport has not sent.
_COPIES = 2


class HeldResponses:
    """Wraps `app`, whose responses take their part of the budget of `admission`."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        is_refused = is_held = False
        with ExitStack() as held:

            async def send_held(message: Message) -> None:
                nonlocal is_refused, is_held
                if message["type"] == "http.response.start":
                    size = int(Headers(raw=message["headers"]).get("content-length", "0"))
                    if size > _SMALL:
                        in_memory = _COPIES * size
                        try:
                            held.enter_context(self._admission.evidence_part(in_memory, in_memory))
                        except CheckRefused as refusal:
                            is_refused = True
                            refused = ErrorResponse(refusal.status, str(refusal), refusal.headers)
                            await refused(scope, receive, send)
                            return
                        is_held = True
                elif is_refused:
                    return
                elif is_held and not message.get("more_body", False):
                    # the server waits before the next message until most of this one was read
                    await send({**message, "more_body": True})
                    message = {"type": "http.response.body"}
                await send(message)

            await self._app(scope, receive, send_held)
