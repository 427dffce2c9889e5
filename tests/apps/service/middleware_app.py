"""The guards around an application of a few lines, and a client that speaks ASGI to it: no sockets."""

from collections.abc import Awaitable, Callable

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from checker_smtp.service.admission import Admission
from checker_smtp.service.http.middleware import Middleware
from checker_smtp.service.load import Load
from checker_smtp.service.metrics import Metrics
from checker_smtp.service.settings import ServiceSettings

__all__ = ["client", "echo", "wrapped"]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with who asked, and the body."""
    message = await receive()
    body = f"{scope['client'][0]} ".encode() + message["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


def wrapped(
    settings: ServiceSettings | None = None, app: ASGIApp | Callable[..., Awaitable[None]] = echo
) -> Middleware:
    settings = settings or ServiceSettings()
    return Middleware(app, settings, Metrics(Admission(settings), Load()))


def client(middleware: ASGIApp, peer: str = "198.51.100.7") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(middleware, raise_app_exceptions=True, client=(peer, 50000))
    return httpx.AsyncClient(transport=transport, base_url="http://checker.localhost")
