"""What sharing servers saves a scan: 10,000 domains on 500 servers, by Zipf's law.

The same command with and without sharing, against `town`, with the usual manners: two sessions at once with
one address, a second between two. They are what makes sharing matter, since most of the domains are on few
servers. Without sharing only the first part of the list is scanned; its rate does not depend on the length.

The same again without any manners tells what sharing saves in processor time alone.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGUSR1

from .figures import Requirement, table
from .town import domains

__all__ = ["run"]

_DOMAINS, _ALONE = 10_000, 600
# the town is one network and one provider; in the world these limits are for one of many
_ONE_OF_MANY = ("--per-network", "100", "--per-provider", "100")
_NO_MANNERS = ("--per-address", "100", "--pause", "0")


@dataclass(frozen=True, slots=True)
class _Run:
    domains: int
    seconds: float
    questions: int
    sessions: int

    @property
    def rate(self) -> float:
        return self.domains / self.seconds


def run() -> Iterator[Requirement]:
    """Measure, print the table, and give what is required."""
    with _town() as town, tempfile.TemporaryDirectory() as folder:
        runs = {
            "shared": town.scan(Path(folder), _DOMAINS),
            "each domain alone": town.scan(Path(folder), _ALONE, "--no-sharing"),
            "shared, no manners": town.scan(Path(folder), _DOMAINS, *_NO_MANNERS),
            "alone, no manners": town.scan(Path(folder), _ALONE, "--no-sharing", *_NO_MANNERS),
        }
    shared, alone = runs["shared"], runs["each domain alone"]
    rows = [
        [
            what,
            f"{one.domains:,}",
            f"{one.seconds:.1f}",
            f"{one.rate:.0f}",
            f"{one.sessions / one.domains:.3f}",
            f"{one.questions / one.domains:.2f}",
        ]
        for what, one in runs.items()
    ]
    print(table(["scan", "domains", "seconds", "domains/s", "sessions/domain", "queries/domain"], rows))
    sessions, questions = shared.sessions / _DOMAINS, shared.questions / _DOMAINS
    faster = shared.rate / alone.rate
    yield Requirement("sessions a domain, at most 0.1", f"{sessions:.3f}", sessions <= 0.1)
    yield Requirement("queries a domain, at most 1.6", f"{questions:.2f}", questions <= 1.6)
    yield Requirement("domains a second, at least 6 x those without sharing", f"{faster:.1f} x", faster >= 6)


class _Town:
    """The town's process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._dns, self._smtp = self._numbers()

    def _numbers(self) -> tuple[int, int]:
        assert self._process.stdout is not None
        first, second = map(int, self._process.stdout.readline().split())
        return first, second

    def scan(self, folder: Path, number: int, *more: str) -> _Run:
        """Scan so many domains of it."""
        names = folder / "names"
        names.write_text("\n".join(domains(number)) + "\n", encoding="ascii")
        command = [
            *(sys.executable, "-m", "checker_smtp", "scan", str(names), "-o", str(folder / "results.jsonl")),
            *("--force", "--resolver", f"127.0.0.1:{self._dns}", "--port", str(self._smtp)),
            *("--allow-target", "127.0.0.0/8", *_ONE_OF_MANY, *more),
        ]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        if not re.search(rf"\b{number} domains", done.stderr):
            raise RuntimeError(done.stderr)
        self._process.send_signal(SIGUSR1)
        return _Run(number, seconds, *self._numbers())


@contextmanager
def _town() -> Iterator[_Town]:
    command = [sys.executable, "-m", "benchmarks.town"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _Town(process)
        finally:
            process.terminate()
