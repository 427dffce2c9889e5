"""The error response of the middleware: JSON with the one field `error`, a sentence."""

import json

from starlette.types import Send

__all__ = ["send_error"]


async def send_error(send: Send, status: int, message: str, **headers: str) -> None:
    """Send an error response with `status`; underscores in the names of `headers` stand for hyphens."""
    body = json.dumps({"error": message}).encode()
    fields = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
