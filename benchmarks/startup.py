"""How long the command takes to begin: until `--version` is printed, and until `check` has asked the DNS.

Theory: a monitoring plugin is started anew for every check, so what is imported before the first packet
leaves is paid every time. The measure is a bare interpreter of the same environment that does nothing,
because most of the time is Python's own, and all of it depends on the machine. The command is the one
installed beside the interpreter, with its start-up script; the resolver is a socket on loopback which
receives the first query and never answers. Everything is compiled, as an installer leaves it: the round that
warms up sees to that.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

from .figures import Requirement, in_turns, table

__all__ = ["run"]

_ROUNDS = 15
_BARE = "python -c pass"
_VERSION = "checker-smtp --version"
_CHECK = "checker-smtp check, until its first DNS question"
# How many times as long as the bare interpreter, at most.
_ALLOWED = {_VERSION: 8.0, _CHECK: 30.0}
_TIMEOUT = 30.0
# Forbidden to keep what it compiles, a checkout would be compiled at each start, unlike what is installed.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run() -> list[Requirement]:
    """Print the milliseconds of each start; judge them by the bare interpreter's."""
    seconds = in_turns(
        _ROUNDS,
        {
            _BARE: partial(_whole, [sys.executable, "-c", "pass"]),
            _VERSION: partial(_whole, [*_command(), "--version"]),
            _CHECK: _first_question,
        },
    )
    times = {name: taken / seconds[_BARE] for name, taken in seconds.items()}
    print(f"milliseconds of wall time from exec, median of {_ROUNDS}")
    print(
        table(
            ["what", "ms", f"× {_BARE}"],
            [[name, f"{taken * 1000:.1f}", f"{times[name]:.1f}"] for name, taken in seconds.items()],
        )
    )
    return [
        Requirement(f"{name}: at most {most:g} × {_BARE}", f"{times[name]:.1f} ×", times[name] <= most)
        for name, most in _ALLOWED.items()
    ]


def _command() -> Sequence[str]:
    installed = Path(sys.executable).with_name("checker-smtp")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "checker_smtp"]


def _whole(command: Sequence[str]) -> float:
    began = perf_counter()
    subprocess.run(command, check=True, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return perf_counter() - began


def _first_question() -> float:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.bind(("127.0.0.1", 0))
        resolver.settimeout(_TIMEOUT)
        asked = f"127.0.0.1:{resolver.getsockname()[1]}"
        began = perf_counter()
        with subprocess.Popen(
            [*_command(), "check", "example.org", "--resolver", asked],
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                resolver.recv(512)
                return perf_counter() - began
            finally:
                process.kill()
