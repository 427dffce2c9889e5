"""Serves a `ServerSession` over a byte stream, under asyncio and trio alike."""

import ssl
from collections.abc import Iterable
from contextlib import suppress
from importlib.resources import as_file, files
from typing import Final

from anyio import BrokenResourceError, ClosedResourceError, EndOfStream, move_on_after
from anyio.abc import AnyByteStream
from anyio.streams.tls import TLSStream

from smtp_sansio import FailureKind

from .session import Output, Pause, ServerSession

__all__ = ["serve_session", "server_tls_context", "trusting_context"]

_GONE: Final = (BrokenResourceError, ClosedResourceError, EndOfStream, ssl.SSLError)


def server_tls_context() -> ssl.SSLContext:
    """Return a context for the server's side of TLS, with the key pair of this package.

    Its private key is public, so it proves nothing to anybody. The certificate is valid for localhost, its
    addresses, and `mx.DOMAIN` of each of the demo's domains.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with as_file(files(__package__) / "server.pem") as pem:
        context.load_cert_chain(pem)
    return context


def trusting_context() -> ssl.SSLContext:
    """Return a context for a client that verifies certificates: it trusts that of `server_tls_context`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with as_file(files(__package__) / "server.pem") as pem:
        context.load_verify_locations(pem)
    return context


async def serve_session(stream: AnyByteStream, session: ServerSession, tls: ssl.SSLContext) -> None:
    """Serve one session on `stream`, and close it.

    A client that disappears, or fails the handshake, ends the session and nothing else. The stream has been
    accepted already, so a session that refuses connections closes it. A reset is a close, too: what the
    client finds depends on what it has sent. A failing handshake closes the stream in place of an alert.
    """
    async with stream:
        with suppress(*_GONE):
            await _Connection(stream).serve(session, tls)


class _Connection:
    """A stream, and what was read from it during a pause."""

    def __init__(self, stream: AnyByteStream) -> None:
        self._stream = stream
        self._early = b""

    async def serve(self, session: ServerSession, tls: ssl.SSLContext) -> None:
        """Serve until either side ends the session; raises one of `_GONE` where that is the client."""
        if session.accept() or not await self._send(session.greet()):
            return
        while not session.closing:
            data, self._early = self._early or await self._stream.receive(), b""
            if not await self._send(session.receive(data)):
                return
            if session.wants_tls:
                if session.start_tls(""):
                    return
                # Without the closing handshake, as most servers do it: a silent client must not block us.
                self._stream = await TLSStream.wrap(
                    self._stream, server_side=True, ssl_context=tls, standard_compatible=False
                )

    async def _send(self, outputs: Iterable[Output]) -> bool:
        """Send these; return whether the session continues."""
        for output in outputs:
            match output:
                case bytes():
                    await self._stream.send(output)
                case Pause():
                    # Reads, so that a client that disappears meanwhile ends the session at once.
                    with move_on_after(output.seconds):
                        while True:
                            self._early += await self._stream.receive()
                case _:
                    while output.kind is FailureKind.TIMEOUT:
                        await self._stream.receive()
                    return False
        return True
