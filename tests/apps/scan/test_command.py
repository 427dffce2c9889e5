"""`checker-smtp scan`, as far as it comes without a network."""

from pathlib import Path

import pytest

from tests.apps.command import Run, run


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names"
    path.write_text("a.test\nb.test\nA.test\nno name\nc.test\n")
    return path


def refusal(done: Run) -> str:
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("checker-smtp: ")
    assert done.err.count("\n") == 1
    return done.err


def test_dry_run_with_other_options(names: Path, tmp_path: Path) -> None:
    (tmp_path / "stop").write_text("c.test\n")
    results = tmp_path / "r.jsonl"
    done = run("scan", names, "--dry-run", "-o", results, "--force", "--exclude-file", tmp_path / "stop")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("2 domains to check; 1 invalid and 1 excluded names are only reported.\n")
    assert not results.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["none", "-o", "r"], "'none' cannot be read: No such file or directory"),
        ([".", "-o", "r"], "'.' cannot be read: Is a directory"),
        (["names"], "the results have no file: give one, as in -o results.jsonl"),
        (
            ["names", "-o", "names", "--force"],
            "'names' cannot be used twice",
        ),
        (
            ["names", "-o", "r", "--exclude-file", "./r"],
            "'r' cannot be used twice",
        ),
        (
            ["names", "-o", "r", "--summary", "r"],
            "'r' cannot be used twice",
        ),
        (["names", "-o", "-"], "results cannot be standard output: --resume needs a file"),
        (["names", "-o", "."], "is a folder"),
        (["names", "-o", "r", "--column", "x"], "the list has no column 'x': its first line names a.test"),
        (
            ["names", "-o", "r", "--exclude-file", "names"],
            "'no name' is neither a domain nor a network",
        ),
        (
            ["names", "-o", "r", "--per-session", "0"],
            "checker-smtp: --per-session is 0: give a number",
        ),
        (["names", "-o", "r", "--resolver", "x"], "'x' is not a resolver"),
        (
            ["names", "-o", "there"],
            "cannot be written: the file exists. Continue that scan with --resume",
        ),
        (["names", "-o", "there", "--resume"], "'there' cannot be continued: 'there.scan'"),
    ],
)
def test_usage_errors(names: Path, tmp_path: Path, given: list[str], words: str) -> None:
    (tmp_path / "there").write_text("precious")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    resolver = [] if "--resolver" in given else ["--resolver", "192.0.2.53"]
    # without a name the scan would look for the one of this machine
    resolver += ["--helo-name", "probe.test"]
    assert words in refusal(run("scan", *given, *resolver, cwd=tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_empty_standard_input(tmp_path: Path) -> None:
    assert run("scan", "-", "--dry-run", cwd=tmp_path).out.startswith("0 domains to check")
