"""A machine for one test: its own network, and /etc, /usr and /var that are written in memory only.

Advice is tried in it exactly as printed: the lines change /etc/postfix and /etc/exim4 and the real ports, but
no file, address or process of the host. All processes end with the sandbox.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.lab import nsd
from tests.e2e.lab.processes import running
from tests.e2e.lab.table import ADVISED, ADVISED_ADDRESS, RESOLVER

_LIMIT = 90
# A process of the sandbox waits for the end of its input, and with it the sandbox ends.
_SETUP = """
mount -t tmpfs tmpfs /mnt
for name in etc usr var; do
  mkdir -p /mnt/$name/upper /mnt/$name/work
  mount -t overlay overlay -o lowerdir=/$name,upperdir=/mnt/$name/upper,workdir=/mnt/$name/work /$name
done
ip link set lo up
ip address add {address}/32 dev lo
echo ready
read -r _
"""


class NoSandboxError(RuntimeError):
    """This machine does not allow namespaces or overlays."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox; `pid` is a process in it."""

    pid: int

    def command(self, *words: str | Path) -> list[str]:
        """Return the command that runs these words in the sandbox."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", *map(str, words)]

    def sh(self, line: str, *, check: bool = True) -> str:
        """Run one line of a shell and return its output. Raise `AssertionError` if it must not fail."""
        done = subprocess.run(
            self.command("sh", "-c", line),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT,
            check=False,
        )
        output = done.stdout.decode(errors="replace")
        assert done.returncode == 0 or not check, f"{line}\n{output}"
        return output

    def write(self, path: str, text: str) -> None:
        """Write a file of the sandbox."""
        words = self.command("sh", "-c", 'mkdir -p "$(dirname "$0")" && cat > "$0"', path)
        subprocess.run(words, input=text.encode(), check=True, timeout=_LIMIT)

    def check(self, *, notes: bool = False) -> set[str]:
        """Check the server of the sandbox; return the codes found, with notes if they are wanted."""
        words = ("-m", "checker_smtp", "check", ADVISED, "--resolver", RESOLVER, "--format", "json")
        more = ("--allow-target", f"{ADVISED_ADDRESS}/32", "--helo-name", f"mx.{ADVISED}")
        done = subprocess.run(
            self.command(sys.executable, *words, *more), capture_output=True, timeout=_LIMIT, check=False
        )
        document = json.loads(done.stdout)
        return {found["code"] for found in document["findings"] if notes or found["severity"] != "info"}

    def offered(self, port: int = 25) -> str:
        """Return the server's reply to EHLO under TLS."""
        program = (
            "import smtplib, ssl, sys; client = smtplib.SMTP(sys.argv[1], int(sys.argv[2]));"
            "client.starttls(context=ssl._create_unverified_context()); print(client.ehlo()[1].decode())"
        )
        return self.sh(shlex.join([sys.executable, "-c", program, ADVISED_ADDRESS, str(port)]))


@contextmanager
def sandbox(folder: Path) -> Iterator[Sandbox]:
    """A sandbox with a name server. Raise `NoSandboxError` where the machine allows none."""
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with subprocess.Popen(
        [*words, "sh", "-ec", _SETUP.format(address=ADVISED_ADDRESS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as outer:
        assert outer.stdin is not None
        assert outer.stdout is not None
        try:
            answer = outer.stdout.readline().decode()
            if answer != "ready\n":
                raise NoSandboxError(f"{answer}{outer.stdout.read().decode(errors='replace')}")
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            here = Sandbox(int(children[0]))
            with running(here.command(*nsd.command(folder / "nsd")), folder / "nsd.out"):
                yield here
        finally:
            outer.stdin.close()
            os.waitid(os.P_PID, outer.pid, os.WEXITED | os.WNOWAIT)
