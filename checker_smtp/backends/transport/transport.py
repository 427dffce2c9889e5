"""One connection, as steps that name the readiness of the socket they wait for.

Everything a driver does to a socket is here, once, and nothing of how it waits. `Transport.perform` is a
generator: it runs a whole script, yields `Readiness.READABLE` or `Readiness.WRITABLE` where the socket has
to get ready, and returns what the script returns. A driver only waits, on its own event loop, until
`Transport.deadline` at most; past it, it throws `DeadlineExceeded`. So an effect has the same outcome, and
a failure the same detail, on every runtime.

The socket is never blocking and nothing is buffered on top of it, neither in clear nor under TLS. That
matters at STARTTLS: when the handshake begins, octets that a peer sent too early are either still in the
kernel, where the handshake fails on them, or already a `Received`, where the connection reports them.

Not here: a closing handshake. A checker closes after QUIT, or when it has nothing more to send.
"""

import errno
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
    Outcome,
    Receive,
    Received,
    Script,
    Secured,
    Send,
    Upgrade,
    intercept,
)

from . import tls
from .certificate import parse_certificate
from .os_errors import classify

__all__ = [
    "DeadlineExceeded",
    "OpenSocket",
    "Readiness",
    "Steps",
    "Transport",
    "connect_tcp",
    "connect_udp",
    "interface_index",
]

# Octets of one read: the default of asyncio and anyio, and the longest UDP payload.
_MAX_READ = 65536

_T = TypeVar("_T")


class Readiness(Enum):
    """The state of the socket that the next step needs."""

    READABLE = "readable"
    WRITABLE = "writable"


class DeadlineExceeded(Exception):  # noqa: N818 - not an error: it says that the time of an effect is over
    """Thrown into the steps by a driver that has waited until the deadline."""


OpenSocket: TypeAlias = Callable[[str, int], socket.socket]
"""Returns a non-blocking socket, connected or connecting to a host and port; raises OSError."""

Steps: TypeAlias = Generator[Readiness, None, _T]


def connect_tcp(host: str, port: int, *, source_address: str | None = None) -> socket.socket:
    """Begin a TCP connection to the address `host`, from the local address `source_address` or from any.

    Raises OSError, among other things where the two are of different families, and ValueError for a name:
    names are never resolved here.
    """
    return _connect(host, port, socket.SOCK_STREAM, source_address)


def connect_udp(host: str, port: int) -> socket.socket:
    """Return a UDP socket that exchanges datagrams with the address `host` alone.

    An ICMP refusal by that address fails the next operation on it. Raises as `connect_tcp` does.
    """
    return _connect(host, port, socket.SOCK_DGRAM)


