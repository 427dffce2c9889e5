"""Ctrl-C ends a check at once, and leaves the terminal and the files as they were."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import ASKED
from tests.e2e.lab.table import PORT, RESOLVER, SILENT_ADDRESS, domain

pytestmark = pytest.mark.parametrize("backend", ["asyncio", "trio"])

HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


@contextmanager
def checking(backend: str, files: Path, *, streams: int) -> Iterator[subprocess.Popen[bytes]]:
    """A check of the server that never speaks, recording, and writing to a file that is there already."""
    (files / "report").write_text("old")
    command = [
        sys.executable,
        "-m",
        "checker_smtp",
        "check",
        domain("silent"),
        "--resolver",
        RESOLVER,
        *ASKED,
    ]
    command += ["--backend", backend, "--timeout", "30", "--record", str(files / "case")]
    command += ["-o", str(files / "report")]
    with subprocess.Popen(
        command,
        stdin=streams if streams >= 0 else subprocess.DEVNULL,
        stdout=streams,
        stderr=streams,
        env=os.environ | {"TERM": "xterm"},
        # a shell's background job is started deaf to SIGINT, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def assert_nothing_changed(files: Path) -> None:
    assert [path.name for path in files.iterdir()] == ["report"]
    assert (files / "report").read_text() == "old"


def test_in_a_pipe(silence: socket.socket, tmp_path: Path, backend: str) -> None:
    with checking(backend, tmp_path, streams=subprocess.PIPE) as process:
        connection, _ = silence.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            pressed = time.monotonic()
            out, err = process.communicate(timeout=10)
            took = time.monotonic() - pressed
    assert (process.returncode, out) == (130, b"")
    (line,) = err.decode().splitlines()
    assert line.startswith(
        f"checker-smtp: interrupted: {domain('silent')} was not checked to the end: MX 10 mx."
    )
    # the server may have accepted before the client knows
    assert re.search(rf"; {SILENT_ADDRESS}:{PORT} (connecting|waiting for the greeting)$", line)
    assert took < 2
    assert_nothing_changed(tmp_path)


def test_in_a_terminal(silence: socket.socket, tmp_path: Path, backend: str) -> None:
    ours, theirs = pty.openpty()
    with checking(backend, tmp_path, streams=theirs) as process:
        os.close(theirs)
        connection, _ = silence.accept()
        with connection:
            shown = read_until(ours, b"waiting for the greeting")
            process.send_signal(signal.SIGINT)
            pressed = time.monotonic()
            shown += read_until(ours, None)
            assert process.wait(10) == 130
            took = time.monotonic() - pressed
    os.close(ours)
    assert took < 2
    assert b"Traceback" not in shown
    assert SILENT_ADDRESS.encode() in shown
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)
    assert_nothing_changed(tmp_path)


def read_until(terminal: int, words: bytes | None) -> bytes:
    """What appears up to and with these words; None: until nobody has the terminal open any more."""
    read = b""
    while words is None or words not in read:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side is closed
            more = b""
        if not more:
            break
        read += more
    return read
