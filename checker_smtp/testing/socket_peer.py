r"""A server for one connection: a thread that follows written steps, at the other end of a real socket.

S: 220 mx.test        sends a line; lines that follow one another go out in one write
C: EHLO probe.test    expects exactly this line
RAW: \x16\x03         sends these octets, Python's escapes understood
DRIP                  sends everything octet by octet from here on
TLS                   does the handshake, as server
TLS ANONYMOUS         does the handshake without a certificate
TLS FAILS             begins one, and ends it in the middle with an alert
TLS WANTS CERTIFICATE requires a certificate of the client, and ends with an alert
HELLO                 waits until a ClientHello begins to arrive, and leaves it unread
EAT                   reads once
EAT 1000              reads this number of octets
SILENT                sends nothing more, and waits until the client closes
RESET                 closes over octets not read, which is a reset for the client
(the end)             closes; under TLS without the closing handshake

REFUSED               in place of everything else: the connection is refused
FULL                  in place of everything else: the connection is never established
"""

import errno
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Final

from .stream import server_tls_context

__all__ = ["SocketPeer"]

# Seconds. Everything a server waits for arrives at once; this only bounds a run that fails.
_LIMIT: Final = 20.0


class SocketPeer:
    """Follows `steps` once a client has connected, by `dial` or to the address that `listen` returns.

    `tls` makes the context of a handshake. `server_names` has the names that clients asked for (SNI), None
    where they sent none; `client_left` is True once the client closed during `SILENT`.
    """

    def __init__(self, steps: str, *, tls: Callable[[], ssl.SSLContext] = server_tls_context) -> None:
        self._steps = _parse(steps)
        self._tls = tls
        self._drip = False
        self._error: BaseException | None = None
        self._thread: Thread | None = None
        self._open: list[socket.socket] = []
        self._closed = Event()
        self.server_names: list[str | None] = []
        self.client_left = False

    def dial(self, _host: str, _port: int) -> socket.socket:
        """Return the client's end of a socket pair, non-blocking, for any address. Raises OSError."""
        if self._is_only("REFUSED"):
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._open.append(ours)
        if self._is_only("FULL"):
            with suppress(BlockingIOError):
                while theirs.send(b"x" * 65536):
                    pass
        else:
            self._start(lambda: ours)
        return theirs

    def listen(self) -> tuple[str, int]:
        """Listen on loopback for one connection; return host and port."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=0 if self._is_only("FULL") else 1)
        self._open.append(listener)
        host, port = listener.getsockname()
        if self._is_only("REFUSED"):
            listener.close()
        elif self._is_only("FULL"):
            self._fill(host, port)
        else:
            self._start(lambda: listener.accept()[0])
        return host, port

    def join(self, timeout: float = _LIMIT) -> None:
        """Wait for the last step, for `timeout` seconds at most. Raises what went wrong in a step."""
        if self._thread is not None:
            self._thread.join(timeout)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the server and close every socket; a client that still waits sees the end of the stream."""
        self._closed.set()
        for sock in self._open:
            with suppress(OSError):
                # that of an SSLSocket would take its TLS away under the thread
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        if self._thread is not None:
            # a descriptor that is closed while the thread uses it may become that of another connection
            self._thread.join(_LIMIT)
        self._close_sockets()

    def _close_sockets(self) -> None:
        for sock in self._open:
            sock.close()

    def _is_only(self, kind: str) -> bool:
        return [step for step, _ in self._steps] == [kind]

    def _fill(self, host: str, port: int) -> None:
        """Connect until the queue of the listener is full: further connections get no answer."""
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            self._open.append(filler)
            with suppress(BlockingIOError):
                filler.connect((host, port))

    def _start(self, accept: Callable[[], socket.socket]) -> None:
        self._thread = Thread(target=self._run, args=(accept,), daemon=True)
        self._thread.start()

    def _run(self, accept: Callable[[], socket.socket]) -> None:
        try:
            sock = accept()
            self._open.append(sock)
            sock.settimeout(_LIMIT)
            self._follow(sock)
        except BaseException as error:  # noqa: BLE001 - `join` raises it
            self._error = error
            self._close_sockets()

    def _follow(self, sock: socket.socket) -> None:
        for kind, data in self._steps:
            if kind.startswith("TLS"):
                sock = self._handshake(sock, kind)
                self._open.append(sock)
            else:
                self._take(sock, kind, data)
        sock.close()

    def _take(self, sock: socket.socket, kind: str, data: bytes) -> None:
        match kind:
            case "S" | "RAW":
                for piece in [bytes([octet]) for octet in data] if self._drip else [data]:
                    sock.sendall(piece)
            case "DRIP":
                self._drip = True
            case "STALL":
                self._closed.wait(_LIMIT)
            case "SILENT":
                with suppress(ConnectionResetError):
                    while sock.recv(65536):
                        pass
                self.client_left = True
            case _:
                _read(sock, kind, data)

    def _handshake(self, sock: socket.socket, kind: str) -> socket.socket:
        if kind == "TLS ANONYMOUS":
            return _anonymous_context().wrap_socket(sock, server_side=True)
        context = self._tls()
        context.sni_callback = self._on_server_name
        if kind == "TLS WANTS CERTIFICATE":
            context.verify_mode = ssl.CERT_REQUIRED
        try:
            return context.wrap_socket(sock, server_side=True)
        except ssl.SSLError:
            if kind == "TLS":
                raise
            return sock

    def _on_server_name(self, _: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int | None:
        self.server_names.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if name == "refused.test" else None


def _anonymous_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    return context


def _parse(text: str) -> list[tuple[str, bytes]]:
    steps: list[tuple[str, bytes]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        kind, _, rest = line.partition(": ")
        if kind == "RAW":
            data = rest.encode("ascii").decode("unicode_escape").encode("latin-1")
        else:
            data = rest.encode("ascii") + b"\r\n" if rest else b""
        if kind == "S" and steps and steps[-1][0] == "S":
            steps[-1] = ("S", steps[-1][1] + data)
        else:
            steps.append((kind, data))
    return steps


def _read(sock: socket.socket, kind: str, expected: bytes) -> None:
    match kind.split():
        case ["C"]:
            _require(_line(sock), expected)
        case ["HELLO"]:
            _require(sock.recv(1, socket.MSG_PEEK), b"\x16")
        case ["RESET"]:
            sock.recv(1)
            sock.recv(1, socket.MSG_PEEK)
        case ["EAT"]:
            sock.recv(65536)
        case ["EAT", count]:
            left = int(count)
            while left and (octets := sock.recv(min(left, 65536))):
                left -= len(octets)
        case _:
            raise ValueError(f"{kind!r} is no step. The steps are in the docstring of {__name__}")


def _require(received: bytes, expected: bytes) -> None:
    if received != expected:
        raise AssertionError(f"the client sent {received!r}, where {expected!r} was expected")


def _line(sock: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and (octet := sock.recv(1)):
        data += octet
    return data
