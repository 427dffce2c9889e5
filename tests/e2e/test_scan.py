"""Scans of the lab: their results, lists and outputs, and usage errors."""

import gzip
import json
import re
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from checker_smtp.report.document import load
from tests.apps.scan.comparing import comparable
from tests.e2e.conftest import ASKED, Run, Tool
from tests.e2e.lab import Lab
from tests.e2e.lab.table import DEAD_RESOLVER, MANY, POSTURES, RESOLVER, SHAPES, domain, many
from tests.e2e.scans import BRISK, arguments, domains, lines, listed

ALL = [*(posture.domain for posture in POSTURES), *map(domain, SHAPES), *many(6), "example.com"]


@pytest.fixture
def scan(lab: Lab, tool: Tool) -> Tool:
    """`checker-smtp scan LIST -o RESULTS` with what it needs to find the lab."""

    def run(names: Path | str, results: Path | str, *more: str | Path) -> Run:
        return tool(*arguments(names, results, *BRISK, *more))

    return run


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_each_result_equals_that_of_check(scan: Tool, check: Tool, tmp_path: Path, backend: str) -> None:
    run = scan(listed(tmp_path, ALL), tmp_path / "r.jsonl", "--backend", backend)
    assert run.code == 0, run.err
    found = {line["observation"]["domain"]: json.dumps(line) for line in lines(tmp_path / "r.jsonl")}
    assert set(found) == set(ALL)
    for name in ALL:
        alone = check(name, "--format", "json", "--backend", backend)
        assert comparable(load(found[name])) == comparable(load(alone.out))


def test_one_session_for_many_domains(scan: Tool, lab: Lab, tmp_path: Path) -> None:
    before = lab.maillog.read_text().count(": connect from ")
    run = scan(listed(tmp_path, many(60)), tmp_path / "r.jsonl")
    assert run.err.startswith("60 domains, 3 connections: ")
    assert {"20 critical", "20 warning", "20 info"} == set(re.findall("20 [a-z]+", run.err))
    assert run.err.endswith(f"; in {tmp_path / 'r.jsonl'}\n")
    assert lab.maillog.read_text().count(": connect from ") == before + len(MANY)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("more", [[], ["--in-order"]])
def test_where_the_lines_go(scan: Tool, tmp_path: Path, suffix: str, more: list[str]) -> None:
    names = ["Bad Name", *many(30), *many(5), "nx.e2e.test"]
    results = tmp_path / f"r{suffix}"
    assert scan(listed(tmp_path, names), results, *more).code == 0
    wanted = ["Bad Name", *many(30), "nx.e2e.test"]
    assert sorted(domains(results)) == sorted(wanted)
    if more:
        assert domains(results) == wanted


def test_lists_of_all_kinds(scan: Tool, tmp_path: Path) -> None:
    table = tmp_path / "t.csv.gz"
    rows = ["\ufeffid,domain", "1,healthy.e2e.test", '2,"HEALTHY.e2e.test."', "3,", '4,"openrelay.e2e.test"']
    table.write_bytes(gzip.compress("\r\n".join(rows).encode()))
    assert scan(table, tmp_path / "r.jsonl", "--column", "domain").code == 0
    assert set(domains(tmp_path / "r.jsonl")) == {"healthy.e2e.test", "openrelay.e2e.test"}


