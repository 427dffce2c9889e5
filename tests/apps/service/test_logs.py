"""A record of the log is one line, whatever text it contains."""

import json
import logging
from collections.abc import Iterator
from typing import NoReturn

import pytest

from checker_smtp.service import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before
    for name in ("checker_smtp", "uvicorn"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def fail() -> NoReturn:
    raise ValueError("first\r\nsecond\u2028\x1b[31mthird")


def log_something() -> None:
    logger = logging.getLogger("checker_smtp.test")
    logger.info("one %s", "a\nb\x1b[31m", extra={"fields": {"client": "x\ny", "status": 200}})
    try:
        fail()
    except ValueError:
        logger.exception("two")


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=False)
    log_something()
    written = capsys.readouterr().err
    lines = written.split("\n")
    assert lines[0].endswith("Z INFO one a\\nb\\x1b[31m")
    assert lines[1].endswith("Z ERROR two")
    assert lines[-1] == ""
    assert all(line.startswith("  ") for line in lines[2:-1])
    assert not any(mark in written for mark in "\x1b\r\u2028")


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=True)
    log_something()
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "checker_smtp.test",
        "message": "one a\\nb\\x1b[31m",
        "client": "x\ny",
        "status": 200,
    }
    assert (second["level"], second["message"]) == ("error", "two")
    assert second["traceback"][0].startswith("Traceback")


def test_uvicorn_is_heard_where_something_broke(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=False)
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("broken")
    logging.getLogger("asyncio").warning("odd")
    written = capsys.readouterr().err
    assert [line.split(" ", 1)[1] for line in written.splitlines()] == [
        "ERROR broken",
        "WARNING odd",
    ]
