"""The processor time of a page of the service for a kept result, where 10,000 are kept.

Two recorded checks are kept 5,000 times each, all by one client, so that each has one before it. A process of
its own serves the pages: the service without its sockets, each request for another result.

Run as `python -m benchmarks.results FILE CASE PATH` it is one such process, and prints the milliseconds of a
request.
"""

import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from .figures import Requirement, table

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

__all__ = ["run"]

_FIXTURES = Path(__file__).parents[1] / "fixtures"
_CASES = ("postfix-open-relay", "dns-two-mx-four-addresses")
_KEPT = 10_000
_REQUESTS, _FIRST = 200, 20
_MOST_MS = 20
# what a browser loads for one result; the difference is another page
_PATHS = ("", "/report.html", "/compare.html")
_SECRET = "a" * 22
_COPY = """
    WITH RECURSIVE copies(number) AS (SELECT 2 UNION ALL SELECT number + 1 FROM copies WHERE number < ?)
    INSERT INTO checks (name, domain, run_at, status, mail, octets, owner, document, recording)
    SELECT name || '-' || number, domain, run_at, status, mail, octets, owner, document, recording
    FROM checks, copies WHERE id <= ? ORDER BY number
"""


def run() -> Iterator[Requirement]:
    """Measure, print the table, and yield the requirements."""
    with tempfile.TemporaryDirectory(prefix="checker-smtp-benchmark-") as folder:
        file = Path(folder) / "results.sqlite"
        _keep(file)
        taken = {(case, path): _measured(file, case, path) for case in _CASES for path in _PATHS}
    rows = [[case, *(f"{taken[case, path]:.1f}" for path in _PATHS)] for case in _CASES]
    print(table(["ms a request", "the page", "its report", "its difference"], rows))
    for path, what in (("", "page"), ("/report.html", "report in it")):
        slowest = max(taken[case, path] for case in _CASES)
        yield Requirement(
            f"ms of a {what} with {_KEPT:,} kept results, at most {_MOST_MS}",
            f"{slowest:.1f}",
            slowest <= _MOST_MS,
        )


def _keep(file: Path) -> None:
    """Write the file, as the service does; the copies of a result by SQL, which takes seconds for all."""
    from checker_smtp import replay
    from checker_smtp.backends.recording.case import read_case
    from checker_smtp.service.results import CompletedCheck, ResultStore, owner_of

    async def keep() -> None:
        for case in _CASES:
            done = CompletedCheck(result=await replay(_FIXTURES / case), case=read_case(_FIXTURES / case))
            await results.keep(case, done, owner_of(_SECRET))

    # years, because the recordings are old
    results = ResultStore(file, days=36_500, octets=2**40)
    anyio.run(keep)
    results.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(_COPY, (_KEPT // len(_CASES), len(_CASES)))


def _measured(file: Path, case: str, path: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.results", str(file), case, path],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


# in the process that is measured


async def _get(app: "ASGIApp", path: str) -> int:
    """Request a page as its owner; return its octets."""
    octets = 0

    async def receive() -> "Message":
        await anyio.lowlevel.checkpoint()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: "Message") -> None:
        nonlocal octets
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"{path}: {message['status']}")
        octets += len(message.get("body", b""))

    cookie = f"checker_smtp_owner={_SECRET}".encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"cookie", cookie)],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
    }
    await app(scope, receive, send)
    return octets


async def _main(file: str, case: str, path: str) -> float:
    from checker_smtp.service.app import build
    from checker_smtp.service.settings import ServiceSettings

    app = build(ServiceSettings(store=Path(file), keep=36_500, keep_mib=2**20))
    chosen = random.Random(1).sample(range(2, _KEPT // len(_CASES) + 1), _FIRST + _REQUESTS)  # noqa: S311
    pages = [f"/check/results/{case}-{number}{path}" for number in chosen]
    for page in pages[:_FIRST]:
        await _get(app, page)
    begun = time.process_time()
    for page in pages[_FIRST:]:
        assert await _get(app, page) > 1000
    return 1000 * (time.process_time() - begun) / _REQUESTS


if __name__ == "__main__":
    print(anyio.run(_main, *sys.argv[1:]))
