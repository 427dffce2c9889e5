"""One MX host with 32 addresses, each of which sends nearly 1 MiB."""

import socket
from collections.abc import Iterator

from benchmarks.figures import Requirement
from benchmarks.hostile.replies import reply_to_all, with_code
from benchmarks.hostile.servers import DOMAIN, hostile_servers, one_host
from benchmarks.hostile.visits import requirements

__all__ = ["ADDRESSES", "run", "talk"]

ADDRESSES = [f"127.0.0.{number}" for number in range(1, 33)]


def run() -> Iterator[Requirement]:
    """Yield the requirements on the memory and the output of `check`."""
    with hostile_servers(talk, one_host(ADDRESSES), ADDRESSES) as servers:
        yield from requirements(servers, DOMAIN, most_mb=100)


def talk(connection: socket.socket) -> None:
    connection.sendall(with_code(220))
    reply_to_all(connection, connection.sendall)
