"""Forty clients of `serve` that read the largest kept result at once, and are slow to take it."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.figures import Requirement
from benchmarks.hostile.servers import DOMAIN, hostile_servers, one_host
from benchmarks.hostile.service import running_service

from .addresses_of_one_host import ADDRESSES, talk

__all__ = ["run"]

_MOST_MB = 300
_CLIENTS = 40
_REQUEST = "GET {} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.{}\r\n\r\n"
_FILES = ("", "/report.html", "/report.json")


def run() -> Iterator[Requirement]:
    """Yield the requirement on the memory of the service."""
    with (
        hostile_servers(talk, one_host(ADDRESSES), ADDRESSES) as servers,
        running_service(*servers.arguments) as service,
    ):
        page = service.check(DOMAIN, "192.0.2.1").body.decode()
        found = re.search(r"check/results/[\w-]{22}", page)
        if found is None:
            raise RuntimeError(page[-1000:])
        after_check = service.megabytes
        with ExitStack() as clients:
            opened = [
                clients.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60))
                for _ in range(_CLIENTS)
            ]
            for number, client in enumerate(opened):
                path = f"/{found[0]}{_FILES[number % len(_FILES)]}"
                client.sendall(_REQUEST.format(path, number).encode())
            statuses = [client.recv(12)[9:12].decode() for client in opened]
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        yield Requirement(
            f"MB of the service, at most {_MOST_MB}",
            f"{service.megabytes:.0f} ({after_check:.0f} after the check; responses {counts})",
            service.megabytes <= _MOST_MB and set(counts) <= {"200", "503"} and "200" in counts,
        )
