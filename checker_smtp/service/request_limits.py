"""What a client may do to a request while it is served: send too much, send too slowly, go away.

The body is read here, whole and bounded, before anything is done for the request: no handler can hold a
place while a client dawdles, and each can be cancelled the moment its client is gone, because nothing else
waits for the connection then. What is read at most is what the protocol says a server reads.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .pacing import Pacer
from .responses import send_error

__all__ = ["MAX_BODY", "RequestLimits"]

MAX_BODY = 1024 * 1024
# seconds for the whole of a body: what 1 MiB takes at half a megabit, and then some
_BODY_TIMEOUT = 20.0


class _ClientGone(Exception):  # noqa: N818
    pass


class _TooLarge(Exception):  # noqa: N818
    pass


class RequestLimits:
    """Serves requests by `app`, each in a task that ends with its client, or with `give_up`."""

    def __init__(self, app: ASGIApp, body_timeout: float = _BODY_TIMEOUT) -> None:
        self._app = app
        self._body_timeout = body_timeout
        self._handlers: set[asyncio.Task[None]] = set()
        self._end = asyncio.Event()
        self._pacer = Pacer()

    def give_up(self) -> None:
        """Cancel whatever runs, and answer 503 to who waits for it: the service ends."""
        self._end.set()
        self._pacer.release_all()
        for handler in self._handlers:
            handler.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._body_timeout):
                body = await _read(scope, receive)
        except _TooLarge:
            await send_error(send, 413, f"the body of a request has at most {MAX_BODY} octets")
        except TimeoutError:
            message = f"the body of the request did not arrive within {self._body_timeout:g} seconds"
            await send_error(send, 408, message, connection="close")
        except _ClientGone:
            pass
        else:
            await self._serve(scope, body, receive, send)

    async def _serve(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        exchange = _Exchange(body, receive, send)
        if scope["method"] == "POST":
            await self._pacer.wait()
        if self._end.is_set():
            await _refuse_at_the_end(send)
            return
        handler = asyncio.ensure_future(self._app(scope, exchange.receive, exchange.send))
        poller = asyncio.create_task(exchange.watch())
        self._handlers.add(handler)
        try:
            await asyncio.wait((handler, poller), return_when=asyncio.FIRST_COMPLETED)
            if exchange.gone.is_set():
                handler.cancel()
            await handler
        except asyncio.CancelledError:
            if not handler.cancelled():
                raise
            if self._end.is_set() and not exchange.answered:
                await _refuse_at_the_end(send)
        finally:
            self._handlers.discard(handler)
            for task in (handler, poller):
                task.cancel()
            await asyncio.gather(handler, poller, return_exceptions=True)


class _Exchange:
    """One request whose body has been read, and its answer."""

    def __init__(self, body: bytes, receive: Receive, send: Send) -> None:
        self._body: bytes | None = body
        self._receive = receive
        self._send = send
        self.gone = asyncio.Event()
        self.answered = False
        self._complete = False

    async def watch(self) -> None:
        """Wait until the client is gone, or has its answer."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._complete:
            self.gone.set()

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.answered = True
        self._complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)


async def _refuse_at_the_end(send: Send) -> None:
    await send_error(send, 503, "this service is being stopped: try again soon", retry_after="10")


async def _read(scope: Scope, receive: Receive) -> bytes:
    # h11 has seen to it that this is a number, and that there is one
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if len(announced) > 15 or int(announced) > MAX_BODY:
        raise _TooLarge
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _TooLarge
        if not message.get("more_body", False):
            return bytes(body)
