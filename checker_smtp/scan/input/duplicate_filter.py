"""The names that were read before, kept on disk so that a list of any length takes no memory.

A name is stored as 64 bits of its hash: among a hundred million names the probability that any two collide
is below one in three thousand.
"""

import sqlite3
from hashlib import blake2b

__all__ = ["DuplicateFilter"]


class DuplicateFilter:
    """A set of names in an unnamed temporary file of SQLite, which disappears with the process.

    Methods raise OSError where no room is left for temporary files.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        # after a crash the file is useless, so it needs no journal
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE names (hash INTEGER PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, name: str) -> bool:
        """Add `name`; return True if it is new."""
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        key = int.from_bytes(digest, "big", signed=True)
        try:
            return self._database.execute("INSERT OR IGNORE INTO names VALUES (?)", (key,)).rowcount == 1
        except sqlite3.OperationalError as error:
            raise OSError(
                f"no room for temporary files: {error}. Free some disk space, or set TMPDIR to another disk."
            ) from None

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close()
