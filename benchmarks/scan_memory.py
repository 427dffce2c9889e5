"""What a scan keeps in memory: the same command on a list, and on one twice as long.

Against `town`, in real sockets, with two windows of domains under way from the first list on. What is
measured is the largest resident set that the process ever had.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .figures import Requirement, table
from .town import domains

__all__ = ["run"]

_LENGTHS = (20_000, 40_000)
_MOST_MB = 400
# What the allocator does from run to run.
_SLACK = 1.2
_PACE = ("--pause", "0", *("--per-address", "100", "--per-network", "100", "--per-provider", "100"))


def run() -> Iterator[Requirement]:
    """Measure, print the table, and give what is required."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.town"], stdout=subprocess.PIPE, text=True
        ) as town,
    ):
        try:
            assert town.stdout is not None
            dns, smtp = town.stdout.readline().split()
            taken = {length: _scan(Path(folder), length, dns, smtp) for length in _LENGTHS}
        finally:
            town.terminate()
    rows = [
        [f"{length:,}", f"{megabytes:.0f}", f"{seconds:.0f}"]
        for length, (megabytes, seconds) in taken.items()
    ]
    print(table(["domains", "MB", "seconds"], rows))
    short, long = (taken[length][0] for length in _LENGTHS)
    yield Requirement(f"MB, less than {_MOST_MB}", f"{long:.0f}", long < _MOST_MB)
    yield Requirement(
        f"twice as many domains take no more memory (at most {_SLACK} x)",
        f"{long / short:.2f} x",
        long <= _SLACK * short,
    )


def _scan(folder: Path, length: int, dns: str, smtp: str) -> tuple[float, float]:
    """Megabytes and seconds for so many domains."""
    names, results = folder / "names", folder / "results.jsonl"
    names.write_text("\n".join(domains(length)) + "\n", encoding="ascii")
    command = [
        *(sys.executable, "-m", "checker_smtp", "scan", str(names), "-o", str(results), "--force"),
        *("--resolver", f"127.0.0.1:{dns}", "--port", smtp, "--allow-target", "127.0.0.0/8", *_PACE),
    ]
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the scan ended with {process.returncode}")
    return usage.ru_maxrss / 1024, time.monotonic() - began
