"""Processes that keep checks are killed at random moments: no check that was reported is lost."""

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from checker_smtp.history.store import History
from checker_smtp.report.document import dump_line
from tests.apps.command import environment
from tests.report.results import POSTURES

KILLS = 20
# Prints the number of each check after it is kept, and prunes now and then.
WRITER = """
import sys
from pathlib import Path
from checker_smtp.history.store import History
from checker_smtp.report.document import load

results = [load(line) for line in Path(sys.argv[2]).read_bytes().splitlines()]
with History(Path(sys.argv[1])) as history:
    for turn in range(100_000):
        entry = history.keep(results[turn % len(results)])
        print(entry.id, flush=True)
        history.mark_reported(entry)
        if turn % 40 == 39:
            history.prune(before="2000-01-01T00:00:00Z")
"""


def writer(file: Path, documents: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file), str(documents)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


@pytest.mark.timeout(300)
def test_two_writers_are_killed_twenty_times_and_no_reported_check_is_lost(tmp_path: Path) -> None:
    file, documents = tmp_path / "history.db", tmp_path / "documents.jsonl"
    documents.write_bytes(b"\n".join(dump_line(make()) for make in POSTURES.values()))
    chance = random.Random(16)  # noqa: S311 - moments, not secrets
    reported: set[int] = set()
    for _ in range(KILLS):
        with writer(file, documents) as one, writer(file, documents) as other:
            assert one.stdout is not None
            assert other.stdout is not None
            # the moment: so many checks, and a part of the next one, as long as a loop takes
            lines = [one.stdout.readline() for _ in range(chance.randrange(1, 12))]
            for _ in range(chance.randrange(50_000)):
                pass
            one.send_signal(signal.SIGKILL)
            other.send_signal(signal.SIGKILL)
            lines += one.communicate()[0].splitlines(keepends=True)
            lines += other.communicate()[0].splitlines(keepends=True)
        assert (one.returncode, other.returncode) == (-signal.SIGKILL, -signal.SIGKILL)
        numbers = [int(line) for line in lines if line.endswith(b"\n")]
        # no number is given twice, to whichever process
        assert len(numbers) == len({*numbers}) == len({*numbers} - reported)
        reported |= {*numbers}
        connection = sqlite3.connect(file)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        with History(file, create=False) as history:
            kept = history.checks("example.org")
            assert reported <= {entry.id for entry in kept}
            assert history.load(kept[-1]).status == kept[-1].status
    assert len(reported) > 5 * KILLS
