"""The commands on the summary's page are run as they stand there, and print the domains that it counts."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard

from checker_smtp.report.summary.panels import Row
from checker_smtp.report.summary.tally import Tally
from checker_smtp.report.summary.view_model import Summary, build_summary
from tests.report.results import FIXTURES, NASTY, finding, replayed
from tests.report.scan_lines import checked, line, not_checked, speaking
from tests.report.test_software import GREETINGS, NOBODYS

# A row tells a command where it has more domains than are named.
TIMES = 6


@pytest.fixture(autouse=True)
def tools() -> None:
    for tool in ("jq", "gzip", "zstd"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt-get install {tool}")


def results() -> bytes:
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


def read_summary(text: bytes, path: str) -> Summary:
    tally = Tally()
    for one in text.splitlines(keepends=True):
        tally.add(one)
    return build_summary(tally, path)


def rows(summary: Summary) -> list[Row]:
    return [row for panel in (summary.verdicts, *summary.findings, *summary.servers) for row in panel.rows]


def listed(command: str, folder: Path) -> list[str]:
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), command
    return done.stdout.splitlines()


def number(row: Row) -> int:
    return int(row.count.partition(" ")[0].replace(",", ""))


def test_every_command_lists_as_many_as_the_page_tells(tmp_path: Path) -> None:
    text = results()
    (tmp_path / "r.jsonl").write_bytes(text)
    summary = read_summary(text, "r.jsonl")
    assert not summary.warnings
    assert len(rows(summary)) > 80
    for row in rows(summary):
        found = listed(row.command, tmp_path)
        assert len(found) == number(row), row.command
        if ": It is no name." not in row.samples[0] and "\\" not in row.samples[0]:
            assert tuple(found[: len(row.samples)]) == row.samples


@pytest.mark.parametrize("name", ["my r.jsonl.gz", "it's.jsonl.zst", "-r.jsonl"])
def test_from_every_kind_of_file(tmp_path: Path, name: str) -> None:
    text = results()
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(Path(name).suffix, bytes)
    (tmp_path / name).write_bytes(pack(text))
    for row in read_summary(text, name).verdicts.rows:
        assert len(listed(row.command, tmp_path)) == number(row)


def test_from_a_file_with_broken_lines(tmp_path: Path) -> None:
    broken = b'{"version": 1, "obser\n3\n{"observation": 5, "status": "ok"}\n'
    text = broken + results() + broken
    (tmp_path / "r.jsonl").write_bytes(text)
    summary = read_summary(text, "r.jsonl")
    assert summary.warnings
    for row in [*summary.verdicts.rows, *(panel.rows[0] for panel in (*summary.findings, *summary.servers))]:
        assert len(listed(row.command, tmp_path)) == number(row), row.command


@pytest.mark.parametrize("name", ["my parts", "-parts.gz", "parts.zst"])
def test_from_a_folder_of_parts(tmp_path: Path, name: str) -> None:
    text = results()
    packed, pack = {".gz": (".gz", gzip.compress), ".zst": (".zst", zstandard.compress)}.get(
        Path(name).suffix, ("", bytes)
    )
    (tmp_path / name).mkdir()
    for number_of_part, lines in enumerate((text[: text.index(b"\n") + 1], text[text.index(b"\n") + 1 :])):
        (tmp_path / name / f"part-{number_of_part:05}.jsonl{packed}").write_bytes(pack(lines))
    for row in read_summary(text, f"{name}/").verdicts.rows:
        assert len(listed(row.command, tmp_path)) == number(row)
