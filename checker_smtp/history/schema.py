"""The tables of a history, and the upgrade of one that an older version wrote.

The file carries the application id of checker-smtp and the version of its schema (`PRAGMA application_id`
and `user_version`). A file of another program and one of a newer version are recognised before anything is
written. A document is compressed; its findings and the words of its verdict are also in columns, for queries:

    SELECT domain, run_at, subject FROM checks JOIN findings ON check_id = id WHERE code = 'smtp.open_relay'
"""

import sqlite3
from pathlib import Path

from .failures import HistoryError

__all__ = ["APPLICATION_ID", "MIGRATIONS", "prepare", "require_known"]

APPLICATION_ID = int.from_bytes(b"cSMT", "big")
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # AUTOINCREMENT: the number of a check that was pruned is never given to another one. The blobs
        # are last, so that a query of the other columns does not read them.
        """
        CREATE TABLE checks (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            domain TEXT NOT NULL,
            run_at TEXT NOT NULL,
            status TEXT NOT NULL,
            mail TEXT NOT NULL,
            reported INTEGER NOT NULL DEFAULT 0,
            octets INTEGER NOT NULL,
            owner TEXT NOT NULL DEFAULT '',
            document BLOB NOT NULL,
            recording BLOB
        )
        """,
        "CREATE INDEX checks_by_domain ON checks (domain, id)",
        "CREATE INDEX checks_by_time ON checks (run_at)",
        """
        CREATE TABLE findings (
            check_id INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
            code TEXT NOT NULL,
            subject TEXT NOT NULL,
            severity TEXT NOT NULL,
            outcome TEXT NOT NULL,
            rule TEXT NOT NULL,
            message TEXT NOT NULL
        )
        """,
        "CREATE INDEX findings_by_check ON findings (check_id)",
        "CREATE INDEX findings_by_code ON findings (code)",
    ),
)
"""The statements that lead from each version of the schema to the next one; the version is their number."""


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create or upgrade the tables, completely or not at all. Raises `HistoryError` and `sqlite3.Error`.

    Several processes may do this at once: the second one waits, and finds the work done.
    """
    if require_known(connection, path) == len(MIGRATIONS):
        return
    # has an effect before the first table only
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[require_known(connection, path) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def require_known(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the schema, 0 for an empty file.

    Raises `HistoryError` for a file of another program or of a newer version.
    """
    application, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application != APPLICATION_ID and (application or tables):
        raise HistoryError.about(
            path, "it is a database of another program", "give a history, or a file that does not exist yet"
        )
    if version > len(MIGRATIONS):
        raise HistoryError.about(
            path,
            f"it has version {version}, and this checker-smtp reads versions up to {len(MIGRATIONS)}",
            "install a newer checker-smtp",
        )
    return int(version)
