"""256 half-sent requests that hold all connections of `serve`."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.figures import Requirement
from benchmarks.hostile.service import running_service

__all__ = ["run"]

_HALF = b"POST /check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
_MOST_SECONDS = 1.0


def run() -> Iterator[Requirement]:
    """Yield the requirement on `/health`."""
    with running_service() as service, ExitStack() as held:
        for _ in range(256):
            sock = held.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            sock.sendall(_HALF)
        answers = [service.get("/health") for _ in range(20)]
        slowest = max(answer.seconds for answer in answers)
        is_well = {answer.status for answer in answers} == {200}
        page = service.get("/check").status
        yield Requirement(
            f"seconds for /health, at most {_MOST_SECONDS:g}",
            f"{slowest:.3f} (the page: {page})",
            is_well and page == 503 and slowest <= _MOST_SECONDS,
        )
