"""`checker-smtp scan` of the lab as a user runs it, and the contents of its results."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from checker_smtp.lines import open_lines
from tests.e2e.conftest import ASKED
from tests.e2e.lab.table import RESOLVER

BRISK = ["--delay", "0", "--retry-delay", "0.1"]
"""Options without delays, for the lab."""


def listed(folder: Path, names: Iterable[str]) -> Path:
    """Write a list of these names; return its path."""
    path = folder / "names"
    path.write_text("".join(f"{name}\n" for name in names))
    return path


def arguments(names: Path | str, results: Path | str, *more: str | Path) -> list[str]:
    return ["scan", *map(str, (names, "-o", results, "--resolver", RESOLVER, *ASKED, *more))]


@contextmanager
def scanning(
    names: Path | str, results: Path, *more: str | Path, streams: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a scan that writes small members, and kill it at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.small_members", *arguments(names, results, *more)],
        stdin=subprocess.DEVNULL,
        stdout=streams,
        stderr=streams,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        # A shell starts a background job with SIGINT ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(results: Path) -> list[dict[str, Any]]:
    """Return the complete lines."""
    with open_lines(results) as found:
        return [json.loads(line) for line in found if line.endswith(b"\n")]


def domains(results: Path) -> list[str]:
    return [domain_of(line) for line in lines(results)]


def domain_of(line: dict[str, Any]) -> str:
    name: str = line["domain"] if "domain" in line else line["observation"]["domain"]
    return name
