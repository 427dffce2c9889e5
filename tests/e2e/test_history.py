"""The memory of the command line, as processes: kept checks, changes only, acceptances, and a time-line."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from checker_smtp.report.document import load
from checker_smtp.testing import RuleServer
from tests.e2e.conftest import Tool
from tests.e2e.small_world import SmallWorld, small_world

NAMES = [f"shop{n}.test" for n in range(1, 6)]
ZONE = "\n".join(
    f"{name} MX 10 mx.{name}.\nmx.{name} A 127.83.0.{n}\n{n}.0.83.127.in-addr.arpa PTR mx.{name}."
    for n, name in enumerate(NAMES, 1)
)
LINES = 20_000


class Run(NamedTuple):
    """A run of the command, to compare."""

    code: int
    out: bytes
    err: str


class Shops:
    """Five domains with a healthy server each, which a test may change; and the command to check them."""

    def __init__(self, tool: Tool, file: Path) -> None:
        self.servers = {
            name: RuleServer(host=f"mx.{name}", local_domains=(name,), mailboxes=frozenset({"postmaster"}))
            for name in NAMES
        }
        self.file = file
        self._tool = tool
        self.world: SmallWorld | None = None

    def arguments(self, *arguments: str | Path) -> list[str | Path]:
        assert self.world is not None
        return ["check", *self.world.options, "--config", "/dev/null", *arguments]

    def check(self, *arguments: str | Path) -> Run:
        return self._run(*self.arguments("--history", self.file, *arguments))

    def _run(self, *arguments: str | Path) -> Run:
        run = self._tool(*arguments)
        return Run(run.code, run.out, run.err)

    def changes(self, *arguments: str | Path) -> Run:
        return self.check("--changes-only", *(arguments or NAMES))

    def history(self, *arguments: str | Path) -> Run:
        return self._run("history", *arguments, "--history", self.file, "--config", "/dev/null")

    def kept(self) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.file)
        try:
            return connection.execute("SELECT domain, status, reported FROM checks ORDER BY id").fetchall()
        finally:
            connection.close()


@pytest.fixture
def shops(tool: Tool, tmp_path: Path) -> Iterator[Shops]:
    shops = Shops(tool, tmp_path / "history.db")
    servers = {f"127.83.0.{n}": shops.servers[name] for n, name in enumerate(NAMES, 1)}
    with small_world(ZONE, servers) as shops.world:
        yield shops


def test_a_morning_with_one_change_in_five_domains(shops: Shops) -> None:
    first = shops.changes()
    assert first.code == 0, first.err
    # nothing was reported before: each report is whole
    assert all(f"\n{name}: OK" in f"\n{first.out.decode()}" for name in NAMES)
    assert shops.changes() == Run(0, b"", "")

    shops.servers["shop3.test"].relays = True
    morning = shops.changes()
    text = morning.out.decode()
    assert (morning.code, morning.err) == (2, "")
    assert text.startswith("shop3.test: it got worse (info → critical)\n")
    assert "smtp.open_relay at 127.83.0.3:" in text
    assert "+ CRIT  127.83.0.3:" in text
    assert not [name for name in NAMES if name != "shop3.test" and name in text]
    # reported once
    assert shops.changes() == Run(0, b"", "")

    line = shops.history("shop3.test")
    assert (line.code, line.err) == (0, "")
    assert "#3, " in line.out.decode()
    assert ": it got worse (info → critical)" in line.out.decode()
    shown = shops.history("show", "13", "--format", "json")
    assert (shown.code, load(shown.out).status) == (2, "critical")

    shops.servers["shop3.test"].relays = False
    repaired = shops.changes()
    assert repaired.code == 0
    assert repaired.out.decode().startswith("shop3.test: it got better (critical → info)\n")


@pytest.mark.parametrize("form", ["text", "html", "json", "jsonl", "junit", "nagios", "prometheus"])
def test_a_kept_report_is_shown_in_every_format_as_it_was(shops: Shops, form: str) -> None:
    reported = shops.check("shop1.test", "--format", form)
    assert reported.code == 0
    assert shops.history("show", "1", "--format", form) == reported


def test_the_formats_of_changes(shops: Shops, tmp_path: Path) -> None:
    shops.changes()
    shops.servers["shop1.test"].relays = shops.servers["shop2.test"].relays = True
    both = json.loads(shops.changes("shop1.test", "shop2.test", "shop3.test", "--format", "json").out)
    assert [(one["domain"], one["worse"]) for one in both] == [("shop1.test", True), ("shop2.test", True)]
    shops.servers["shop1.test"].relays = False
    page = tmp_path / "changes.html"
    assert shops.changes("shop1.test", "-o", page) == Run(0, b"", "")
    assert "it got better" in page.read_text()
    before = page.read_bytes()
    assert shops.changes("shop1.test", "-o", page) == Run(0, b"", "")
    assert page.read_bytes() == before


def test_a_change_whose_report_could_not_be_written_is_reported_again(shops: Shops) -> None:
    shops.changes("shop1.test")
    shops.servers["shop1.test"].relays = True
    failed = shops.changes("shop1.test", "-o", "/dev/full")
    assert (failed.code, failed.out) == (3, b"")
    assert "could not be written" in failed.err
    assert shops.changes("shop1.test").code == 2
    assert shops.changes("shop1.test").code == 0
    assert [reported for _, _, reported in shops.kept()] == [1, 0, 1, 1]


def test_an_accepted_fault_counts_nowhere_until_its_last_day(shops: Shops, tmp_path: Path) -> None:
    shops.servers["shop1.test"].relays = True
    assert shops.check("shop1.test").code == 2
    by_option = shops.check("shop1.test", "--accept", "smtp.open_relay")
    assert by_option.code == 0
    assert "smtp.open_relay · accepted: --accept" in by_option.out.decode()
    subject = f"127.83.0.1:{shops.world.port if shops.world else 0}"
    assert shops.check("shop1.test", "--accept", f"smtp.open_relay@{subject}").code == 0
    other = shops.check("shop1.test", "--accept", "smtp.open_relay@192.0.2.1:25")
    assert other.code == 2
    assert (
        "The acceptance of smtp.open_relay at 192.0.2.1:25 (--accept) matches no finding"
        in other.out.decode()
    )

    accepting = tmp_path / "accepting.toml"
    for until, code in (("2999-12-31", 0), ("2020-01-01", 2)):
        accepting.write_text(
            f'[[accept]]\ndomain = "shop1.test"\ncode = "smtp.open_relay"\nuntil = {until}\n'
            'reason = "the gateway is replaced"\n'
        )
        run = shops.check("shop1.test", "shop2.test", "--config", accepting)
        assert run.code == code
        assert "the gateway is replaced" in run.out.decode()
    assert "ended on 2020-01-01" in " ".join(run.out.decode().split())


def test_an_acceptance_that_ends_is_a_change(shops: Shops, tmp_path: Path) -> None:
    shops.servers["shop1.test"].relays = True
    assert shops.changes("shop1.test", "--accept", "smtp.open_relay").code == 0
    assert shops.changes("shop1.test", "--accept", "smtp.open_relay") == Run(0, b"", "")
    ended = shops.changes("shop1.test")
    assert ended.code == 2
    assert "is not accepted any more (crit)" in ended.out.decode()


def test_old_checks_are_pruned_and_the_time_line_begins_later(shops: Shops) -> None:
    for _ in range(3):
        shops.check("shop1.test")
    connection = sqlite3.connect(shops.file)
    with connection:
        connection.execute("UPDATE checks SET run_at = '2020-01-01T00:00:00Z' WHERE id = 1")
    connection.close()
    assert shops.history("shop1.test", "--since", "1d").out.decode().startswith("#2, ")
    assert shops.history("prune", "--keep", "90d") == Run(0, b"Removed 1 checks; 2 remain.\n", "")
    gone = shops.history("show", "1")
    assert (gone.code, gone.out) == (3, b"")
    assert "has no check 1: it was pruned, or never kept." in gone.err
    assert gone.err.count("\n") == 1


def test_two_processes_at_once(shops: Shops) -> None:
    command = [
        sys.executable,
        "-m",
        "checker_smtp",
        *map(str, shops.arguments("--history", shops.file, *NAMES)),
    ]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        for _ in range(2)
    ]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
        assert all(name.encode() in out for name in NAMES)
    kept = shops.kept()
    assert sorted(kept) == sorted((name, "info", 1) for name in [*NAMES, *NAMES])


# moments at which nothing may be lost


def test_killed_at_twenty_moments_every_reported_check_is_kept(shops: Shops) -> None:
    import random

    chance = random.Random(16)  # noqa: S311 - moments, not secrets
    command = [
        sys.executable,
        "-m",
        "checker_smtp",
        *map(str, shops.arguments("--history", shops.file, "shop1.test")),
    ]
    reported = 0
    for turn in range(20):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
            wal = shops.file.with_name(f"{shops.file.name}-wal")
            # half of the moments are within the writing of a check, the others are anywhere
            for _ in range(chance.randrange(LINES * 20)):
                if process.poll() is not None or (turn % 2 and wal.exists() and wal.stat().st_size > 0):
                    break
            for _ in range(chance.randrange(LINES)):
                pass
            process.kill()
            out, _ = process.communicate()
        reported += b"Not looked at: " in out
        connection = sqlite3.connect(shops.file)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        if shops.file.stat().st_size:
            assert len(shops.kept()) >= reported
    assert shops.check("shop1.test").code == 0
    assert len(shops.kept()) >= reported + 1
    assert shops.history("shop1.test").code == 0


def in_mount_namespace(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which mounts are its own; skip the test where that is not allowed."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount namespace")
    return subprocess.run(
        ["unshare", "--mount", "sh", "-eu", "-c", script, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# one check fits on the disk; the next one has this many KiB
FULL_DISK = """
folder=$1; free=$2; shift 2
mkdir -p "$folder"
mount -t tmpfs -o size=1m tmpfs "$folder"
"$@" >/dev/null
dd if=/dev/zero of="$folder/filling" bs=1k >/dev/null 2>&1 || true
truncate -s "-${free}k" "$folder/filling"
code=0; "$@" || code=$?
echo "code $code"
rm "$folder/filling"
"$@" >/dev/null
cp "$folder"/history.db* "$folder.copy/"
"""


@pytest.mark.parametrize("free", [0, 36])
def test_a_full_disk_loses_no_check_and_no_report(shops: Shops, tmp_path: Path, free: int) -> None:
    folder, copy = tmp_path / "disk", tmp_path / "disk.copy"
    copy.mkdir()
    shops.file = folder / "history.db"
    command = [sys.executable, "-m", "checker_smtp"]
    command += map(str, shops.arguments("--history", shops.file, "shop1.test"))
    done = in_mount_namespace(FULL_DISK, str(folder), str(free), *command)
    assert done.stdout.endswith("code 3\n"), done
    # without any space nothing is sent; a check that was made is reported all the same
    assert ("Not looked at: " in done.stdout) is (free > 0)
    assert done.stderr.startswith(f"checker-smtp: the history {str(shops.file)!r} cannot be used: the disk ")
    assert done.stderr.endswith(" To fix it, free some space, and run the command again.\n")
    assert done.stderr.count("\n") == 1
    shops.file = copy / "history.db"
    assert [entry[0] for entry in shops.kept()] == ["shop1.test"] * 2
    assert shops.history("shop1.test").code == 0


READ_ONLY = """
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
shift
code=0; "$@" || code=$?
exit $code
"""


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_is_read_only(shops: Shops, tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    shops.file = folder / "history.db"
    if exists:
        shops.check("shop1.test")
    before = [(path.name, path.read_bytes()) for path in folder.iterdir()]
    command = [sys.executable, "-m", "checker_smtp"]
    command += map(str, shops.arguments("--history", shops.file, "shop1.test"))
    done = in_mount_namespace(READ_ONLY, str(folder), *command)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"checker-smtp: the history {str(shops.file)!r} cannot be used: ")
    assert done.stderr.count("\n") == 1
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == before
