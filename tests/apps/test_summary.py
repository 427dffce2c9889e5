"""`checker-smtp summary` as its user has it: lines in, a page out, one sentence where that cannot be."""

import gzip
import subprocess
from pathlib import Path

import pytest
import zstandard

from tests.apps.command import environment, invocation, run
from tests.report.page import faults, parse, words
from tests.report.scan_lines import checked, not_checked

LINES = b"".join(checked(f"d{n}.example") for n in range(8)) + not_checked("exa mple")


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz", "r.jsonl.zst"])
def test_a_page_of_a_file(tmp_path: Path, name: str) -> None:
    pack = {"jsonl": bytes, "gz": gzip.compress, "zst": zstandard.compress}[name.rpartition(".")[2]]
    (tmp_path / name).write_bytes(pack(LINES))
    done = run("summary", name, "-o", "page.html", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "", "")
    page = (tmp_path / "page.html").read_text()
    assert faults(page) == []
    text = words(parse(page))
    assert "8 domains" in text
    assert "Not checked1" in text
    assert f"checker-smtp summary {name} --list status:ok" in text
    names = "".join(f"d{n}.example\n" for n in range(8))
    assert run("summary", name, "--list", "status:ok", cwd=tmp_path).out == names
    assert run("summary", name, cwd=tmp_path).out == page


def test_a_page_of_standard_input() -> None:
    done = subprocess.run(
        invocation("summary", "-"),
        input=LINES + LINES[:100],
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    text = words(parse(done.stdout.decode()))
    assert "standard input" in text
    assert "The last line is half-written" in text


def test_a_file_that_a_killed_scan_left(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(gzip.compress(LINES)[:-200])
    done = run("summary", path)
    assert done.code == 0
    assert "half-written" in words(parse(done.out))


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").touch()
    done = run("summary", tmp_path / "r.jsonl")
    assert (done.code, done.err) == (0, "")
    assert "No domain was checked." in words(parse(done.out))


def test_results_that_cannot_be_summarised(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(LINES)
    (tmp_path / "other.txt").write_text("root:x:0:0\n\x1b[31mred\n")
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(LINES) + b"and more")
    (tmp_path / "pipe").symlink_to("r.jsonl")
    for arguments, sentence in {
        ("nothing.jsonl",): "'nothing.jsonl' cannot be read: No such file or directory",
        (".",): "'.' cannot be summarised: the folder has no results",
        ("other.txt",): "'other.txt' cannot be summarised: it has no result of a check (line 1: ",
        ("r.jsonl.gz",): "'r.jsonl.gz' is damaged near octet ",
        ("r.jsonl", "--list", "colour:red"): "'colour:red' cannot be listed: there is no such group",
        ("r.jsonl", "--list", "smtp.x", "-o", "r.jsonl"): "cannot be overwritten",
        ("r.jsonl", "-o", "r.jsonl"): "cannot be overwritten: it has the results. Give another file",
        ("pipe", "-o", "r.jsonl"): "'r.jsonl' cannot be overwritten",
        ("r.jsonl", "-o", "no/page.html"): "cannot be written",
        (): "Missing argument 'RESULTS'",
    }.items():
        done = run("summary", *arguments, cwd=tmp_path)
        assert (done.code, done.out) == (3, ""), arguments
        assert sentence in done.err
        assert done.err.count("\n") == 1
        assert "\x1b" not in done.err
    assert (tmp_path / "r.jsonl").read_bytes() == LINES
