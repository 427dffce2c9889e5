"""The store of kept checks.

Each change is one transaction, written through to the disk (`synchronous = FULL`) before a method returns. So
a process that is killed, or a disk that is full, loses nothing that was kept before. Readers do not wait for
a writer (WAL), and writers wait for each other. WAL needs a file system of this machine: no NFS.

A document was made of what servers said, and the file may be anyone's: nothing in it is trusted. A document
is decompressed up to a limit, and read as any other document.
"""

import os
import secrets
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from checker_smtp.lines import LINE_LIMIT
from checker_smtp.probes.result import Result
from checker_smtp.report.document import DocumentError, dump_line, load

from .failures import RESTORE, HistoryError, failures_named
from .schema import prepare

__all__ = ["History", "KeptCheck"]

_MEMORY = ":memory:"
# Seconds to wait for another writer: each holds the lock for one insertion.
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCheck:
    """A check in the store, without its document.

    `id` is its number, in the order in which checks were kept; `name` has 128 random bits, for those who may
    read one check and no other. `run_at` is in UTC. `reported` is True once the user has seen the result.
    `octets` is the compressed size, with that of the recording. `owner` may delete it, where somebody may.
    """

    id: int
    name: str
    domain: str
    run_at: str
    status: str
    mail: str
    reported: bool
    octets: int
    owner: str = ""


_COLUMNS = tuple(field.name for field in fields(KeptCheck))


