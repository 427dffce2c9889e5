"""A scan on a cluster of 6,000 domains whose server sends each 200 KiB that cannot be compressed."""

import random
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmarks.figures import Requirement, peak_memory
from benchmarks.hostile.replies import reply_to_all
from benchmarks.hostile.servers import hostile_servers

__all__ = ["run"]

_DOMAINS = 6_000
_ADDRESSES = ["127.0.0.1", "127.0.1.1"]
_MOST_MB = 600
_SECONDS = 100
_LIMITS = ("--delay", "0", "--per-address", "20", "--per-network", "20", "--per-provider", "100")


def run() -> Iterator[Requirement]:
    """Yield the requirement on the memory of the largest worker."""
    zone = "\n".join(f"d{number}.test MX 10 mx{number % 2}.test." for number in range(_DOMAINS))
    zone += "".join(f"\nmx{number}.test A {address}" for number, address in enumerate(_ADDRESSES))
    with tempfile.TemporaryDirectory() as folder, hostile_servers(_talk, zone, _ADDRESSES) as servers:
        listed = Path(folder, "names")
        listed.write_text("\n".join(f"d{number}.test" for number in range(_DOMAINS)), encoding="ascii")
        command = [sys.executable, "-m", "checker_smtp", "scan", str(listed), "-o", str(Path(folder, "out"))]
        process = subprocess.Popen(
            [*command, "--engine", "dask", *_LIMITS, *servers.arguments],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        most, ends_at = 0.0, time.monotonic() + _SECONDS
        while process.poll() is None and time.monotonic() < ends_at:
            most = max([most, *(_megabytes(child) for child in _children(process.pid))])
            time.sleep(0.5)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait()
        parts = len(list(Path(folder, "out").glob("part-*")))
    yield Requirement(
        f"MB of the largest worker, at most {_MOST_MB}", f"{most:.0f} ({parts} parts)", most <= _MOST_MB
    )


def _talk(connection: socket.socket) -> None:
    connection.sendall(b"220 mx ESMTP\r\n")
    reply_to_all(connection, lambda data: connection.sendall(_shuffled(data)))


def _shuffled(data: bytes) -> bytes:
    """Return a reply of the same form whose text is random; a short one stays."""
    if len(data) < 10_000:
        return data
    letters = (string.ascii_letters + string.digits).encode()
    lines = data.splitlines(keepends=True)
    source = random.Random()  # noqa: S311 - for size, not for secrets
    return b"".join(
        line if b"xxx" not in line else line[:4] + bytes(source.choices(letters, k=len(line) - 6)) + b"\r\n"
        for line in lines
    )


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text(encoding="ascii").split()):
                yield child
                yield from _children(child)


def _megabytes(pid: int) -> float:
    with suppress(OSError, StopIteration):
        return peak_memory(pid) / 1024
    return 0.0
