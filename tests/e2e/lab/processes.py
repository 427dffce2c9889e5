"""Processes that are ended as surely as they are started, and nothing but them.

Each server leads a session of its own, so its group is exactly what it started. The leader is not reaped
before the whole group got its KILL: until then its number cannot be taken by a process of someone else.
Signals that would end this program wait while servers are started or stopped, so none is lost between
the fork and the note of it.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE = 5.0


class Interrupts:
    """Turns the signals that end a program into KeyboardInterrupt: within `allowed`, or else at the end."""

    def __init__(self) -> None:
        self._held, self._pending = True, False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        for number in _ENDING:
            # an ignored signal stays ignored: nohup means it
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._pending and kind is None:
            raise KeyboardInterrupt

    @contextmanager
    def allowed(self) -> Iterator[None]:
        self._held = False
        try:
            if self._pending:
                self._pending = False
                raise KeyboardInterrupt
            yield
        finally:
            self._held = True

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        if not self._held:
            raise KeyboardInterrupt
        self._pending = True


@contextmanager
def running(command: Sequence[str], output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The command in the foreground of a session of its own; it and its children have ended afterwards."""
    with output.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        _end(process)


def has_ended(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it ended, asked without reaping it."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(process: "subprocess.Popen[bytes]") -> None:
    group = process.pid
    # not Popen.send_signal: that reaps a leader which ended by itself
    os.kill(group, signal.SIGTERM)
    _wait(lambda: has_ended(process))
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    _wait(lambda: not _members(group))
    process.wait()


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _GRACE
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)


def _members(group: int) -> bool:
    """Whether anyone in the group still runs; when the zombies are collected is init's affair."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False
