"""checker-smtp as its user has it: arguments, two streams and an exit code.

`run` calls it in this process, where a start costs nothing. `run_process` starts the interpreter, which takes
up to half a second of one core: it is for tests of the streams and the warnings of a process. In both, every
warning is an error, and what would leave the process over a network is refused.
"""

import io
import os
import pty
import subprocess
import sys
import tempfile
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from checker_smtp.__main__ import main

__all__ = ["FIXTURES", "Run", "environment", "invocation", "run", "run_in_terminal", "run_process"]

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
_LIMIT = 60
_OFFLINE = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"):
        raise RuntimeError(f"this was to be done offline: {event} {arguments}")

sys.addaudithook(refuse)
from checker_smtp.__main__ import main
main()
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What a user gets from one run."""

    code: int
    out: str
    err: str


def invocation(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", _OFFLINE, *map(str, arguments)]


def environment(**changes: str) -> dict[str, str]:
    dropped = ("NO_COLOR", "FORCE_COLOR", "TERM", "CHECKER_SMTP_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    ours = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "PYTHONUTF8": "1"}
    # as in conftest.py, for the tests of other folders
    ours["XDG_CONFIG_HOME"] = "/no-such-folder"
    return kept | ours | changes


def run(*arguments: str | Path, cwd: Path | None = None, **changes: str) -> Run:
    """Run it to its end in this process; `changes` are environment variables."""
    with ExitStack() as stack:
        # files and not StringIO, because the command asks for descriptors
        raw_out, raw_err = (stack.enter_context(tempfile.TemporaryFile()) for _ in "oe")
        out, err = (io.TextIOWrapper(raw, "utf-8", write_through=True) for raw in (raw_out, raw_err))
        stdin = stack.enter_context(Path(os.devnull).open(encoding="utf-8"))
        stack.enter_context(patch.object(sys, "argv", ["checker-smtp", *map(str, arguments)]))
        stack.enter_context(patch.object(sys, "stdin", stdin))
        stack.enter_context(patch.dict(os.environ, environment(**changes), clear=True))
        stack.enter_context(chdir(cwd or Path.cwd()))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        with pytest.raises(SystemExit) as ended:
            main()
        written = []
        for stream in (raw_out, raw_err):
            stream.seek(0)
            written.append(stream.read().decode("utf-8"))
    assert isinstance(ended.value.code, int)
    return Run(ended.value.code, *written)


def run_process(*arguments: str | Path, **changes: str) -> Run:
    """Run it to its end as a process; `changes` are environment variables."""
    done = subprocess.run(
        invocation(*arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**changes),
        timeout=_LIMIT,
        check=False,
    )
    return Run(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


def run_in_terminal(*arguments: str | Path, **changes: str) -> Run:
    """The same on a terminal, where both streams are one."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        invocation(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**changes)
    ) as process:
        os.close(theirs)
        out = b""
        try:
            while more := os.read(ours, 65536):
                out += more
        except OSError:  # how Linux says that the other side is closed
            pass
        code = process.wait(_LIMIT)
    os.close(ours)
    return Run(code, out.decode("utf-8"), "")
