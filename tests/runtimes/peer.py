"""A server for one connection: a thread that follows a script, at the other end of a socket pair.

    S: 220 mx.test        says a line; lines that follow one another go out in one write
    C: EHLO probe.test    wants exactly this line
    RAW: \\x16\\x03       says these octets, backslash escapes understood
    DRIP                  from here on says everything octet by octet
    TLS                   does the handshake, as server
    TLS ANONYMOUS         does the handshake without a certificate
    TLS FAILS             begins one, and gives up in the middle with an alert
    TLS WANTS CERTIFICATE requires a certificate of the client, and ends with an alert
    HELLO                 waits until a ClientHello begins to come in, and leaves it unread
    EAT                   reads once
    SILENT                says nothing more, and waits for the client to go away
    RESET                 closes over octets not read, which is a reset for the client
    (the end)             closes; under TLS without the closing handshake

`dial` is what a driver is given.
"""

import socket
import ssl
from contextlib import suppress
from functools import cache
from threading import Thread

import trustme

__all__ = ["ScriptedPeer", "leaf_der"]

# What is waited for comes at once: this only bounds a test that fails.
_PATIENCE = 20.0


@cache
def _certificate() -> trustme.LeafCert:
    return trustme.CA().issue_cert("mx.test")


def leaf_der() -> bytes:
    """Return the certificate that the peer shows."""
    return ssl.PEM_cert_to_DER_cert(_certificate().cert_chain_pems[0].bytes().decode())


class ScriptedPeer:
    """Follows `play` once a client has dialled; `sni` has the server names it was asked for."""

    def __init__(self, play: str) -> None:
        self._steps = _steps(play)
        self._drip = False
        self._error: BaseException | None = None
        self._thread: Thread | None = None
        self.sni: list[str | None] = []
        self.client_left = False

    def dial(self, _host: str, _port: int) -> socket.socket:
        """Begin the play, for whatever address is asked for."""
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE)
        theirs.setblocking(False)
        self._thread = Thread(target=self._run, args=(ours,), daemon=True)
        self._thread.start()
        return theirs

    def join(self) -> None:
        """Wait until the play is over. Raises what went wrong in it."""
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        if self._error is not None:
            raise self._error

    def _run(self, sock: socket.socket) -> None:
        try:
            self._follow(sock)
        except BaseException as error:  # noqa: BLE001 - join raises it
            self._error = error
            sock.close()

    def _follow(self, sock: socket.socket) -> None:
        for kind, said in self._steps:
            match kind:
                case "S" | "RAW":
                    self._say(sock, said)
                case "C":
                    assert _line(sock) == said
                case "DRIP":
                    self._drip = True
                case "TLS" | "TLS ANONYMOUS":
                    context = self._context() if kind == "TLS" else _anonymous_context()
                    sock = context.wrap_socket(sock, server_side=True)
                case "TLS FAILS" | "TLS WANTS CERTIFICATE":
                    with suppress(ssl.SSLError):
                        sock = self._context(asks="CERTIFICATE" in kind).wrap_socket(sock, server_side=True)
                case "HELLO":
                    assert sock.recv(1, socket.MSG_PEEK) == b"\x16"
                case "RESET":
                    assert sock.recv(1)
                    assert sock.recv(1, socket.MSG_PEEK)
                case "EAT":
                    assert sock.recv(65536)
                case "SILENT":
                    with suppress(ConnectionResetError):
                        while sock.recv(65536):
                            pass
                    self.client_left = True
                case _:
                    raise AssertionError(f"{kind} is no step of a play")
        sock.close()

    def _say(self, sock: socket.socket, data: bytes) -> None:
        for piece in [bytes([octet]) for octet in data] if self._drip else [data]:
            sock.sendall(piece)

    def _context(self, *, asks: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _certificate().configure_cert(context)
        if asks:
            context.load_verify_locations(cadata=_certificate().cert_chain_pems[0].bytes().decode())
            context.verify_mode = ssl.CERT_REQUIRED

        def seen(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int | None:
            self.sni.append(name)
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if name == "refused.test" else None

        context.sni_callback = seen
        return context


def _anonymous_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    return context


def _steps(play: str) -> list[tuple[str, bytes]]:
    steps: list[tuple[str, bytes]] = []
    for line in filter(None, map(str.strip, play.splitlines())):
        kind, _, text = line.partition(": ")
        if kind == "RAW":
            data = text.encode("ascii").decode("unicode_escape").encode("latin-1")
        else:
            data = text.encode("ascii") + b"\r\n" if text else b""
        if kind == "S" and steps and steps[-1][0] == "S":
            steps[-1] = ("S", steps[-1][1] + data)
        else:
            steps.append((kind, data))
    return steps


def _line(sock: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and (octet := sock.recv(1)):
        data += octet
    return data
