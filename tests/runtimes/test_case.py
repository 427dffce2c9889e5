"""A case that is written and read again is equal; none is written over something else."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from checker_smtp.backends.recording.case import (
    Case,
    CaseError,
    read_case,
    require_empty,
    write_case,
)
from tests.runtimes.cases import ANSWERS, HEADER, same


def test_round_trip(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "case"
    write_case(folder, case)
    assert sorted(path.name for path in folder.iterdir()) == [
        "1-192.0.2.7.jsonl",
        "2-192.0.2.8.jsonl",
        "3-2001_db8__7.jsonl",
        "case.toml",
        "dns.jsonl",
        "expected.json",
    ]
    assert same(read_case(folder), case)
    again = tmp_path / "again"
    write_case(again, read_case(folder))
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_what_is_written(case: Case, tmp_path: Path) -> None:
    write_case(tmp_path, case)
    assert (
        (tmp_path / "case.toml")
        .read_text()
        .startswith(
            'version = "0.1.0"\n'
            'run_at = "2025-01-31T12:00:00Z"\n'
            "seed = 9223372036854775807\n"
            "seconds = 1.5\n"
            'resolver = "192.0.2.53"\n'
            "format = 1\n"
            "\n"
            "[options]\n"
            'domain = "mx.test"\n'
            "timeout = 0.001\n"
            'helo_name = "mx-checker.happydomain.org"\n'
            "test_null_sender = true\n"
            "test_postmaster = true\n"
            "test_open_relay = true\n"
            'test_probe_address = "postmaster@example.com"\n'
            "port = 25\n"
            "ipv4 = true\n"
            "ipv6 = false\n"
            'allow_targets = [\n    "192.0.2.0/24",\n    "2001:db8::/32",\n]\n'
        )
    )
    assert (tmp_path / "dns.jsonl").read_text().splitlines()[1] == (
        '{"name": "mx.test", "rdtype": "MX", "status": "answer", '
        '"records": ["mx.test. 1 IN MX 0 ."], "seconds": 0.0, "detail": ""}'
    )
    assert (tmp_path / "expected.json").read_text() == (
        "[\n"
        '  {"code": "smtp.mx.none", "subject": ""},\n'
        '  {"code": "smtp.open_relay", "subject": "192.0.2.7:25"}\n'
        "]\n"
    )


def test_a_case_without_anything(tmp_path: Path) -> None:
    empty = Case.from_header(HEADER, (), (), ())
    write_case(tmp_path, empty)
    assert same(read_case(tmp_path), empty)


@pytest.mark.parametrize("text", ['"', "\\", "\x7f", "\n", "\x00", "\U0001f4ec", "\u00fc", "# ="])
def test_any_text_survives_toml(text: str, tmp_path: Path) -> None:
    write_case(tmp_path, Case.from_header(replace(HEADER, resolver=text), (), (), ()))
    assert read_case(tmp_path).resolver == text


def test_answers_are_sorted_and_repeated_questions_keep_their_order(case: Case, tmp_path: Path) -> None:
    write_case(tmp_path, Case.from_header(HEADER, (ANSWERS[2], ANSWERS[1], ANSWERS[3], ANSWERS[0]), (), ()))
    assert read_case(tmp_path).dns == ANSWERS


def test_a_place_for_a_case(folder: Path, tmp_path: Path) -> None:
    require_empty(tmp_path / "a" / "b" / "c")
    assert not (tmp_path / "a").exists()
    (tmp_path / "empty").mkdir()
    require_empty(tmp_path / "empty")
    with pytest.raises(CaseError, match=r"case is not empty: name a folder that is, or does not exist yet$"):
        require_empty(folder)
    file = folder / "case.toml"
    for path in (file, file / "below"):
        with pytest.raises(
            CaseError, match=r"case.toml is a file: name a folder that is empty, or does not exist"
        ):
            require_empty(path)


def test_a_place_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CaseError, match=r"cannot be written to: name another folder$"):
        require_empty(tmp_path / "new")


def test_what_cannot_be_written_whole_is_not_written(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_text = Path.write_text

    def full(self: Path, text: str, encoding: str, newline: str) -> int:
        if self.name == "dns.jsonl":
            raise OSError(28, "whatever")
        return write_text(self, text, encoding=encoding, newline=newline)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(CaseError, match=r"could not be written: No space left on device$"):
        write_case(tmp_path, case)
    assert list(tmp_path.iterdir()) == []