def test_standard_input(lab: Lab, tmp_path: Path) -> None:
    results = tmp_path / "r.jsonl"
    names = "".join(f"{name}\n" for name in many(20)).encode()
    ran = partial(subprocess.run, input=names, capture_output=True, timeout=60, check=False)
    command = [sys.executable, "-m", "checker_smtp", *arguments("-", results, *BRISK)]
    assert ran(command).returncode == 0
    whole = results.read_bytes()
    results.write_bytes(whole[: len(whole) // 2])
    assert ran([*command, "--resume"]).returncode == 0
    assert sorted(domains(results)) == sorted(many(20))
    other = ran([*command, "--resume"], input=names + b"x.test\n")
    assert other.returncode == 3
    assert b"has the results of another list" in other.stderr


def test_the_summary(scan: Tool, tool: Tool, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert scan(listed(tmp_path, many(9)), tmp_path / "r.jsonl.gz", "--summary", page).code == 0
    assert page.read_text() == tool("summary", tmp_path / "r.jsonl.gz").out.decode()
    assert "9 domains" in page.read_text()


def test_a_dry_run_sends_nothing(tool: Tool, tmp_path: Path) -> None:
    """Not even a question, whatever else is given."""
    stop = tmp_path / "stop"
    stop.write_text("d1.many1.e2e.test # asked us to\n")
    names = listed(tmp_path, [*many(50), "a b"])
    run = tool(*arguments(names, tmp_path / "r.jsonl", "--dry-run", "--exclude-file", stop), offline=True)
    assert (run.code, run.err) == (0, "")
    assert b"49 domains to check; 1 invalid and 1 excluded names" in run.out
    assert not (tmp_path / "r.jsonl").exists()


def test_exclusions(scan: Tool, lab: Lab, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    stop.write_text("\ufeff# networks\n127.9.1.12/32\nnx.e2e.test\n")
    names = listed(tmp_path, ["nostarttls.e2e.test", "healthy.e2e.test", "nx.e2e.test"])
    scan(names, tmp_path / "r.jsonl", "--exclude-file", stop)
    found = {
        line.get("domain", line.get("observation", {}).get("domain")): line
        for line in lines(tmp_path / "r.jsonl")
    }
    assert found["nx.e2e.test"]["not_checked"] == "stop-list"
    assert found["nostarttls.e2e.test"]["status"] == "unknown"
    assert found["healthy.e2e.test"]["status"] == "info"


# errors: one message, exit code 3, and nothing is overwritten


def refused(run: Run, *words: str) -> None:
    assert run.code == 3
    assert run.err.startswith("checker-smtp: ")
    assert run.err.count("\n") == 1
    assert all(word in run.err for word in words), run.err


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    results = tmp_path / "precious.jsonl"
    results.write_text("precious\n")
    return results


def test_results_that_exist(scan: Tool, tmp_path: Path, precious: Path) -> None:
    names = listed(tmp_path, many(3))
    refused(scan(names, precious), "Continue that scan with --resume, overwrite the file with --force")
    refused(scan(names, precious, "--resume"), "is missing or unreadable")
    assert precious.read_text() == "precious\n"
    assert scan(names, precious, "--force").code == 0
    assert sorted(domains(precious)) == sorted(many(3))
    refused(scan(names, precious, "--resume", "--timeout", "7"), "other options (timeout was 12.0)")
    refused(scan(listed(tmp_path, many(4)), precious, "--resume"), "has the results of another list")
    assert sorted(domains(precious)) == sorted(many(3))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--resolver", DEAD_RESOLVER], "the resolver cannot be used"),
        (["--column", "domain"], "no column 'domain'"),
        (["--concurrency", "0"], "concurrency is 0: give a number, at least 1"),
        (["--concurrency", "99999999"], "give at most"),
        (["--delay", "nan"], "delay is nan: give seconds"),
        (
            ["--exclude-file", "/nowhere"],
            "the exclude file '/nowhere' cannot be read: No such file or directory",
        ),
        (["--summary", "/nowhere/page.html"], "'/nowhere/page.html' cannot be written"),
        (["--resolver", "example.com"], "'example.com' is not a resolver"),
        (["--timeout", "0"], "timeout is 0"),
    ],
)
def test_usage_errors(
    tool: Tool, lab: Lab, tmp_path: Path, precious: Path, more: list[str], words: str
) -> None:
    resolver = [] if "--resolver" in more else ["--resolver", RESOLVER]
    names = listed(tmp_path, many(3))
    refused(tool("scan", names, "-o", precious, "--force", *ASKED, *resolver, *more), words)
    assert precious.read_text() == "precious\n"


def test_lists_and_results_that_cannot_be_used(tool: Tool, tmp_path: Path) -> None:
    """Before anything is sent."""
    names = listed(tmp_path, many(3))
    run = partial(tool, "scan", offline=True)
    refused(run(tmp_path / "none", "-o", tmp_path / "r"), "none' cannot be read: No such file or directory")
    refused(run(tmp_path, "-o", tmp_path / "r"), "cannot be read: Is a directory")
    # a regular file that even root cannot read
    refused(run("/proc/self/mem", "-o", tmp_path / "r"), "cannot be read: Input/output error")
    refused(run(names), "the results have no file")
    refused(run(names, "-o", names, "--force"), "cannot be used twice")
    refused(run(names, "-o", tmp_path / "s", "--summary", tmp_path / "s"), "cannot be used twice")
    refused(run(names, "-o", "-"), "--resume needs a file")
    refused(run(names, "-o", tmp_path), "is a folder: give the name of a file")
    refused(run(names, "-o", "x" * 300), "File name too long")
    assert names.read_text().split() == many(3)


def test_a_full_disk(scan: Tool, lab: Lab, tmp_path: Path) -> None:
    """No file may have more than 200,000 octets there, which is what a full disk looks like to one file."""
    names, results = listed(tmp_path, many(120)), tmp_path / "r.jsonl"
    command = [sys.executable, "-m", "checker_smtp", *arguments(names, results, *BRISK)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    run = Run(done.returncode, b"", done.stderr)
    refused(run, "cannot be written: File too large. The lines so far are kept.", "--resume")
    before = domains(results)
    assert 5 < len(before) < 120
    assert scan(names, results, "--resume").code == 0
    assert domains(results)[: len(before)] == before
    assert sorted(domains(results)) == sorted(many(120))
