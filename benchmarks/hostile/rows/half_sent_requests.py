"""256 half-sent forms, as large as they may be, that hold all connections of `serve`."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.figures import Requirement
from benchmarks.hostile.service import running_service

__all__ = ["run"]

_SIZE = 64 * 1024
_HEAD = "POST /check HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.{}\r\nContent-Length: {}\r\n\r\n"
_MOST_SECONDS, _MOST_MB = 1.0, 60


def run() -> Iterator[Requirement]:
    """Yield the requirements on `/health` and on the memory."""
    with running_service() as service, ExitStack() as held:
        service.get("/health")
        idle = service.megabytes
        for number in range(256):
            sock = held.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            sock.sendall(_HEAD.format(number % 250, _SIZE).encode() + b"x" * (_SIZE - 1))
        answers = [service.get("/health") for _ in range(20)]
        slowest = max(answer.seconds for answer in answers)
        is_well = {answer.status for answer in answers} == {200}
        page = service.get("/check").status
        yield Requirement(
            f"seconds for /health, at most {_MOST_SECONDS:g}",
            f"{slowest:.3f} (the page: {page})",
            is_well and page == 503 and slowest <= _MOST_SECONDS,
        )
        above = service.megabytes - idle
        yield Requirement(
            f"MB above the {idle:.0f} of the idle service, at most {_MOST_MB}",
            f"{above:.0f}",
            above <= _MOST_MB,
        )
