"""Scans of `town`, in real sockets: the command that a user would give, and what it took.

Run as `python -m benchmarks.scans` it is that command, and says in the end how much memory it had at most.
"""

import os
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

from .fake_internet import domains
from .figures import peak_memory

__all__ = ["Scanned", "Town", "town"]

# the town is one network and one provider; in the world these limits are for one of many
_ONE_OF_MANY = ("--per-network", "100", "--per-provider", "100")


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scan of so many `domains`: what the town counted, and what the scan's process took.

    `processor` is seconds too, `megabytes` the largest resident set that it ever had, `written` the octets of
    its results.
    """

    domains: int
    seconds: float
    processor: float
    megabytes: float
    written: int
    questions: int
    sessions: int


class Town:
    """The town's process, and a folder for what is scanned there; its servers listen on the port `smtp`."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._dns, self.smtp = self._numbers()

    def _numbers(self) -> tuple[int, int]:
        assert self._process.stdout is not None
        first, second = map(int, self._process.stdout.readline().split())
        return first, second

    def scan(self, number: int, *more: str, results: str = "results.jsonl") -> Scanned:
        """Scan so many domains of it; `results` is the name of the file that they go into."""
        names, written = self._folder / "names", self._folder / results
        names.write_text("\n".join(domains(number)) + "\n", encoding="ascii")
        command = [
            *(sys.executable, "-m", "benchmarks.scans", "scan", str(names), "-o", str(written)),
            *("--force", "--resolver", f"127.0.0.1:{self._dns}", "--port", str(self.smtp)),
            *("--allow-target", "127.0.0.0/8", *_ONE_OF_MANY, *more),
        ]
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        with process.stderr:
            told = process.stderr.read()
        # the usage of this child alone
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        kilobytes = re.search(r"^(\d+) kB at most$", told, re.MULTILINE)
        if kilobytes is None or not re.search(rf"^{number} domains", told, re.MULTILINE):
            raise RuntimeError(told)
        self._process.send_signal(SIGUSR1)
        questions, sessions = self._numbers()
        return Scanned(
            domains=number,
            seconds=seconds,
            processor=usage.ru_utime + usage.ru_stime,
            megabytes=int(kilobytes[1]) / 1024,
            written=written.stat().st_size,
            questions=questions,
            sessions=sessions,
        )


@contextmanager
def town() -> Iterator[Town]:
    """A town, until that is left."""
    command = [sys.executable, "-m", "benchmarks.fake_internet"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            yield Town(process, Path(folder))
        finally:
            process.terminate()


def _main() -> int:
    from checker_smtp.cli import main

    try:
        return main()
    finally:
        print(f"{peak_memory()} kB at most", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(_main())
