"""The response to a request that is refused or fails: JSON with the one field `error`, a sentence."""

from collections.abc import Callable, Mapping

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["ErrorResponse", "refusing"]


class ErrorResponse(JSONResponse):
    """An error response with its HTTP status, a message, and header fields."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__({"error": message}, status, headers)


def refusing(refusal: Callable[[Scope], ErrorResponse | None], app: ASGIApp) -> ASGIApp:
    """Return an application that answers a request with its refusal, and with `app` where it has none."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        refused = refusal(scope) if scope["type"] == "http" else None
        await (refused or app)(scope, receive, send)

    return serve
