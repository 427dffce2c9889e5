"""One connection, as steps that say what they wait for.

Everything a driver does to a socket is here, once, and nothing of how it waits: an effect is performed by
a generator that yields `Wait.READABLE` or `Wait.WRITABLE` whenever the socket has to get ready, and returns
the outcome. A driver is then only a loop that waits, on its own runtime and no longer than the effect
may take. So an effect has the same outcome, the same failure with the same words, on every runtime.

The socket is never blocking and nothing is buffered on top of it, neither in clear nor under TLS. That
matters at STARTTLS: octets a peer sends too early are still in the kernel, or have been received as they
came, when the handshake starts.

Not here: a closing handshake. A checker has said QUIT or has nothing more to say.
"""

import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Generator
from contextlib import suppress
from enum import Enum
from functools import partial
from time import monotonic
from typing import TypeAlias, TypeVar

from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Secured,
    Send,
    Upgrade,
)

from . import tls
from .failures import classify

__all__ = ["Dial", "Steps", "Wait", "Wire", "dial_tcp", "dial_udp"]

# What one read takes at most: the default of asyncio and anyio, and the longest UDP payload.
_MAX_READ = 65536

_T = TypeVar("_T")


class Wait(Enum):
    """What has to happen to the socket before the next step."""

    READABLE = "readable"
    WRITABLE = "writable"


Dial: TypeAlias = Callable[[str, int], socket.socket]
"""Gives a non-blocking socket, connected or connecting to a host and port; raises OSError."""

Steps: TypeAlias = Generator[Wait, None, _T]


def dial_tcp(host: str, port: int) -> socket.socket:
    """Begin a TCP connection to the address `host`; a name is a ValueError, never looked up."""
    return _dial(host, port, socket.SOCK_STREAM)


def dial_udp(host: str, port: int) -> socket.socket:
    """A UDP socket that sends to and hears from the address `host` alone, refusals included."""
    return _dial(host, port, socket.SOCK_DGRAM)


def _dial(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    version = ipaddress.ip_address(host).version
    sock = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, kind)
    try:
        sock.setblocking(False)
        if kind is socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(BlockingIOError):
            sock.connect((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


class Wire:
    """The transport of one script, from its first `Connect` until `close`."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._socket: socket.socket | None = None
        self._began = monotonic()

    @property
    def socket(self) -> socket.socket:
        """The socket to wait for. Raises RuntimeError before a `Connect` that succeeded."""
        if self._socket is None:
            raise RuntimeError("a script has to begin with Connect")
        return self._socket

    def perform(self, effect: Effect) -> Steps[Outcome]:
        """Perform `effect`; failures of the network and of TLS are the outcome `Failed`."""
        try:
            match effect:
                case Connect():
                    return (yield from self._connect(effect))
                case Send():
                    return (yield from self._send(effect.data))
                case Receive():
                    return (yield from self._receive())
                case Upgrade():
                    return (yield from self._upgrade(effect.server_name))
        except OSError as error:
            return Failed(self._at(), *classify(error))

    def timed_out(self) -> Failed:
        """The outcome of an effect given up by the driver."""
        return Failed(self._at(), FailureKind.TIMEOUT)

    def close(self) -> None:
        """Close the socket, if there is one; may be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _at(self) -> float:
        return round(monotonic() - self._began, 3)

    def _connect(self, effect: Connect) -> Steps[Done]:
        self.close()
        self._socket = self._dial(effect.host, effect.port)
        yield Wait.WRITABLE
        if error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        return Done(self._at())

    def _send(self, data: bytes) -> Steps[Done]:
        rest = memoryview(data)
        while rest:
            rest = rest[(yield from _retried(partial(self.socket.send, rest), Wait.WRITABLE)) :]
        return Done(self._at())

    def _receive(self) -> Steps[Received]:
        sock = self.socket
        if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            yield Wait.READABLE
        data = yield from _retried(partial(sock.recv, _MAX_READ), Wait.READABLE)
        return Received(self._at(), data)

    def _upgrade(self, server_name: str) -> Steps[Secured]:
        sock = self._socket = tls.wrap(self.socket, server_name)
        yield from _retried(sock.do_handshake, Wait.READABLE)
        cipher = sock.cipher()
        return Secured(self._at(), sock.version() or "", cipher[0] if cipher else "")


def _retried(call: Callable[[], _T], blocked: Wait) -> Steps[_T]:
    """Call until it does not block; `blocked` is what a socket without TLS then waits for."""
    while True:
        try:
            return call()
        except ssl.SSLWantReadError:
            yield Wait.READABLE
        except ssl.SSLWantWriteError:
            yield Wait.WRITABLE
        except BlockingIOError:
            yield blocked
