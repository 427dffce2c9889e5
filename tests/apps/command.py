"""checker-smtp as its user has it: a process with arguments, two streams and an exit code.

Every warning is an error there, and what would leave the process over a network is refused, so that what
passes here needs none.
"""

import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FIXTURES", "Run", "environment", "invocation", "run", "run_in_terminal"]

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
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
    ours = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "PYTHONUTF8": "1"}
    return kept | ours | changes


def run(*arguments: str | Path, cwd: Path | None = None, **changes: str) -> Run:
    """Run it to its end; `changes` are environment variables."""
    done = subprocess.run(
        invocation(*arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**changes),
        cwd=cwd,
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
