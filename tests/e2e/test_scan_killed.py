"""A scan that is killed or interrupted, with and without a terminal; and continued."""

import os
import pty
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from checker_smtp.lines import repair
from checker_smtp.report.document import load
from checker_smtp.scan.output.manifest import ScanManifest
from tests.e2e.lab import Lab
from tests.e2e.lab.table import domain, many
from tests.e2e.scans import BRISK, domain_of, domains, lines, listed, scanning
from tests.e2e.test_interrupt import HIDE_CURSOR, SHOW_CURSOR, read_until

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
# Few domains to a session and a pause, so that there is something left to kill.
SLOW = ["--per-session", "2", "--delay", "0.1", "--retry-delay", "0.1"]
KILLS = 10
MANY = 500


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_killed_at_any_moment_no_domain_is_lost_or_duplicated(lab: Lab, tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    names, results = listed(tmp_path, many(MANY)), folder / f"r{suffix}"
    backend = "trio" if suffix.endswith(".gz") else "asyncio"
    chance = random.Random(suffix)  # noqa: S311 - moments, not secrets
    grew = 0
    before: list[str] = []
    for _ in range(KILLS):
        # as soon as the scan has begun, or after its next lines: up to 20 kB of them
        grown = chance.choice((0, *(chance.randrange(1, 20_000) for _ in range(3))))
        with scanning(names, results, *SLOW, "--resume", "--backend", backend) as process:
            if grown:
                wait_for_growth(process, results, grown if suffix == ".jsonl" else 1)
            else:
                wait_for(process, ScanManifest.path_of(results).exists)
            process.kill()
            _, err = process.communicate()
        assert (process.returncode, err) == (-signal.SIGKILL, b"")
        found = kept(results)
        assert found[: len(before)] == before
        grew += len(found) > len(before)
        before = found
    assert grew > KILLS // 2
    assert len(before) < MANY
    finish(names, results, backend)
    assert domains(results)[: len(before)] == before


def size_of(results: Path) -> int:
    return results.stat().st_size if results.exists() else 0


def kept(results: Path) -> list[str]:
    """Return the domains that the next scan keeps, without changing the results."""
    if not results.exists():
        return []
    copy = results.with_name(f".copy-{results.name}")
    shutil.copyfile(results, copy)
    repair(copy)
    return domains(copy)


def wait_for(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    """Wait until something has happened; the process must not end before."""
    deadline = time.monotonic() + 60
    while not happened():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


def wait_for_growth(process: subprocess.Popen[bytes], results: Path, octets: int = 1) -> None:
    """Wait until this many octets were written behind those that the scan keeps."""
    size = size_of(results)
    if kept(results):
        # the scan cuts off a half-written end first
        size = size_of(results.with_name(f".copy-{results.name}"))
    wait_for(process, lambda: size_of(results) >= size + octets)


def finish(names: Path, results: Path, *backend: str) -> None:
    """Continue to the end; require a readable line for every name."""
    with scanning(names, results, *BRISK, "--resume", *(f"--backend={name}" for name in backend)) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    wanted = names.read_text().split()
    assert sorted(domains(results)) == sorted(wanted)
    assert {path.name for path in results.parent.iterdir() if not path.name.startswith(".")} >= {
        results.name,
        f"{results.name}.scan",
    }
    for line in lines(results)[::100]:
        assert domain_of(line) in wanted


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_half_written_last_line_is_repaired(lab: Lab, tmp_path: Path, suffix: str) -> None:
    names, results = listed(tmp_path, many(30)), tmp_path / f"r{suffix}"
    finish(names, results)
    whole = results.read_bytes()
    results.write_bytes(whole[: len(whole) * 2 // 3])
    before = kept(results)
    assert 5 < len(before) < 30
    finish(names, results)
    assert domains(results)[: len(before)] == before


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_finishes_and_says_how_to_continue(
    lab: Lab, tmp_path: Path, number: signal.Signals, backend: str
) -> None:
    names, results = listed(tmp_path, many(MANY)), tmp_path / "r.jsonl"
    with scanning(names, results, *SLOW, "--backend", backend) as process:
        wait_for_growth(process, results)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    lines_printed = err.decode().split("\n")
    assert lines_printed[1] == "Finishing the open sessions. Press Ctrl-C again to stop at once."
    assert lines_printed[3:] == [
        "checker-smtp: interrupted; repeat the command with --resume to continue",
        "",
    ]
    done = lines(results)
    assert results.read_bytes().endswith(b"\n")
    assert 0 < len(done) < MANY
    assert lines_printed[2].startswith(f"{len(done)} domains, ")
    # the sessions that were open were finished
    assert all(load(line).status != "unknown" for line in results.read_bytes().splitlines())
    finish(names, results, backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_interrupted_twice_it_ends_at_once(silence: socket.socket, tmp_path: Path, backend: str) -> None:
    names, results = listed(tmp_path, [domain("silent"), domain("nx")]), tmp_path / "r.jsonl"
    with scanning(names, results, "--timeout", "60", "--backend", backend) as process:
        connection, _ = silence.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert process.stderr.readline() + process.stderr.readline() == (
                b"\nFinishing the open sessions. Press Ctrl-C again to stop at once.\n"
            )
            process.send_signal(signal.SIGINT)
            pressed = time.monotonic()
            _, err = process.communicate(timeout=9)
    assert time.monotonic() - pressed < 3
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert b"with --resume to continue" in err
    assert domains(results) == [domain("nx")]


# on a terminal


def test_the_bar(lab: Lab, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    names, results = listed(tmp_path, many(300)), tmp_path / "r.jsonl"
    with scanning(names, results, *SLOW, streams=theirs) as process:
        os.close(theirs)
        shown = read_until(ours, None)
        assert process.wait(10) == 0
    os.close(ours)
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown).decode()
    bars = [line for line in re.split(r"[\r\n]+", text) if "/300" in line]
    done = [int(found[1]) for bar in bars if (found := re.search(r"(\d+)/300", bar))]
    assert done == sorted(done)
    assert len(set(done)) > 3
    assert any(re.search(r"\d critical, \d+ warning, \d+ info, \d+ sessions open", bar) for bar in bars)
    assert text.rstrip().endswith(f"in {results}")
    # nothing of the bar stays, and the cursor is back
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)
    assert shown.rindex(b"\x1b[2K") > shown.rindex(b"sessions open")


def test_interrupted_on_a_terminal(lab: Lab, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    names, results = listed(tmp_path, many(MANY)), tmp_path / "r.jsonl"
    with scanning(names, results, *SLOW, streams=theirs) as process:
        os.close(theirs)
        wait_for_growth(process, results)
        process.send_signal(signal.SIGINT)
        shown = read_until(ours, None)
        assert process.wait(10) == 130
    os.close(ours)
    assert b"Traceback" not in shown
    assert shown.count(b"Finishing the open sessions") == 1
    assert shown.rstrip().endswith(b"with --resume to continue")
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)


# no reader


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_standard_error_that_is_closed(lab: Lab, tmp_path: Path, backend: str) -> None:
    names, results = listed(tmp_path, many(12)), tmp_path / "r.jsonl"
    with scanning(names, results, *BRISK, "--backend", backend) as process:
        assert process.stderr is not None
        process.stderr.close()
        process.stderr = None
        process.communicate(timeout=30)
    assert sorted(domains(results)) == sorted(many(12))
