"""Which names have come already, kept on disk so that a list of any length takes no memory.

A name is remembered by 64 bits of its hash: among a hundred million names the chance that any two are
taken for one is below one in three thousand.
"""

import sqlite3
from hashlib import blake2b

__all__ = ["DuplicateFilter"]


class DuplicateFilter:
    """A set of names in a file of SQLite's own, which has no name and is gone however this process ends.

    Raises OSError where there is no room for it.
    """

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        # nothing of it is worth anything after a crash
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute("CREATE TABLE names (hash INTEGER PRIMARY KEY) WITHOUT ROWID")
        self._base.execute("BEGIN")

    def add(self, name: str) -> bool:
        """Remember `name`; whether it is new."""
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        key = int.from_bytes(digest, "big", signed=True)
        try:
            return self._base.execute("INSERT OR IGNORE INTO names VALUES (?)", (key,)).rowcount == 1
        except sqlite3.OperationalError as error:
            raise OSError(f"no room for temporary files ({error}): make some, or set TMPDIR") from None

    def close(self) -> None:
        self._base.close()
