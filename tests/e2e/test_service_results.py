"""Kept results over real sockets: after kill -9, in unusable files, and what a program is refused."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from checker_smtp.history.schema import APPLICATION_ID
from checker_smtp.history.store import History
from tests.e2e.conftest import Tool
from tests.e2e.lab import Lab
from tests.e2e.lab.table import PROBE, domain
from tests.e2e.served import IN_THE_LAB, Answer, Served, served

CHECKS = "/api/v1/checks"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def started(here: Served, query: str = "?wait=60") -> tuple[Answer, str]:
    """Check a domain; return the response and the name of the result."""
    answer = here.ask("POST", CHECKS + query, {"domain": domain("healthy")}, JSON)
    return answer, answer.headers["location"].removeprefix("checks/")


def test_a_result_that_was_shown_is_there_after_kill_9(lab: Lab, tmp_path: Path) -> None:
    options = (*IN_THE_LAB, "--helo-name", PROBE, "--store", str(tmp_path / "results.sqlite"))
    with served(*options) as here:
        answer, name = started(here)
        here.process.send_signal(signal.SIGKILL)
        here.wait()
    assert answer.status == 200
    with served(*options) as again:
        page = again.ask("GET", f"/check/results/{name}")
        document = again.ask("GET", f"/check/results/{name}/report.json")
        # the next one finds the file as usable as it was
        assert started(again)[0].status == 200
    assert page.status == 200
    assert document.body == answer.body


def another_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE moz_places (id INTEGER)")
    connection.close()


def newer_schema(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def no_database(path: Path) -> None:
    path.write_text("These are my notes. " * 100)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (another_program, "it is a database of another program"),
        (newer_schema, "it has version 99"),
        (no_database, "it is no file of SQLite"),
        (Path.mkdir, "is a directory"),
    ],
)
def test_a_file_that_is_no_store_ends_the_start(
    tool: Tool, tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "results.sqlite"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    run = tool("serve", "--listen", "127.0.0.1:0", "--store", path, offline=True)
    assert run.code == 3
    assert reason in run.err
    assert str(path) in run.err
    assert len(run.err.splitlines()) == 1
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose exception from permissions is dropped")
def test_a_read_only_store_ends_the_start(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    History(path).close()
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    run = subprocess.run(
        [
            *("setpriv", "--bounding-set", "-dac_override,-dac_read_search"),
            *(sys.executable, "-m", "checker_smtp", "serve", "--listen", "127.0.0.1:0", "--store", path),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 3
    assert "it is read-only" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_each_refusal_has_its_status_and_one_sentence(lab: Lab) -> None:
    body = b'{"domain": "healthy.e2e.test"}'
    with served(*IN_THE_LAB, "--helo-name", PROBE) as here:
        first, name = started(here)
        refused = {
            "404": here.ask("GET", f"{CHECKS}/unknown"),
            "404 of a deletion": here.ask("DELETE", f"{CHECKS}/unknown"),
            "415": here.ask("POST", CHECKS, body, FORM),
            "415 without a type": here.ask("POST", CHECKS, body),
            "400 of no JSON": here.ask("POST", CHECKS, b"domain=example.org", JSON),
            "403": here.ask("DELETE", f"{CHECKS}/{name}"),
            **{
                f"400 {wait}": here.ask("POST", f"{CHECKS}?wait={wait}", body, JSON)
                for wait in ("-1", "111", "1e1", "soon", "9" * 5000, "", "%C2%B2", "1&wait=2000")
            },
        }
        page = here.ask("GET", "/check/results/unknown")
        cookie = first.headers["set-cookie"].partition(";")[0]
        deleted = here.ask("DELETE", f"{CHECKS}/{name}", headers={"Cookie": cookie})
        gone = here.ask("GET", f"{CHECKS}/{name}")
        assert "Traceback" not in here.log
    for what, answer in refused.items():
        assert (what, answer.status) == (what, int(what[:3]))
        assert list(answer.json()) == ["error"]
    assert page.status == 404
    assert page.headers["content-type"].startswith("text/html")
    assert b"This result does not exist" in page.body
    assert (deleted.status, gone.status) == (204, 404)