class History:
    """The file at `path`, opened; a new one is for this user only (mode 0600). None is a store in memory.

    With `create` a missing file is created. `timeout` is the longest wait for another writer, in seconds. An
    object may be used by several threads; each method raises `HistoryError`.
    """

    def __init__(self, path: Path | None, *, create: bool = True, timeout: float = _TIMEOUT) -> None:
        self.path = path or Path(_MEMORY)
        self._lock = Lock()
        with failures_named(self.path):
            if path is not None:
                _require_file(path, create=create)
            self._connection = sqlite3.connect(
                path or _MEMORY, timeout=timeout, isolation_level=None, check_same_thread=False
            )
            try:
                self._set_up()
            except BaseException:
                self._connection.close()
                raise

    def _set_up(self) -> None:
        for setting in ("foreign_keys = ON", "synchronous = FULL", "trusted_schema = OFF"):
            self._connection.execute(f"PRAGMA {setting}")
        prepare(self._connection, self.path)
        # A second process that opens the file at this moment prevents the change; it is made the next time.
        with suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA journal_mode = WAL")

    def __enter__(self) -> "History":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def require_writable(self) -> None:
        """Raise `HistoryError` if no check can be kept now."""
        with self._transaction() as connection:
            connection.execute("UPDATE checks SET reported = reported WHERE id = 0")

    def keep(
        self, result: Result, *, name: str = "", owner: str = "", recording: bytes | None = None
    ) -> KeptCheck:
        """Keep the document and the findings of `result`, and return the new entry.

        `name` is by default a new one. `recording` is the ZIP archive of the recorded case, if it is kept.
        """
        seen = result.observation
        try:
            run_at = _as_utc(seen.run_at)
            line = dump_line(result)
            # a caller may give text that no document can hold
            load(line)
        except ValueError as error:
            raise HistoryError(f"the check of {seen.domain} cannot be kept: {error}.") from None
        document = zlib.compress(line)
        row = (
            *(name or secrets.token_urlsafe(16), seen.domain, run_at, result.status, str(result.mail.state)),
            *(len(document) + len(recording or b""), owner, document, recording),
        )
        with self._transaction() as connection:
            number = connection.execute(
                "INSERT INTO checks (name, domain, run_at, status, mail, octets, owner, document, recording) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
            connection.executemany(
                "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (number, f.code, f.subject, str(f.severity), str(f.outcome), f.rule, f.message)
                    for f in result.findings
                ],
            )
        return self.find(int(number or 0))

    def mark_reported(self, entry: KeptCheck) -> None:
        """Note that the user has seen this check, so that the next ones are compared with it."""
        with self._transaction() as connection:
            connection.execute("UPDATE checks SET reported = 1 WHERE id = ?", (entry.id,))

    def find(self, key: int | str) -> KeptCheck:
        """Return the check with this number (int) or name (str). Raises `HistoryError` if there is none."""
        if (found := self.get(key)) is None:
            raise HistoryError(
                f"the history {str(self.path)!r} has no check {key}: it was pruned, or never kept. "
                "Give a number that `history DOMAIN` lists."
            )
        return found

    def get(self, key: int | str) -> KeptCheck | None:
        """Return the check with this number (int) or name (str), None if there is none."""
        found = self._entries("id = ?" if isinstance(key, int) else "name = ?", key)
        return found[0] if found else None

    def load(self, entry: KeptCheck) -> Result:
        """Return the result as it was kept. Raises `HistoryError` as well if the document is damaged."""
        found = self._read("SELECT document FROM checks WHERE id = ?", entry.id)
        if not found:
            raise HistoryError(
                f"the history {str(self.path)!r} has no check {entry.id} any more: it was pruned"
            )
        try:
            return _read_document(found[0][0], entry.domain)
        except (DocumentError, zlib.error, TypeError) as error:
            raise HistoryError(
                f"the history {str(self.path)!r} cannot give check {entry.id}: {error}. "
                "The other checks in it are not affected."
            ) from None

    def has_recording(self, entry: KeptCheck) -> bool:
        """Return whether the archive of the recorded case was kept."""
        return bool(self._read("SELECT 1 FROM checks WHERE id = ? AND recording IS NOT NULL", entry.id))

    def recording(self, entry: KeptCheck) -> bytes | None:
        """Return the archive of the recorded case, None if it was not kept."""
        found = self._read("SELECT recording FROM checks WHERE id = ?", entry.id)
        return found[0][0] if found else None

    def previous(self, entry: KeptCheck) -> KeptCheck | None:
        """Return the last check of the same domain and owner before this one, None if there is none."""
        condition = "domain = ? AND owner = ? AND id < ? ORDER BY id DESC LIMIT 1"
        found = self._entries(condition, entry.domain, entry.owner, entry.id)
        return found[0] if found else None

    def delete(self, entry: KeptCheck) -> None:
        """Remove this check."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM checks WHERE id = ?", (entry.id,))

    def checks(self, domain: str) -> list[KeptCheck]:
        """Return the checks of `domain` (A-labels), the oldest first."""
        return self._entries("domain = ? ORDER BY id", domain)

    def reported_before(self, entry: KeptCheck, count: int) -> list[KeptCheck]:
        """Return the last `count` reported checks of the domain before `entry`, the oldest first."""
        newest_first = self._entries(
            "domain = ? AND id < ? AND reported ORDER BY id DESC LIMIT ?", entry.domain, entry.id, count
        )
        return newest_first[::-1]

    def prune(self, *, before: str = "", max_octets: int | None = None) -> int:
        """Remove checks that ran before a time (RFC 3339, UTC), then the oldest above a total of octets.

        Returns the number of checks removed. The space goes back to the file system.
        """
        with self._transaction() as connection:
            removed = connection.execute("DELETE FROM checks WHERE run_at < ?", (before,)).rowcount
            if max_octets is not None:
                removed += connection.execute(
                    "DELETE FROM checks WHERE id IN (SELECT id FROM "
                    "(SELECT id, sum(octets) OVER (ORDER BY id DESC) AS total FROM checks) WHERE total > ?)",
                    (max_octets,),
                ).rowcount
        with failures_named(self.path), self._lock:
            # `execute` would end this pragma after its first page
            self._connection.executescript("PRAGMA incremental_vacuum")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return removed

    def octets(self) -> int:
        """Return the compressed size of all checks."""
        return int(self._read("SELECT coalesce(sum(octets), 0) FROM checks")[0][0])

    def count(self) -> int:
        """Return the number of checks in the file."""
        return int(self._read("SELECT count(*) FROM checks")[0][0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with failures_named(self.path), self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.rollback()
                raise

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with failures_named(self.path), self._lock:
            return self._connection.execute(query, values).fetchall()

    def _entries(self, condition: str, *values: object) -> list[KeptCheck]:
        """Return the entries that meet a condition; its words are constants of this module."""
        rows = self._read(f"SELECT {', '.join(_COLUMNS)} FROM checks WHERE {condition}", *values)  # noqa: S608
        try:
            return [
                msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), KeptCheck, strict=False)
                for row in rows
            ]
        except msgspec.ValidationError as error:
            raise HistoryError.about(self.path, f"it is damaged ({error})", RESTORE) from None


def _require_file(path: Path, *, create: bool) -> None:
    """Create a missing file, empty. Raise `HistoryError` and `OSError`."""
    if path.exists():
        if not path.is_file():
            raise HistoryError.about(path, "it is no regular file", "give the name of a file")
    elif not create:
        raise HistoryError.about(path, "it does not exist", "give the file of a `check --history FILE`")
    else:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _as_utc(run_at: str) -> str:
    """Return a time in UTC and in seconds, so that times can be compared as text."""
    return datetime.fromisoformat(run_at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_document(packed: bytes, domain: str) -> Result:
    """Return the result of a document, which has at most the octets of a line.

    Raises `DocumentError`, `TypeError` and `zlib.error`.
    """
    unpacker = zlib.decompressobj()
    document = unpacker.decompress(packed, LINE_LIMIT)
    if not unpacker.eof or unpacker.unused_data:
        raise DocumentError(f"the document is cut off, or has more than {LINE_LIMIT:,} octets")
    result = load(document)
    if result.observation.domain != domain:
        raise DocumentError(f"the document is of another domain, {result.observation.domain!r}")
    return result
