"""Thirty-two addresses that send an octet now and then, so that a check takes as long as it may."""

import socket
import time
from collections.abc import Iterator

from benchmarks.commands import measure_command
from benchmarks.figures import Requirement
from benchmarks.hostile.servers import DOMAIN, hostile_servers, one_host

__all__ = ["run"]

_ADDRESSES = [f"127.0.0.{number}" for number in range(1, 33)]
# Shorter than the usual time limits, which are in the same proportion.
_TIMEOUT, _BUDGET = 2, 15
_SLACK = 5


def run() -> Iterator[Requirement]:
    """Yield the requirement on the duration of `check`."""
    limits = ("--timeout", str(_TIMEOUT), "--check-budget", str(_BUDGET))
    with hostile_servers(_talk, one_host(_ADDRESSES), _ADDRESSES) as servers:
        cost = measure_command(["check", DOMAIN, *limits, *servers.arguments])
    yield Requirement(
        f"seconds of a check with --check-budget {_BUDGET}, at most {_SLACK} more",
        f"{cost.seconds:.1f} ({cost.processor:.1f} s of CPU)",
        cost.seconds <= _BUDGET + _SLACK,
    )


def _talk(connection: socket.socket) -> None:
    connection.sendall(b"220-")
    while True:
        time.sleep(_TIMEOUT / 2)
        connection.sendall(b"x")
