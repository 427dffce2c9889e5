"""One connection, as steps that say what they wait for.

Everything a driver does to a socket is here, once, and nothing of how it waits: `Transport.perform` is a
generator that goes through a whole script, yields `Readiness.READABLE` or `Readiness.WRITABLE` whenever the
socket has to get ready, and returns what the script returns. A driver only waits, on its own runtime, until
`Transport.deadline` at most; past it, it throws `DeadlineExceeded`. So an effect has the same outcome, the
same failure
with the same words, on every runtime.

The socket is never blocking and nothing is buffered on top of it, neither in clear nor under TLS. That
matters at STARTTLS: octets a peer sends too early are still in the kernel, or have been received as they
came, when the handshake starts.

Not here: a closing handshake. A checker has said QUIT or has nothing more to say.
"""

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
    Script,
    Secured,
    Send,
    Upgrade,
)

from . import tls
from .os_errors import classify

__all__ = ["DeadlineExceeded", "OpenSocket", "Readiness", "Steps", "Transport", "connect_tcp", "connect_udp"]

# What one read takes at most: the default of asyncio and anyio, and the longest UDP payload.
_MAX_READ = 65536

_T = TypeVar("_T")


class Readiness(Enum):
    """What has to happen to the socket before the next step."""

    READABLE = "readable"
    WRITABLE = "writable"


class DeadlineExceeded(Exception):  # noqa: N818 - not an error: it says that the time of an effect is over
    """What a driver throws into the steps when it waited until the deadline."""


OpenSocket: TypeAlias = Callable[[str, int], socket.socket]
"""Gives a non-blocking socket, connected or connecting to a host and port; raises OSError."""

Steps: TypeAlias = Generator[Readiness, None, _T]


def connect_tcp(host: str, port: int) -> socket.socket:
    """Begin a TCP connection to the address `host`; a name is a ValueError, never looked up."""
    return _dial(host, port, socket.SOCK_STREAM)


def connect_udp(host: str, port: int) -> socket.socket:
    """A UDP socket that sends to and hears from the address `host` alone, refusals included."""
    return _dial(host, port, socket.SOCK_DGRAM)


def _dial(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(_family(host), kind)
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


def _family(host: str) -> socket.AddressFamily:
    try:
        if ":" not in host:
            socket.inet_pton(socket.AF_INET, host)
            return socket.AF_INET
        socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except OSError:
        raise ValueError(f"{host!r} does not appear to be an IPv4 or IPv6 address") from None
    return socket.AF_INET6


class Transport:
    """The transport of one script, from its first `Connect` to its end."""

    def __init__(self, dial: OpenSocket) -> None:
        self._dial = dial
        self._socket: socket.socket | None = None
        self._began = self._now = monotonic()
        self.deadline = self._now

    @property
    def socket(self) -> socket.socket:
        """The socket to wait for. Raises RuntimeError before a `Connect` that succeeded."""
        if self._socket is None:
            raise RuntimeError("a script has to begin with Connect")
        return self._socket

    @property
    def patience(self) -> float:
        """Seconds that the effect at hand may still take."""
        return self.deadline - monotonic()

    def perform(self, script: Script[_T]) -> Steps[_T]:
        """Perform `script` and return what it returns; raises what it raises, and nothing of its own.

        While it waits, `deadline` tells until when, by `time.monotonic`. Whatever way the steps end, and if
        they are closed, the script and the socket are closed.
        """
        try:
            effect = next(script)
            while True:
                # a script takes no time of its own, so the effect begins when the last one ended
                self.deadline = self._now + effect.timeout
                effect = script.send((yield from self._outcome(effect)))
        except StopIteration as stop:
            value: _T = stop.value
            return value
        finally:
            script.close()
            self._close()

    def _outcome(self, effect: Effect) -> Steps[Outcome]:
        """Perform `effect`; failures of the network and of TLS are the outcome `Failed`."""
        try:
            match effect:
                case Receive():
                    return (yield from self._receive())
                case Send():
                    return (yield from self._send(effect.data))
                case Connect():
                    return (yield from self._connect(effect))
                case Upgrade():
                    return (yield from self._upgrade(effect.server_name))
        except DeadlineExceeded:
            return Failed(self._at(), FailureKind.TIMEOUT)
        except OSError as error:
            return Failed(self._at(), *classify(error))

    def leave(self) -> None:
        """Called before a socket is closed, for a driver that has it registered."""

    def _close(self) -> None:
        if self._socket is not None:
            self.leave()
            self._socket.close()
            self._socket = None

    def _at(self) -> float:
        now = self._now = monotonic()
        return round((now - self._began) * 1000) / 1000  # to three digits costs five times as much

    def _connect(self, effect: Connect) -> Steps[Done]:
        self._close()
        self._socket = self._dial(effect.host, effect.port)
        if self._socket.type is socket.SOCK_STREAM:  # UDP has nobody to wait for
            yield Readiness.WRITABLE
        if error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        return Done(self._at())

    def _send(self, data: bytes) -> Steps[Done]:
        rest = memoryview(data)
        while rest:
            rest = rest[(yield from _retried(partial(self.socket.send, rest), Readiness.WRITABLE)) :]
        return Done(self._at())

    def _receive(self) -> Steps[Received]:
        sock = self.socket
        if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            yield Readiness.READABLE
        data = yield from _retried(partial(sock.recv, _MAX_READ), Readiness.READABLE)
        return Received(self._at(), data)

    def _upgrade(self, server_name: str) -> Steps[Secured]:
        sock = self._socket = tls.wrap(self.socket, server_name)
        yield from _retried(sock.do_handshake, Readiness.READABLE)
        cipher = sock.cipher()
        return Secured(self._at(), sock.version() or "", cipher[0] if cipher else "")


def _retried(call: Callable[[], _T], blocked: Readiness) -> Steps[_T]:
    """Call until it does not block; `blocked` is what a socket without TLS then waits for."""
    while True:
        try:
            return call()
        except ssl.SSLWantReadError:
            yield Readiness.READABLE
        except ssl.SSLWantWriteError:
            yield Readiness.WRITABLE
        except BlockingIOError:
            yield blocked
