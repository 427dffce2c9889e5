"""The time and memory of `summary`, for as many lines as a large scan writes.

Memory is bounded if ten times the lines take no more of it, so the command runs on 100,000 lines and on a
million, each of another domain. The lines are recorded checks under other names: a domain's provider follows
Zipf's law over 500, and one domain in five is its own provider, so that there are more providers and servers
than can be counted exactly. They are written to a pipe as fast as they are read. Time is the command's own
processor time, memory its peak resident set.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import anyio
import msgspec

from checker_smtp import replay
from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump

from .figures import Requirement, table

__all__ = ["lines", "run"]

_FIXTURES = Path(__file__).parents[1] / "fixtures"
_COUNTS = (100_000, 1_000_000)
_LEAST_RATE = 200_000
_MOST_MEMORY = 200
_GROWTH = 1.25
_PROVIDERS = 500
_OWN = 0.2
# Most real servers are healthy; the other recordings share the rest evenly.
_CASES = ("postfix-healthy", "postfix-dual-stack", "exim-healthy")
_IN_ORDER = 0.8
_DOMAIN, _MX, _ADDRESS = "domain.invalid", "mx.provider.invalid", "192.0.2.255"


@dataclass(frozen=True, slots=True)
class _Run:
    lines: int
    octets: int
    seconds: float
    megabytes: float

    @property
    def rate(self) -> float:
        return self.lines / self.seconds * 60


def run() -> list[Requirement]:
    """Print lines a minute and megabytes for each number of lines."""
    few, many = (_summary(count) for count in _COUNTS)
    print(
        table(
            ["lines", "GB read", "processor s", "lines a minute", "MB"],
            [
                [
                    f"{one.lines:,}",
                    f"{one.octets / 1e9:.1f}",
                    f"{one.seconds:.1f}",
                    f"{one.rate:,.0f}",
                    f"{one.megabytes:.0f}",
                ]
                for one in (few, many)
            ],
        )
    )
    growth = many.megabytes / few.megabytes
    return [
        Requirement(
            f"at least {_LEAST_RATE:,} lines a minute", f"{many.rate:,.0f}", many.rate >= _LEAST_RATE
        ),
        Requirement(
            f"at most {_MOST_MEMORY} MB at {many.lines:,} lines",
            f"{many.megabytes:.0f} MB",
            many.megabytes <= _MOST_MEMORY,
        ),
        Requirement(
            f"ten times the lines take at most {_GROWTH:g} × the memory", f"{growth:.2f} ×", growth <= _GROWTH
        ),
    ]


def _summary(count: int) -> _Run:
    octets = 0
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "checker_smtp", "summary", "-", "-o", f"{scratch}/summary.html"]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            for line in lines(count):
                octets += process.stdin.write(line)
            process.stdin.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"summary ended with {process.returncode}")
    return _Run(count, octets, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def lines(count: int) -> Iterator[bytes]:
    """Yield `count` lines of a scan, the same in each run."""
    choice = random.Random(1)  # noqa: S311 - no secret
    documents = [_document(case) for case in sorted(_FIXTURES.glob("*/case.toml"))]
    in_order = [document for name, document in documents if name in _CASES]
    others = [document for name, document in documents if name not in _CASES]
    weights = list(accumulate(1 / rank for rank in range(1, _PROVIDERS + 1)))
    for number in range(count):
        domain = f"domain-{number}.example".encode()
        if choice.random() < _OWN:
            server, address = b"mx." + domain, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        else:
            (rank,) = choice.choices(range(_PROVIDERS), cum_weights=weights)
            server, address = f"mx.provider-{rank}.example".encode(), f"192.0.{rank >> 8}.{rank & 255}"
        document = choice.choice(in_order if choice.random() < _IN_ORDER else others)
        document = document.replace(_MX.encode(), server).replace(_DOMAIN.encode(), domain)
        yield document.replace(_ADDRESS.encode(), address.encode())


def _document(case: Path) -> tuple[str, bytes]:
    """Return a recorded check as a line, with placeholders for its names and addresses."""
    result: Result = anyio.run(replay, case.parent)
    text = msgspec.json.format(dump(result), indent=-1)
    for endpoint in result.observation.endpoints:
        text = text.replace(f'"{endpoint.address}"', f'"{_ADDRESS}"')
    for record in result.observation.mx.records:
        text = text.replace(record.target, _MX)
    return case.parent.name, f"{text.replace(result.observation.domain, _DOMAIN)}\n".encode()
