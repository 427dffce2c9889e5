"""A scan of 3,000 domains with the same two servers: one sends 64 KiB a reply, one is silent after EHLO."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.commands import measure_command
from benchmarks.figures import Requirement
from benchmarks.hostile.replies import reply_to_all, with_code
from benchmarks.hostile.servers import hostile_servers

__all__ = ["run"]

_DOMAINS = 3_000
_TALKS, _SILENT = "127.0.0.1", "127.0.0.2"
_MOST_MB = 300
# After this time the scan is stopped, as by Ctrl-C; the politeness to the first server makes it last longer.
_SECONDS = 120


def run() -> Iterator[Requirement]:
    """Yield the requirements on the memory of `scan`, and on the lines it wrote."""
    names = [f"d{number}.test" for number in range(_DOMAINS)]
    zone = [f"{name} MX 10 {host}.test." for name in names for host in ("talks", "silent")]
    zone += [f"talks.test A {_TALKS}", f"silent.test A {_SILENT}"]
    with (
        tempfile.TemporaryDirectory() as folder,
        hostile_servers(_talk, "\n".join(zone), [_TALKS, _SILENT]) as servers,
    ):
        listed, results = Path(folder, "names"), Path(folder, "results.jsonl")
        listed.write_text("\n".join(names), encoding="ascii")
        cost = measure_command(
            ["scan", str(listed), "-o", str(results), *servers.arguments], stop_after=_SECONDS
        )
        lines = results.read_bytes().count(b"\n")
    figure = f"{cost.megabytes:.0f} ({cost.seconds:.0f} s, {cost.processor:.0f} s of CPU)"
    yield Requirement(f"MB of a scan, at most {_MOST_MB}", figure, cost.megabytes <= _MOST_MB)
    yield Requirement(f"lines in {_SECONDS} s, at least 1", f"{lines}", lines > 0)


def _talk(connection: socket.socket) -> None:
    if connection.getsockname()[0] == _SILENT:
        connection.sendall(b"220 silent.test ESMTP\r\n")
        connection.recv(4096)
        connection.sendall(b"250 silent.test\r\n")
        while connection.recv(4096):
            pass
        return
    connection.sendall(with_code(220))
    reply_to_all(connection, connection.sendall)
