"""Limits of requests: the size of a body, the time to read it, the end of the connection, and their number.

The whole body is read here, before the application gets the request. So a slow client holds no slot for a
check, and a handler can be cancelled as soon as its client disconnects, because nothing else reads from the
connection then. The largest body is the one that happyDomain's protocol defines, whose routes only hosts
reach; a form is far smaller, and strangers may send many.

A client has as many requests at a time as connections. Behind a trusted proxy only this limits it, because
all connections are the proxy's.
"""

import asyncio
from collections import Counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checker_smtp.service.admission import client_key

from .errors import ErrorResponse
from .forwarded import client_of, is_direct
from .hosts import Hosts
from .open_connections import MAX_CONNECTIONS_PER_CLIENT, TOO_MANY
from .pacing import Pacer
from .protocol_access import PROTOCOL_ROUTES

__all__ = ["MAX_BODY", "MAX_FORM", "RequestLimits"]

MAX_BODY, MAX_FORM = 1024 * 1024, 64 * 1024
"""Octets of a body for a route of the protocol, and for any other one."""
# seconds for a whole body: 1 MiB takes 17 at half a megabit per second
_BODY_TIMEOUT = 20.0


_TOO_MANY = ErrorResponse(429, TOO_MANY, {"Retry-After": "5", "Connection": "close"})
_SHUTTING_DOWN = ErrorResponse(503, "this service is shutting down: try again soon", {"Retry-After": "10"})


class _TooLarge(Exception):  # noqa: N818
    pass


class RequestLimits:
    """Serves each request with `app` in a task that is cancelled on disconnect and by `give_up`.

    `hosts` may send any number of requests at a time.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, body_timeout: float = _BODY_TIMEOUT) -> None:
        self._app = app
        self._hosts = hosts
        self._clients: Counter[str] = Counter()
        self._body_timeout = body_timeout
        self._handlers: set[asyncio.Task[None]] = set()
        self._shutdown = asyncio.Event()
        self._pacer = Pacer()

    def give_up(self) -> None:
        """Cancel all running requests and answer them with 503, because the service is shutting down."""
        self._shutdown.set()
        self._pacer.release_all()
        for handler in self._handlers:
            handler.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key = client_key(client_of(scope))
        if self._clients[key] >= MAX_CONNECTIONS_PER_CLIENT and not self._is_exempt(scope):
            await _TOO_MANY(scope, receive, send)
            return
        self._clients[key] += 1
        try:
            await self._read_and_serve(scope, receive, send)
        finally:
            self._clients[key] -= 1
            if not self._clients[key]:
                del self._clients[key]

    def _is_exempt(self, scope: Scope) -> bool:
        return scope["path"] == "/health" or self._hosts.include(client_of(scope), is_direct=is_direct(scope))

    async def _read_and_serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = MAX_BODY if scope["path"] in PROTOCOL_ROUTES else MAX_FORM
        try:
            async with asyncio.timeout(self._body_timeout):
                body = await _read(scope, receive, most)
        except _TooLarge:
            error = ErrorResponse(413, f"the body of the request is too large: send at most {most} octets")
            await error(scope, receive, send)
        except TimeoutError:
            message = f"the body of the request did not arrive within {self._body_timeout:g} seconds"
            await ErrorResponse(408, message, {"Connection": "close"})(scope, receive, send)
        except ClientDisconnect:
            pass
        else:
            await self._serve(scope, body, receive, send)

    async def _serve(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        exchange = _Exchange(body, receive, send)
        if scope["method"] == "POST":
            await self._pacer.wait()
        if self._shutdown.is_set():
            await _SHUTTING_DOWN(scope, receive, send)
            return
        handler = asyncio.ensure_future(self._app(scope, exchange.receive, exchange.send))
        watcher = asyncio.create_task(exchange.watch())
        self._handlers.add(handler)
        try:
            await asyncio.wait((handler, watcher), return_when=asyncio.FIRST_COMPLETED)
            if exchange.disconnected.is_set():
                handler.cancel()
            await handler
        except asyncio.CancelledError:
            if not handler.cancelled():
                raise
            if self._shutdown.is_set() and not exchange.response_started:
                await _SHUTTING_DOWN(scope, receive, send)
        finally:
            self._handlers.discard(handler)
            for task in (handler, watcher):
                task.cancel()
            await asyncio.gather(handler, watcher, return_exceptions=True)


class _Exchange:
    """One request with its whole body, and its response."""

    def __init__(self, body: bytes, receive: Receive, send: Send) -> None:
        self._body: bytes | None = body
        self._receive = receive
        self._send = send
        self.disconnected = asyncio.Event()
        self.response_started = False
        self._complete = False

    async def watch(self) -> None:
        """Wait until the client disconnects or has the whole response."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._complete:
            self.disconnected.set()

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.response_started = True
        self._complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)


async def _read(scope: Scope, receive: Receive, most: int) -> bytes:
    # h11 rejects a request with several lengths, or with one that is not a number
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if len(announced) > 15 or int(announced) > most:
        raise _TooLarge
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > most:
            raise _TooLarge
        if not message.get("more_body", False):
            return bytes(body)
