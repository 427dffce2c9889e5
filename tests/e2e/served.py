"""`checker-smtp serve` as a process, and a minimal client."""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.lab.table import PORT, RESOLVER, TARGETS

__all__ = ["COLLECT_HEAD", "IN_THE_LAB", "Answer", "Served", "served", "until"]

IN_THE_LAB = ("--resolver", RESOLVER, "--port", str(PORT), "--allow-target", TARGETS)
COLLECT_HEAD = b"POST /collect HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_PATIENCE = 20.0
_WITHOUT = {name for name in os.environ if name.startswith("CHECKER_SMTP_")}


@dataclass(frozen=True, slots=True)
class Answer:
    """The response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        read: dict[str, object] = json.loads(self.body)
        return read


@dataclass(frozen=True, slots=True)
class Served:
    """A running service."""

    process: "subprocess.Popen[bytes]"
    port: int
    metrics_port: int
    _log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        timeout: float = 60.0,
    ) -> Answer:
        """One request on a connection of its own; a mapping is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, sent, dict(headers or {}))
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, fields, answer.read())
        finally:
            connection.close()

    def collect(self, domain: str, **options: object) -> Answer:
        return self.ask("POST", "/collect", {"key": "smtp", "options": {"domain": domain, **options}})

    def inflight(self) -> object:
        return self.ask("GET", "/health").json()["inflight"]

    def wait(self) -> int:
        """Wait for its exit code."""
        return self.process.wait(_PATIENCE)


@contextmanager
def served(*arguments: str, listen: str = "127.0.0.1:0", **environment: str) -> Iterator[Served]:
    """Run the service with these options, on a free port, while the block lasts."""
    inherited = {name: value for name, value in os.environ.items() if name not in _WITHOUT}
    command = [sys.executable, "-m", "checker_smtp", "serve", "--listen", listen]
    with tempfile.TemporaryDirectory(prefix="checker-smtp-served-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [*command, "--metrics-listen", "127.0.0.1:0", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env=inherited | environment,
            )
        try:
            yield Served(process, *_ports(process, log), log)
        finally:
            process.kill()
            process.wait()


def until(done: Callable[[], object], seconds: float = _PATIENCE) -> None:
    """Poll until `done` returns something true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.02)


def _ports(process: "subprocess.Popen[bytes]", log: Path) -> tuple[int, int]:
    until(lambda: process.poll() is not None or "listening on" in log.read_text())
    text = log.read_text()
    found = re.search(r"listening on http://\S+:(\d+)", text)
    assert found, f"the service did not start:\n{text}"
    metrics = re.search(r"metrics on http://\S+:(\d+)/", text)
    return int(found[1]), int(metrics[1]) if metrics else 0
