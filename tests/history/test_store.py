"""The store of kept checks: what is kept, what can be read, and files that are not what they should be."""

import os
import sqlite3
import stat
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from checker_smtp.history import schema, store
from checker_smtp.history.failures import HistoryError
from checker_smtp.history.store import History
from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump, dump_line
from tests.report.results import NASTY, POSTURES, WIDER, finding, observation, result

HEALTHY = POSTURES["healthy"]()
RELAY = POSTURES["relay"]()


def at(run_at: str, domain: str = "example.org") -> Result:
    return result(observation(run_at=run_at, domain=domain))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def history(file: Path) -> Iterator[History]:
    with History(file) as opened:
        yield opened


def query(file: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Run one statement as another program does."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def refused(file: Path, **how: bool) -> str:
    with pytest.raises(HistoryError) as caught:
        History(file, **how)
    message = str(caught.value)
    assert message.startswith(f"the history {str(file)!r} cannot be used: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("posture", POSTURES)
def test_a_result_is_kept_without_loss(history: History, posture: str) -> None:
    kept = history.keep(POSTURES[posture]())
    assert dump(history.load(kept)) == dump(POSTURES[posture]())
    assert (kept.id, kept.domain, kept.run_at) == (1, "example.org", "2026-03-01T12:00:00Z")
    assert (kept.status, kept.mail) == (POSTURES[posture]().status, str(POSTURES[posture]().mail.state))
    assert kept.octets * 2 < len(dump_line(POSTURES[posture]()))


def test_a_check_is_found_by_its_number_and_by_its_name(file: Path, history: History) -> None:
    first, second = history.keep(HEALTHY), history.keep(RELAY)
    with History(file, create=False) as other:
        assert other.find(1) == other.find(first.name) == first
        assert other.find(2) == other.find(second.name) == second
        assert len(first.name) == 22
        assert first.name != second.name
        for unknown in (0, 3, -1, "", "1", first.name.swapcase()):
            with pytest.raises(HistoryError, match=r"has no check .*: it was pruned, or never kept\."):
                other.find(unknown)


def test_the_findings_are_in_a_table(file: Path, history: History) -> None:
    history.keep(HEALTHY)
    history.keep(RELAY)
    found = query(
        file,
        "SELECT domain, run_at, subject, severity, outcome, rule FROM checks JOIN findings ON check_id = id "
        "WHERE code = 'smtp.open_relay'",
    )
    assert found == [
        ("example.org", "2026-03-01T12:00:00Z", "192.0.2.1:25", "crit", "fail", "smtp.open_relay")
    ]
    assert query(file, "SELECT id, status FROM checks") == [(1, "ok"), (2, "critical")]


def test_hostile_text_is_kept_and_read(file: Path, history: History) -> None:
    hostile = replace(RELAY, findings=(finding(message=NASTY), *RELAY.findings))
    assert dump(history.load(history.keep(hostile))) == dump(hostile)
    assert query(file, "SELECT count(*) FROM findings WHERE message = ?", NASTY) == [(1,)]
    with pytest.raises(HistoryError, match=r"the check of example\.org cannot be kept"):
        history.keep(replace(RELAY, findings=(finding(message=WIDER),)))
    assert history.count() == 1


def test_the_files_are_for_their_owner_only(file: Path, history: History) -> None:
    history.keep(HEALTHY)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == dict.fromkeys(("history.db", "history.db-wal", "history.db-shm"), 0o600)


def test_the_mode_of_a_file_that_exists_is_not_changed(file: Path) -> None:
    file.touch(0o640)
    file.chmod(0o640)
    with History(file) as history:
        history.keep(HEALTHY)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_reported_checks_are_listed_for_a_comparison(history: History) -> None:
    kept = [history.keep(HEALTHY) for _ in range(5)]
    other = history.keep(at("2026-03-01T12:00:00Z", "example.net"))
    for entry in (kept[0], kept[1], kept[3], other):
        history.mark_reported(entry)
    assert [entry.id for entry in history.reported_before(kept[4], 10)] == [1, 2, 4]
    assert [entry.id for entry in history.reported_before(kept[4], 2)] == [2, 4]
    assert [entry.id for entry in history.reported_before(kept[1], 2)] == [1]
    assert [entry.id for entry in history.checks("example.org")] == [1, 2, 3, 4, 5]
    assert [entry.reported for entry in history.checks("example.org")] == [True, True, False, True, False]


def test_a_time_with_a_zone_is_kept_in_utc(history: History) -> None:
    kept = history.keep(at("2026-03-01T01:30:00.25+02:00"))
    assert kept.run_at == "2026-02-28T23:30:00Z"
    with pytest.raises(
        HistoryError, match=r"the check of example\.org cannot be kept: Invalid isoformat string: 'soon'"
    ):
        history.keep(at("soon"))


# pruning


def test_checks_are_pruned_by_age(file: Path, history: History) -> None:
    for month in range(1, 7):
        history.keep(
            replace(RELAY, observation=replace(RELAY.observation, run_at=f"2026-0{month}-01T00:00:00Z"))
        )
    assert history.prune(before="2026-04-01T00:00:00Z") == 3
    assert [entry.id for entry in history.checks("example.org")] == [4, 5, 6]
    assert query(file, "SELECT DISTINCT check_id FROM findings") == [(4,), (5,), (6,)]
    assert (history.prune(before="2026-04-01T00:00:00Z"), history.count()) == (0, 3)


def test_checks_are_pruned_by_octets_the_oldest_first(history: History) -> None:
    kept = [history.keep(RELAY) for _ in range(6)]
    assert history.prune(max_octets=kept[5].octets + kept[4].octets) == 4
    assert [entry.id for entry in history.checks("example.org")] == [5, 6]
    assert history.prune(max_octets=0) == 2
    assert history.count() == 0


def test_a_number_is_never_given_again_and_the_space_is_given_back(file: Path, history: History) -> None:
    # octets that cannot be compressed
    words = os.urandom(200_000).hex()
    large = replace(HEALTHY, observation=replace(HEALTHY.observation, resolver=words))
    for _ in range(5):
        history.keep(large)
    history.prune(before="9999")
    assert file.stat().st_size < 100_000
    assert history.keep(HEALTHY).id == 6
    assert query(file, "PRAGMA integrity_check") == [("ok",)]


# several at once


def test_threads_share_one_object_and_connections_one_file(file: Path, history: History) -> None:
    def keep_ten(opened: History) -> None:
        for _ in range(10):
            opened.mark_reported(opened.keep(HEALTHY))

    with History(file) as other:
        threads = [threading.Thread(target=keep_ten, args=(opened,)) for opened in (history, history, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [entry.id for entry in history.checks("example.org")] == list(range(1, 31))
    assert all(entry.reported for entry in history.checks("example.org"))


def test_a_reader_does_not_wait_for_a_writer(file: Path, history: History) -> None:
    kept = history.keep(HEALTHY)
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        with History(file, create=False, timeout=0) as reader:
            assert reader.find(1) == kept
            with pytest.raises(HistoryError, match="another program has locked it"):
                reader.keep(HEALTHY)
            with pytest.raises(HistoryError, match="another program has locked it"):
                reader.require_writable()
    finally:
        writer.close()
    assert history.count() == 1


# versions


def test_an_older_schema_is_upgraded_and_keeps_its_checks(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with History(file) as old:
        kept = old.keep(RELAY)
    later = (*schema.MIGRATIONS, ("ALTER TABLE checks ADD COLUMN extra TEXT NOT NULL DEFAULT ''",))
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    with History(file) as new:
        assert new.find(1) == kept
        assert dump(new.load(kept)) == dump(RELAY)
    assert query(file, "SELECT extra FROM checks") == [("",)]
    assert query(file, "PRAGMA user_version") == [(2,)]


def test_an_upgrade_that_fails_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with History(file) as old:
        old.keep(RELAY)
    broken = ("ALTER TABLE checks ADD COLUMN extra TEXT", "ALTER TABLE nothing")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        assert "syntax error" in refused(file)
    assert query(file, "PRAGMA user_version") == [(1,)]
    with History(file) as old:
        assert old.count() == 1


def test_a_newer_schema_is_refused_and_not_changed(file: Path) -> None:
    with History(file) as history:
        history.keep(RELAY)
    query(file, "PRAGMA user_version = 2")
    before = file.read_bytes()
    assert (
        "it has version 2, and this checker-smtp reads versions up to 1. To fix it, install a newer"
        in refused(file)
    )
    assert file.read_bytes() == before


# files that are no history


def _another_program(path: Path) -> None:
    query(path, "CREATE TABLE cookies (name)")


def _another_application(path: Path) -> None:
    query(path, "PRAGMA application_id = 77")


def _text(path: Path) -> None:
    path.write_text("This is my novel. " * 100)


def _cut_off(path: Path) -> None:
    with History(path) as history:
        for _ in range(40):
            history.keep(RELAY)
    path.write_bytes(path.read_bytes()[:5000])


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "another program": (
        _another_program,
        "it is a database of another program. To fix it, give a history, or",
    ),
    "another application": (_another_application, "it is a database of another program"),
    "text": (_text, "it is no file of SQLite. To fix it, give a history, or a file that does not exist yet."),
    "cut off": (_cut_off, "it is damaged. To fix it, restore it from a backup, or move it away"),
    "folder": (Path.mkdir, "it is no regular file. To fix it, give the name of a file."),
    "pipe": (os.mkfifo, "it is no regular file"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_another_file_is_refused_in_one_sentence_and_not_changed(file: Path, kind: str) -> None:
    make, sentence = FOREIGN[kind]
    make(file)
    before = file.read_bytes() if file.is_file() else b""
    assert sentence in refused(file)
    assert sentence in refused(file, create=False)
    assert not file.is_file() or file.read_bytes() == before


def test_a_missing_file_is_created_only_to_keep_a_check(file: Path) -> None:
    assert "it does not exist. To fix it, give the file of a `check --history FILE`." in refused(
        file, create=False
    )
    assert not file.exists()
    assert "No such file or directory" in refused(file.parent / "missing" / "history.db")
    link = file.with_name("link.db")
    link.symlink_to(file.parent / "missing" / "history.db")
    assert "cannot be used" in refused(link)


def test_an_empty_file_becomes_a_history(file: Path) -> None:
    file.touch()
    with History(file) as history:
        assert history.keep(HEALTHY).id == 1


# entries that no check has made

BOMB = zlib.compress(b" " * (store.LINE_LIMIT + 1))
DOCUMENTS = {
    "no compression": (dump_line(HEALTHY), "incorrect header check"),
    "cut off": (zlib.compress(dump_line(HEALTHY))[:-50], "the document is cut off, or has more than"),
    "more behind it": (zlib.compress(dump_line(HEALTHY)) + b"x", "the document is cut off, or has more than"),
    "expands": (BOMB, "the document is cut off, or has more than 67,108,864 octets"),
    "no document": (zlib.compress(b"[]"), "this is not a document of checker-smtp"),
    "another domain": (zlib.compress(dump_line(at("", "example.net"))), "another domain, 'example.net'"),
    "text": ("text", "a bytes-like object is required"),
    "number": (5, "a bytes-like object is required"),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_that_cannot_be_read_affects_no_other_check(
    file: Path, history: History, kind: str
) -> None:
    document, sentence = DOCUMENTS[kind]
    kept, whole = history.keep(HEALTHY), history.keep(HEALTHY)
    query(file, "UPDATE checks SET document = ? WHERE id = 1", document)
    with pytest.raises(
        HistoryError, match=r"cannot give check 1: .*\. The other checks in it are not affected"
    ) as caught:
        history.load(kept)
    assert sentence in str(caught.value)
    assert dump(history.load(whole)) == dump(HEALTHY)


@pytest.mark.parametrize("column", ["run_at", "name", "octets", "reported"])
def test_an_entry_of_a_wrong_type_is_one_sentence(file: Path, history: History, column: str) -> None:
    history.keep(HEALTHY)
    query(file, f"UPDATE checks SET {column} = x'00ff'")  # noqa: S608 - a constant
    with pytest.raises(HistoryError, match="it is damaged"):
        history.find(1)


def test_a_check_that_was_pruned_meanwhile_is_one_sentence(history: History) -> None:
    kept = history.keep(HEALTHY)
    history.prune(before="9999")
    with pytest.raises(HistoryError, match="has no check 1 any more"):
        history.load(kept)
