"""A fake server that real clients connect to, over loopback or a socket pair, while a test runs."""

import asyncio
import socket
import ssl
from contextlib import ExitStack
from functools import cached_property
from typing import Final, Generic, Protocol, Self, TypeVar

from anyio import BrokenResourceError, EndOfStream
from anyio.abc import ByteStream
from anyio.from_thread import BlockingPortal, start_blocking_portal

from smtp_sansio import Transcript

from .recording_session import RecordedSession
from .session import ServerSession
from .stream import serve_session, server_tls_context, trusting_context

__all__ = ["LiveServer", "SessionSource"]

_MAX_READ: Final = 65536


class SessionSource(Protocol):
    """A server as data, such as a `RuleServer`: it has a session for each connection."""

    def session(self) -> ServerSession:
        """Return a new connection's session."""
        ...


_S = TypeVar("_S", bound=SessionSource, covariant=True)


class LiveServer(Generic[_S]):
    """Serves the sessions of `source` in a thread, for as long as its `with` block runs.

    `host` and `port` are those of a listener on 127.0.0.1, which is opened when one of them is first used.
    `transcripts` has each connection as its client saw it, for `TranscriptServer`.
    """

    host = "127.0.0.1"

    def __init__(self, source: _S) -> None:
        self.source = source
        self._tls = server_tls_context()
        self._stack = ExitStack()
        self._sessions: list[RecordedSession] = []
        self._portal: BlockingPortal

    def __enter__(self) -> Self:
        """Start the thread."""
        self._portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        return self

    def __exit__(self, *_: object) -> None:
        """End all sessions, the listener and the thread."""
        self._stack.close()

    @cached_property
    def port(self) -> int:
        """The port on which the server listens. Raises OSError where there is no loopback."""
        listener = socket.create_server((self.host, 0))
        listener.setblocking(False)
        port: int = listener.getsockname()[1]
        accepting = self._portal.start_task_soon(self._accept, listener)
        self._stack.callback(accepting.cancel)
        return port

    def connect(self) -> socket.socket:
        """Return a socket that is connected to the server by a socket pair: without a network.

        It is closed with the server, unless the client has closed it.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        serving = self._portal.start_task_soon(self._serve, ours, "socketpair", 0)
        self._stack.callback(serving.cancel)
        self._stack.callback(theirs.close)
        return theirs

    def client_context(self) -> ssl.SSLContext:
        """Return a TLS context for clients that verify certificates: it trusts this server, as localhost."""
        return trusting_context()

    @property
    def transcripts(self) -> list[Transcript]:
        """The record of each connection, in the order of opening."""
        return [session.transcript for session in self._sessions]

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            async with asyncio.TaskGroup() as group:
                while True:
                    sock, _ = await loop.sock_accept(listener)
                    sock.setblocking(False)
                    group.create_task(self._serve(sock, self.host, self.port))

    async def _serve(self, sock: socket.socket, host: str, port: int) -> None:
        session = RecordedSession(self.source.session(), host, port)
        self._sessions.append(session)
        await serve_session(_SocketStream(sock), session, self._tls)


class _SocketStream(ByteStream):
    """A connected socket as a byte stream of anyio."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop = asyncio.get_running_loop()

    async def receive(self, max_bytes: int = _MAX_READ) -> bytes:
        try:
            data = await self._loop.sock_recv(self._socket, max_bytes)
        except OSError as error:
            raise BrokenResourceError from error
        if not data:
            raise EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._socket, item)
        except OSError as error:
            raise BrokenResourceError from error

    async def send_eof(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        self._socket.close()
