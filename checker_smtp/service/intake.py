"""What a client may do to a request while it is served: send too much, send too slowly, go away.

The body is read here, whole and bounded, before anything is done for the request: no handler can hold a
place while a client dawdles, and each can be cancelled the moment its client is gone, because nothing else
waits for the connection then. What is read at most is what the protocol says a server reads.

Handlers begin one in each turn of the event loop, however many requests came in at once: what a handler
does before it first waits, such as to fill in a page, is short, but not so for two hundred of them. Who asks
for health is not kept waiting by them.
"""

import asyncio
from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import refuse

__all__ = ["MAX_BODY", "Intake"]

MAX_BODY = 1024 * 1024
# seconds for the whole of a body: what 1 MiB takes at half a megabit, and then some
_BODY_TIMEOUT = 20.0
_AT_ONCE = ("/health",)
_PAUSE = 0.01


class _ClientGone(Exception):  # noqa: N818
    pass


class _TooLarge(Exception):  # noqa: N818
    pass


class Intake:
    """Serves requests by `app`, each in a task that ends with its client, or with `give_up`."""

    def __init__(self, app: ASGIApp, body_timeout: float = _BODY_TIMEOUT) -> None:
        self._app = app
        self._body_timeout = body_timeout
        self._handlers: set[asyncio.Task[None]] = set()
        self._giving_up = False
        self._turns = _Turns()

    def give_up(self) -> None:
        """Cancel whatever runs, and answer 503 to who waits for it: the service ends."""
        self._giving_up = True
        for handler in self._handlers:
            handler.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _AT_ONCE:
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._body_timeout):
                body = await _read(scope, receive)
        except _TooLarge:
            await refuse(send, 413, f"the body of a request has at most {MAX_BODY} octets")
        except TimeoutError:
            message = f"the body of the request did not arrive within {self._body_timeout:g} seconds"
            await refuse(send, 408, message, connection="close")
        except _ClientGone:
            pass
        else:
            await self._serve(scope, body, receive, send)

    async def _serve(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        exchange = _Exchange(body, receive, send)
        await self._turns.mine()
        handler = asyncio.ensure_future(self._app(scope, exchange.receive, exchange.send))
        watcher = asyncio.create_task(exchange.watch())
        self._handlers.add(handler)
        try:
            await asyncio.wait((handler, watcher), return_when=asyncio.FIRST_COMPLETED)
            if exchange.gone.is_set():
                handler.cancel()
            await handler
        except asyncio.CancelledError:
            if not handler.cancelled():
                raise
            if self._giving_up and not exchange.answered:
                await refuse(send, 503, "this service is being stopped: try again soon", retry_after="10")
        finally:
            self._handlers.discard(handler)
            for task in (handler, watcher):
                task.cancel()
            await asyncio.gather(handler, watcher, return_exceptions=True)


class _Turns:
    """Lets one after the other go on, each in another turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def mine(self) -> None:
        """Wait for a turn of one's own."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            loop.call_soon(self._next, loop)
        await turn

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        turn = self._waiting.popleft()
        if not turn.done():
            turn.set_result(None)
        if self._waiting:
            loop.call_later(_PAUSE, self._next, loop)


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
