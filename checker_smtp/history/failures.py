"""The one sentence for each error of SQLite and of the file system: what failed, why, and how to fix it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["RESTORE", "HistoryError", "failures_named"]

_FREE_SPACE = "free some space, and run the command again"
_WRITABLE = "the file and its folder have to be writable for this user"
RESTORE = "restore it from a backup, or move it away to begin a new one"
# By the primary result code of SQLite (the low 8 bits): why it failed, and how to fix it.
_SENTENCES = {
    sqlite3.SQLITE_BUSY: ("another program has locked it", "end that program, or try again later"),
    sqlite3.SQLITE_LOCKED: ("another program has locked it", "end that program, or try again later"),
    sqlite3.SQLITE_FULL: ("the disk is full", _FREE_SPACE),
    sqlite3.SQLITE_IOERR: ("the disk cannot be written or read, or is full", _FREE_SPACE),
    sqlite3.SQLITE_READONLY: ("it is read-only", _WRITABLE),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _WRITABLE),
    sqlite3.SQLITE_PERM: ("access is denied", _WRITABLE),
    sqlite3.SQLITE_AUTH: ("access is denied", _WRITABLE),
    sqlite3.SQLITE_NOTADB: ("it is no file of SQLite", "give a history, or a file that does not exist yet"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", RESTORE),
}


class HistoryError(Exception):
    """The file cannot be used, or has no such check; the message is one sentence. Nothing was changed."""

    @classmethod
    def about(cls, path: Path, why: str, remedy: str) -> "HistoryError":
        """Return the error for the file at `path`."""
        return cls(f"the history {str(path)!r} cannot be used: {why}. To fix it, {remedy}.")


@contextmanager
def failures_named(path: Path) -> Iterator[None]:
    """Raise `HistoryError` in place of an error of SQLite or of the file system about the file at `path`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        why, remedy = _SENTENCES.get(code, (f"SQLite reports: {error}", RESTORE))
        raise HistoryError.about(path, why, remedy) from None
    except OSError as error:
        raise HistoryError.about(path, str(error.strerror), _WRITABLE) from None
