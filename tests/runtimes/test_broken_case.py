"""A case that cannot be read is reported in one sentence, with the file and the line."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from checker_smtp.backends.recording.case import (
    CaseError,
    read_case,
)
from checker_smtp.probes.options import Options
from tests.runtimes.cases import HEADER

Break = Callable[[Path], object]


def put(name: str, text: str | bytes) -> Break:
    data = text.encode() if isinstance(text, str) else text
    return lambda folder: (folder / name).write_bytes(data)


def edit(name: str, old: str, new: str) -> Break:
    def do(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return do


def gone(name: str) -> Break:
    return lambda folder: (folder / name).unlink()


def moved(name: str, to: str) -> Break:
    return lambda folder: (folder / name).rename(folder / to)


OPTION_KEYS = ", ".join(field.name for field in fields(Options))
PARTS = "a case has case.toml, dns.jsonl, expected.json and a file for each connection"


RFC3339 = "give a time such as 2025-01-31T12:00:00Z (RFC 3339)"


DNS_KEYS = "name, rdtype, status, records, seconds, detail"
LONG = "9" * 5000


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            gone("case.toml"),
            f"/case.toml is missing: {PARTS}",
        ),
        (
            gone("dns.jsonl"),
            f"/dns.jsonl is missing: {PARTS}",
        ),
        (
            put("notes.txt", "x"),
            "/notes.txt does not belong to a case: connections are called as in 1-192.0.2.7.jsonl",
        ),
        (
            put("1-192.0.2.9.jsonl", "x"),
            "/1-192.0.2.9.jsonl has the number of 1-192.0.2.7.jsonl: give it another",
        ),
        (gone("2-192.0.2.8.jsonl"), " has no connection 2: number them from 1 to 2"),
        (
            moved("2-192.0.2.8.jsonl", "2-192.0.2.1.jsonl"),
            "/2-192.0.2.1.jsonl is a connection to another address: call it 2-192.0.2.8.jsonl",
        ),
        (
            put("2-192.0.2.8.jsonl", ""),
            "/2-192.0.2.8.jsonl: nothing is in it: delete the file, and number the others anew",
        ),
        (put("dns.jsonl", b"\xff"), "/dns.jsonl is no text in UTF-8"),
        (edit("case.toml", "seed = ", "seed "), "/case.toml, line 3: this is no TOML: "),
        (
            edit("case.toml", "seed = 9223372036854775807\n", ""),
            "/case.toml: Object missing required field `seed`",
        ),
        (edit("case.toml", "seed = ", 'seed = "x" #'), "/case.toml, line 3: seed: Expected `int`, got `str`"),
        (
            edit("case.toml", "2025-01-31T12:00:00Z", "yesterday"),
            f"/case.toml, line 2: run_at is 'yesterday': {RFC3339}",
        ),
        (
            edit("case.toml", "T12:00:00Z", "T12:00:00"),
            f"/case.toml, line 2: run_at is '2025-01-31T12:00:00': {RFC3339}",
        ),
        (
            edit("case.toml", "seconds = 1.5", "seconds = nan"),
            "/case.toml, line 4: seconds is nan: give the duration of the check",
        ),
        (
            edit("case.toml", "timeout = 0.001", "timeout = 0"),
            "/case.toml, line 10: timeout is 0: give seconds, more than 0, at most 3600",
        ),
        (
            edit("case.toml", "timeout =", "time ="),
            f"/case.toml, line 10: there is no 'time' here: the keys are {OPTION_KEYS}",
        ),
        (
            edit("case.toml", '"192.0.2.0/24"', "7"),
            "/case.toml, line 19: allow_targets[0]: Expected `str`, got `int`",
        ),
        (
            edit("case.toml", "[options]", "[option]"),
            "/case.toml: Object missing required field `domain`",
        ),
        (edit("dns.jsonl", "{", ""), "/dns.jsonl, line 1: this is no JSON: "),
        (
            edit("dns.jsonl", '{"name": "mx.test", "rdtype": "MX"', "[1]\n{"),
            "/dns.jsonl, line 2: give the keys",
        ),
        (
            edit("dns.jsonl", '"status": "answer"', '"status": "yes"'),
            "/dns.jsonl, line 2: status: Invalid enum value 'yes'",
        ),
        (
            edit("dns.jsonl", '"records": ["mx.test', '"record": ["mx.test'),
            f"/dns.jsonl, line 2: there is no 'record' here: the keys are {DNS_KEYS}",
        ),
        (
            edit("dns.jsonl", '"seconds": 0.25', '"seconds": NaN'),
            "/dns.jsonl, line 1: this is no JSON: invalid character",
        ),
        (put("dns.jsonl", "[" * 100_000), "/dns.jsonl, line 1: this is nested too deeply"),
        (
            edit("1-192.0.2.7.jsonl", '"receive"', '"data"'),
            "/1-192.0.2.7.jsonl, line 2: this is no transcript entry: ValueError(",
        ),
        (
            edit("1-192.0.2.7.jsonl", "0.094", "-1"),
            "/1-192.0.2.7.jsonl, line 2: at is -1.0: give seconds since the session began",
        ),
        (
            put("1-192.0.2.7.jsonl", "[" * 100_000),
            "/1-192.0.2.7.jsonl, line 1: this is no transcript entry: ",
        ),
        (put("expected.json", "[\n {]"), "/expected.json, line 2: this is no JSON: "),
        (
            put("expected.json", "{}"),
            '/expected.json: give a list of findings, each {"code": "…", "subject": "…"}',
        ),
        (put("expected.json", "[7]"), "/expected.json: give the keys code, subject here, not 7"),
        (
            put("expected.json", '[{"code": 1, "subject": ""}]'),
            "/expected.json: code: Expected `str`, got `int`",
        ),
        (
            put("expected.json", f"[{LONG}]"),
            "/expected.json, line 1: this is no JSON: Integer value out of range",
        ),
        (put("case.toml", f"seed = {LONG}"), "/case.toml: this is no TOML: "),
        (put("case.toml", "seed = " + "[" * 100_000), "/case.toml: this is nested too deeply"),
    ],
)
def test_broken_cases(folder: Path, broken: Break, message: str) -> None:
    broken(folder)
    with pytest.raises(CaseError) as raised:
        read_case(folder)
    assert str(raised.value).startswith(f"{folder}{message}")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_no_case_at_all(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"none is no case, which is a folder: No such file or directory$"):
        read_case(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(CaseError, match=r"file is no case, which is a folder: Not a directory$"):
        read_case(tmp_path / "file")


def test_a_file_that_is_a_folder(folder: Path) -> None:
    (folder / "dns.jsonl").unlink()
    (folder / "dns.jsonl").mkdir()
    with pytest.raises(CaseError, match=r"dns.jsonl cannot be read: Is a directory$"):
        read_case(folder)


def test_hidden_files_are_overlooked(folder: Path) -> None:
    (folder / ".gitkeep").write_text("")
    assert read_case(folder).seed == HEADER.seed