def _connect(
    host: str, port: int, kind: socket.SocketKind, source_address: str | None = None
) -> socket.socket:
    family = _family(host)
    if source_address is not None and _family(source_address) is not family:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if kind is socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source_address is not None:
            sock.bind(_sockaddr(source_address, 0))
        with suppress(BlockingIOError):
            sock.connect(_sockaddr(host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _sockaddr(host: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return the socket address; a pair would drop the interface of a link-local address."""
    address, _, interface = host.partition("%")
    return (address, port, 0, interface_index(interface)) if interface else (host, port)


def interface_index(interface: str) -> int:
    """Return the index of an interface, given as its name or index. Raises OSError where there is none."""
    try:
        if interface.isdecimal():
            socket.if_indextoname(int(interface))
            return int(interface)
        return socket.if_nametoindex(interface)
    except (OSError, OverflowError, ValueError):
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from None


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
    """The socket of one script, from its first `Connect` to its end; `dial` opens it."""

    def __init__(self, dial: OpenSocket = connect_tcp) -> None:
        self._dial = dial
        self._socket: socket.socket | None = None
        self._started_at = self._now = monotonic()
        self.deadline = self._now

    @property
    def socket(self) -> socket.socket:
        """The socket to wait for. Raises RuntimeError before a `Connect` that succeeded."""
        if self._socket is None:
            raise RuntimeError("a script has to begin with Connect")
        return self._socket

    @property
    def time_left(self) -> float:
        """Seconds until the deadline of the current effect; negative past it."""
        return self.deadline - monotonic()

    def perform(self, script: Script[_T]) -> Steps[_T]:
        """Perform `script` and return what it returns; raises what it raises, and nothing of its own.

        At each yield `deadline` is the time, by `time.monotonic`, until which to wait. However the steps
        end, and when they are closed, the script and the socket are closed.
        """
        try:
            return (yield from intercept(script, self._perform))
        finally:
            self._close()

    def _perform(self, effect: Effect) -> Steps[Outcome]:
        """Perform `effect`; failures of the network and of TLS are the outcome `Failed`."""
        if effect.timeout <= 0:
            return Failed(self._at(), effect.late)
        # a script takes no time of its own, so the effect begins when the last one ended
        self.deadline = self._now + effect.timeout
        try:
            match effect:
                case Receive():
                    return (yield from self._receive())
                case Send():
                    return (yield from self._send(effect.data))
                case Connect():
                    return (yield from self._open(effect))
                case Upgrade():
                    return (yield from self._upgrade(effect.server_name))
        except DeadlineExceeded:
            return Failed(self._at(), effect.late)
        except OSError as error:
            return Failed(self._at(), *classify(error))

    def on_close(self) -> None:
        """Do nothing; a driver that has the socket registered overrides this to unregister it in time."""

    def _close(self) -> None:
        if self._socket is not None:
            self.on_close()
            self._socket.close()
            self._socket = None

    def _at(self) -> float:
        now = self._now = monotonic()
        # 85 ns, where round(x, 3) takes 270: python -m timeit -s "x = 1.2345678" "round(x * 1000) / 1000"
        return round((now - self._started_at) * 1000) / 1000

    def _open(self, effect: Connect) -> Steps[Done]:
        self._close()
        self._socket = self._dial(effect.host, effect.port)
        if self._socket.type is socket.SOCK_STREAM:  # UDP has no peer to wait for
            yield Readiness.WRITABLE
        if error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        return Done(self._at())

    def _send(self, data: bytes) -> Steps[Done]:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[(yield from _until_done(partial(self.socket.send, rest), Readiness.WRITABLE)) :]
        except OSError as error:
            raise _alert_before(error, self.socket) from None
        return Done(self._at())

    def _receive(self) -> Steps[Received]:
        sock = self.socket
        if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            yield Readiness.READABLE
        data = yield from _until_done(partial(sock.recv, _MAX_READ), Readiness.READABLE)
        return Received(self._at(), data)

    def _upgrade(self, server_name: str) -> Steps[Secured]:
        sock = self._socket = tls.wrap(self.socket, server_name)
        yield from _until_done(sock.do_handshake, Readiness.READABLE)
        cipher = sock.cipher()
        at, der = self._at(), sock.getpeercert(binary_form=True)
        certificate = parse_certificate(der) if der is not None else None
        return Secured(at, sock.version() or "", cipher[0] if cipher else "", certificate)


def _alert_before(error: OSError, sock: socket.socket) -> OSError:
    """Return the TLS alert that arrived before a write failed, because it names the cause; else `error`.

    In TLS 1.3 the handshake is over for the client before the server has seen its certificate: a server that
    requires one sends the alert and closes, and the first write fails (RFC 8446 §4.4.2.4).
    """
    if isinstance(sock, ssl.SSLSocket):
        try:
            sock.recv(1)
        except (ssl.SSLWantReadError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            pass
        except ssl.SSLError as alert:
            return alert
        except OSError:
            pass
    return error


def _until_done(call: Callable[[], _T], blocked: Readiness) -> Steps[_T]:
    """Call until it does not block; a socket without TLS that blocks then waits for `blocked`."""
    while True:
        try:
            return call()
        except ssl.SSLWantReadError:
            yield Readiness.READABLE
        except ssl.SSLWantWriteError:
            yield Readiness.WRITABLE
        except BlockingIOError:
            yield blocked
