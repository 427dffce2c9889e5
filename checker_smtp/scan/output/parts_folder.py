"""The results of a scan on a cluster: a folder with one file of lines for each part of the list.

A part gets its name when it is complete, so an interrupted scan leaves complete parts only. The extension of
the folder's name chooses the compression, as that of a file does.
"""

import gzip
import os
import shutil
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from .results import Results, ResultsError

__all__ = ["PartsFolder"]


class PartsFolder(Results):
    """The folder of parts at `path`."""

    exist = (
        "it has results. Continue that scan with --resume, overwrite them with --force, "
        "or name another folder."
    )
    name_another = "Name a folder that is writable, in an existing one with free space."
    unit = "parts"

    def files(self) -> list[Path]:
        """Return the parts in the order of the list. Raise `ResultsError` where `path` is a file."""
        if self.path.exists() and not self.path.is_dir():
            raise ResultsError(
                f"{str(self.path)!r} cannot be used: it is a file, and a cluster writes a folder. "
                "Name one after -o."
            )
        return sorted(self.path.glob("part-*.jsonl*"))

    @property
    def suffix(self) -> str:
        """The extension of the parts, such as `.jsonl.gz`."""
        compression = self.path.suffix.lower()
        return ".jsonl" + (compression if compression in (".gz", ".zst") else "")

    @property
    def packed(self) -> str:
        """The extension of the lines that `put_part` takes: compressed ones, whatever those of the parts."""
        return self.suffix if self.suffix != ".jsonl" else ".jsonl.gz"

    @property
    def next_number(self) -> int:
        """The number of the part behind the last one."""
        parts = self.files()
        return int(parts[-1].name.removeprefix("part-").partition(".")[0]) + 1 if parts else 0

    def require_writable(self) -> None:
        """Make the folder, if it does not exist."""
        self.path.mkdir(exist_ok=True)

    def clear(self) -> None:
        """Delete all parts."""
        for file in self.files():
            file.unlink()
        self.repair()

    def repair(self) -> None:
        """Delete the parts that are not complete."""
        for file in self.path.glob(".part-*"):
            file.unlink()

    def put_part(self, number: int, lines: bytes) -> None:
        """Write a part completely or not at all; its lines are compressed (`packed`).

        Raise `ResultsError`, as on a full disk.
        """
        part = self.path / f"part-{number:05}{self.suffix}"
        unfinished = part.with_name(f".{part.name}")
        with self.write_errors_reported(part):
            try:
                with unfinished.open("wb") as file:
                    if self.packed == self.suffix:
                        file.write(lines)
                    else:
                        with gzip.open(BytesIO(lines)) as unpacked:
                            shutil.copyfileobj(unpacked, file)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(part)
            except OSError:
                with suppress(OSError):
                    unfinished.unlink()
                raise
