"""The commands on the summary's page, as they stand there, list the domains that it counts."""

import gzip
import os
import shlex
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner

from checker_smtp.cli.commands.summary import summary
from checker_smtp.probes.rules import Severity
from checker_smtp.report.summary.panels import Row
from checker_smtp.report.summary.view_model import build_summary
from tests.report.results import FIXTURES, NASTY, finding, replayed
from tests.report.scan_lines import checked, line, not_checked, speaking, tallied
from tests.report.test_software import GREETINGS, NOBODYS

# A row has a command where it has more domains than samples.
TIMES = 6


@pytest.fixture(scope="module")
def results() -> bytes:
    """Lines of every kind, each several times."""
    lines = [line(replayed(folder)) for folder in FIXTURES]
    greetings = [*(greeting for greeting, _, _ in GREETINGS), *NOBODYS]
    for number, greeting in enumerate(greetings):
        lines.append(checked(f"g{number}.example", endpoints=(speaking(greeting),)))
    lines += [
        checked("own.example", targets=("mx.own.example",)),
        checked("not-own.example", targets=("mx.not-own.example", "own.example.other.example")),
        checked("suffix.example", targets=("com", "192.0.2.1", "[2001:db8::1]")),
        checked("upper.example", targets=("MX.Example.COM",)),
        checked("hostile.example", finding(f"x{NASTY}"[:95]), endpoints=(speaking("mx", tls=NASTY[:90]),)),
        not_checked("exa mple"),
        not_checked("b.example", f"x{NASTY}"[:95], NASTY),
    ]
    return b"".join(lines) * TIMES


def rows(text: bytes, path: str) -> list[Row]:
    page = build_summary(tallied(*text.splitlines(keepends=True)), path)
    return [row for panel in (page.verdicts, *page.findings, *page.servers) for row in panel.rows]


def listed(command: str) -> list[str]:
    """Return the lines that a command on the page prints."""
    program, name, *arguments = shlex.split(command)
    assert (program, name) == ("checker-smtp", "summary")
    done = CliRunner().invoke(summary, arguments, standalone_mode=False, catch_exceptions=False)
    assert (done.return_value, done.stderr) == (None, ""), command
    return done.stdout.splitlines()


def number(row: Row) -> int:
    return int(row.count.partition(" ")[0].replace(",", ""))


@pytest.mark.slow
def test_every_command_lists_as_many_as_the_page_counts(
    results: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    broken = b'{"version": 1, "obser\n3\n{"observation": 5, "status": "ok"}\n'
    Path("r.jsonl").write_bytes(broken + results + broken)
    found = rows(results, "r.jsonl")
    assert len(found) > 80
    for row in found:
        names = listed(row.command)
        assert len(names) == number(row), row.command
        assert tuple(names[: len(row.samples)]) == row.samples


@pytest.mark.parametrize("name", ["my r.jsonl.gz", "it's.jsonl.zst", "-r.jsonl"])
def test_from_every_kind_of_file(
    results: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(Path(name).suffix, bytes)
    Path(name).write_bytes(pack(results))
    for row in rows(results, name)[:5]:
        assert len(listed(row.command)) == number(row)


def test_from_a_folder_of_parts(results: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("-parts.gz")  # noqa: PTH102
    end = results.index(b"\n") + 1
    for index, lines in enumerate((results[:end], results[end:])):
        Path(f"-parts.gz/part-{index:05}.jsonl.gz").write_bytes(gzip.compress(lines))
    for row in rows(results, "-parts.gz/")[:5]:
        assert len(listed(row.command)) == number(row)


def test_a_code_alone_is_listed_with_any_severity(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    softer = finding("smtp.open_relay", Severity.WARN)
    path.write_bytes(checked("a.example", finding()) + checked("b.example", softer) + checked("c.example"))
    assert listed(f"checker-smtp summary {path} --list smtp.open_relay") == ["a.example", "b.example"]
    assert listed(f"checker-smtp summary {path} --list warn:smtp.open_relay") == ["b.example"]
