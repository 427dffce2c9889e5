"""One TLS session that sends each of its 700,000 octets in a record of its own."""

import socket
from collections.abc import Iterator

from benchmarks.figures import Requirement
from benchmarks.hostile.replies import reply_to_all
from benchmarks.hostile.servers import DOMAIN, hostile_servers, one_host
from benchmarks.hostile.visits import requirements
from checker_smtp.testing import server_tls_context

__all__ = ["run"]

_ADDRESS = "127.0.0.1"


def run() -> Iterator[Requirement]:
    """Yield the requirements on the memory and the output of `check`."""
    with hostile_servers(_talk, one_host([_ADDRESS]), [_ADDRESS]) as servers:
        yield from requirements(servers, DOMAIN, most_mb=60)


def _talk(connection: socket.socket) -> None:
    connection.sendall(b"220 mx ESMTP\r\n")
    reply_to_all(connection, connection.sendall, starttls=True)
    with server_tls_context().wrap_socket(connection, server_side=True) as secure:

        def send(data: bytes) -> None:
            for at in range(len(data)):
                secure.send(data[at : at + 1])

        reply_to_all(secure, send)
