"""Short answers of the guards themselves, for a program: `{"error": one sentence}`."""

import json

from starlette.types import Send

__all__ = ["send_error"]


async def send_error(send: Send, status: int, message: str, **headers: str) -> None:
    """Answer with an error; underscores in the names of `headers` are hyphens."""
    body = json.dumps({"error": message}).encode()
    given = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
