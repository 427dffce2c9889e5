"""`checker-smtp serve` in a process of its own, with its memory and its processor time, and its clients."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.figures import peak_memory

__all__ = ["Answer", "Service", "running_service"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, with the seconds that it took."""

    status: int
    body: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, behind a proxy on loopback that it trusts."""

    pid: int
    port: int

    @property
    def megabytes(self) -> float:
        """Return the peak of its resident set."""
        return peak_memory(self.pid) / 1024

    @property
    def processor(self) -> float:
        """Return the seconds of processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def get(self, path: str) -> Answer:
        """Request a page."""
        return self._request("GET", path, b"", {})

    def check(self, domain: str, client: str) -> Answer:
        """Post the form of the page as the client with this address."""
        fields = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": client}
        return self._request("POST", "/check", urlencode({"domain": domain}).encode(), fields)

    def report(self, observation: object) -> Answer:
        """Post an observation for a report in HTML, as a host."""
        body = _compact({"key": "smtp", "data": observation})
        fields = {"Accept": "text/html", "X-Forwarded-For": "10.0.0.2"}
        return self._request("POST", "/report", body, fields)

    def evaluate(self, observation: object) -> Answer:
        """Post an observation for its states, as a host."""
        body = _compact({"observations": {"smtp": observation}})
        return self._request("POST", "/evaluate", body, {"X-Forwarded-For": "10.0.0.2"})

    def _request(self, method: str, path: str, body: bytes, fields: Mapping[str, str]) -> Answer:
        started_at = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, body, dict(fields))
            response = connection.getresponse()
            return Answer(response.status, response.read(), time.monotonic() - started_at)
        finally:
            connection.close()


def _compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


@contextmanager
def running_service(*arguments: str) -> Iterator[Service]:
    """Run the service on a free port, with these arguments and no limits for its hosts."""
    command = [sys.executable, "-m", "checker_smtp", "serve", "--listen", "127.0.0.1:0"]
    command += ["--trusted-proxy", "127.0.0.1", "--rate-client", "none", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr:
        try:
            line = process.stderr.readline()
            found = re.search(r":(\d+)$", line.strip())
            if found is None:
                raise RuntimeError(line + process.stderr.read())
            yield Service(process.pid, int(found[1]))
        finally:
            # before the end of its log is read: nobody reads it meanwhile
            process.kill()
            process.wait()
