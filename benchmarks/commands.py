"""A command of checker-smtp as a user gives it, in a process of its own, with its cost.

Run as `python -m benchmarks.commands` it is that command, and prints its peak memory at the end.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from .figures import peak_memory

__all__ = ["CommandCost", "measure_command"]


@dataclass(frozen=True, slots=True)
class CommandCost:
    """The cost of a command: `processor` is in seconds, `megabytes` the peak resident set.

    `errors` is what it wrote to standard error, `code` its exit code.
    """

    seconds: float
    processor: float
    megabytes: float
    errors: str
    code: int


def measure_command(
    arguments: Sequence[str], output: Path | None = None, stop_after: float | None = None
) -> CommandCost:
    """Run `checker-smtp ARGUMENTS`, with its standard output in the file `output`, and wait for its end.

    After `stop_after` seconds it gets the signal of Ctrl-C.
    """
    command = [sys.executable, "-m", "benchmarks.commands", *arguments]
    started_at = time.monotonic()
    with (output or Path(os.devnull)).open("wb") as written:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        with process.stderr, _stopping(process, stop_after):
            errors = process.stderr.read()
        # wait4 returns the usage of this child alone
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    kilobytes = re.search(r"^(\d+) kB at most$", errors, re.MULTILINE)
    if kilobytes is None:
        raise RuntimeError(errors)
    return CommandCost(
        seconds=time.monotonic() - started_at,
        processor=usage.ru_utime + usage.ru_stime,
        megabytes=int(kilobytes[1]) / 1024,
        errors=errors,
        code=process.returncode,
    )


@contextmanager
def _stopping(process: "subprocess.Popen[str]", seconds: float | None) -> Iterator[None]:
    """Interrupt `process` after these seconds, unless the block has ended."""
    if seconds is None:
        yield
        return
    timer = Timer(seconds, process.send_signal, [signal.SIGINT])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _main() -> int:
    from checker_smtp.cli.main import main

    try:
        return main()
    finally:
        print(f"{peak_memory()} kB at most", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(_main())
