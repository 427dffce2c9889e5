"""The response to a request that is refused or fails: a sentence, in JSON, or on a page for people."""

from collections.abc import Callable, Mapping
from html import escape

from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .request_id import current_request_id

__all__ = ["ErrorResponse", "refusing"]

# Readable without its style sheet, which may be refused as well. `base` is the form, relative to the path.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error {status} – checker-smtp</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="{base}/static/page.css">
</head>
<body class="narrow">
<header class="top">
<p class="kind"><a href="{base}">checker-smtp</a></p>
<h1>This did not work</h1>
</header>
<main>
<p class="lead">{message}.</p>
<p>Error {status}, request {request_id}.</p>
</main>
</body>
</html>
"""


class ErrorResponse(JSONResponse):
    """An error response with its HTTP status, a message, and header fields.

    It is JSON with the one field `error`; a page for a browser, but not in the API or the host's protocol.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__({"error": message}, status, {"Vary": "Accept", **(headers or {})})
        self._message = message
        self._given = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response in the form that the client takes."""
        if not _is_for_people(scope):
            await super().__call__(scope, receive, send)
            return
        page = _PAGE.format(
            status=self.status_code,
            base="../" * (scope["path"].count("/") - 1) + "check",
            message=escape(self._message[:1].upper() + self._message[1:].removesuffix(".")),
            request_id=escape(current_request_id()),
        )
        await HTMLResponse(page, self.status_code, {"Vary": "Accept", **(self._given or {})})(
            scope, receive, send
        )


def refusing(refusal: Callable[[Scope], ErrorResponse | None], app: ASGIApp) -> ASGIApp:
    """Return an application that answers a request with its refusal, and with `app` where it has none."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        refused = refusal(scope) if scope["type"] == "http" else None
        await (refused or app)(scope, receive, send)

    return serve


def _is_for_people(scope: Scope) -> bool:
    """Return whether a browser shows the response; a host of the protocol sends POST to other paths."""
    path = scope["path"]
    if path.startswith("/api/") or not (scope["method"] in ("GET", "HEAD") or path.startswith("/check")):
        return False
    return any(name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"])
