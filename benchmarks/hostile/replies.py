"""The longest replies that are taken, and a server that gives them to every command."""

import socket
from collections.abc import Callable, Iterator

__all__ = ["LONG_REPLY", "reply_to_all", "with_code"]

_LINES, _LENGTH = 127, 510


def with_code(code: int, keywords: bytes = b"") -> bytes:
    """Return a reply of nearly 64 KiB; `keywords` is the text of the first line after the greeting's."""
    filler = b"x" * (_LENGTH - 6)
    texts = [filler, *([keywords] if keywords else []), *[filler] * (_LINES - 2)]
    return b"".join(b"%d-%s\r\n" % (code, text) for text in texts) + b"%d end\r\n" % code


LONG_REPLY = with_code(250, b"PIPELINING")


def reply_to_all(connection: socket.socket, send: Callable[[bytes], object], starttls: bool = False) -> None:
    """Reply to each command with a long reply, until QUIT is answered, or STARTTLS accepted."""
    for line in _lines(connection):
        verb = line[:4].upper()
        if verb == b"QUIT":
            send(with_code(221))
            return
        if verb == b"STAR":
            send(b"220 go ahead\r\n")
            return
        if verb == b"EHLO" and starttls:
            send(b"250-mx\r\n250 STARTTLS\r\n")
        else:
            send(LONG_REPLY)


def _lines(connection: socket.socket) -> Iterator[bytes]:
    pending = b""
    while data := connection.recv(65536):
        *lines, pending = (pending + data).split(b"\n")
        yield from lines
