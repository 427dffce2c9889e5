"""Scans of the fake internet over real sockets: the command of a user, with its cost."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGUSR1

from .commands import measure_command
from .fake_internet import domains

__all__ = ["FakeInternet", "ScanCost", "fake_internet"]

# the fake internet is one network and one provider; real lists have many
_NO_GROUP_LIMITS = ("--per-network", "100", "--per-provider", "100")


@dataclass(frozen=True, slots=True)
class ScanCost:
    """The cost of a scan: queries and sessions as the servers counted them, the rest that of its process.

    `processor` is in seconds, `megabytes` the peak resident set, `written` the octets of the results.
    """

    domains: int
    seconds: float
    processor: float
    megabytes: float
    written: int
    queries: int
    sessions: int


class FakeInternet:
    """The process of the fake servers, and a folder for lists and results; `smtp` is the servers' port."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._dns, self.smtp = self._read_numbers()

    def _read_numbers(self) -> tuple[int, int]:
        assert self._process.stdout is not None
        first, second = map(int, self._process.stdout.readline().split())
        return first, second

    def scan(self, number: int, *more: str, results: str = "results.jsonl") -> ScanCost:
        """Scan `number` domains with the options `more`; `results` is the name of the file for the lines."""
        names, written = self._folder / "names", self._folder / results
        names.write_text("\n".join(domains(number)) + "\n", encoding="ascii")
        arguments = [
            *("scan", str(names), "-o", str(written)),
            *("--force", "--resolver", f"127.0.0.1:{self._dns}", "--port", str(self.smtp)),
            *("--allow-target", "127.0.0.0/8", *_NO_GROUP_LIMITS, *more),
        ]
        cost = measure_command(arguments)
        if not re.search(rf"^{number} domains", cost.errors, re.MULTILINE):
            raise RuntimeError(cost.errors)
        self._process.send_signal(SIGUSR1)
        queries, sessions = self._read_numbers()
        return ScanCost(
            domains=number,
            seconds=cost.seconds,
            processor=cost.processor,
            megabytes=cost.megabytes,
            written=written.stat().st_size,
            queries=queries,
            sessions=sessions,
        )


@contextmanager
def fake_internet() -> Iterator[FakeInternet]:
    """Run the fake servers, and stop them at the end."""
    command = [sys.executable, "-m", "benchmarks.fake_internet"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            yield FakeInternet(process, Path(folder))
        finally:
            process.terminate()
