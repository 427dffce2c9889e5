"""The results of a scan on one machine: a file of lines, as they are done or in the order of the list."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from checker_smtp.lines import LineWriter, repair

from .results import Results

__all__ = ["ResultsFile", "ResultsWriter"]

# Octets of lines kept in memory until the lines before them are done; more are kept in a temporary file.
_MAX_EARLY = 1 << 24


class ResultsFile(Results):
    """The file of results at `path`."""

    exist = (
        "the file exists. Continue that scan with --resume, overwrite the file with --force, "
        "or name another one."
    )
    name_another = "Name a file in a folder that is writable and has free space."
    unit = "lines"

    def files(self) -> list[Path]:
        """Return the file, if it exists."""
        return [self.path] if self.path.exists() else []

    def require_writable(self) -> None:
        """Open the file, if it exists."""
        for file in self.files():
            file.open("ab").close()

    def clear(self) -> None:
        """Empty the file, if it exists."""
        for file in self.files():
            file.write_bytes(b"")

    def repair(self) -> None:
        """Cut off a half-written end. Raise `LinesError` where the file is damaged otherwise."""
        repair(self.path)

    @contextmanager
    def open(self, *, in_order: bool) -> Iterator["ResultsWriter"]:
        """Open the file for appending. Raise `ResultsError`."""
        with self.write_errors_reported(self.path), ExitStack() as files:
            file = files.enter_context(self.path.open("ab", buffering=0))
            target = files.enter_context(LineWriter(file, self.path))
            early = None
            if in_order:
                folder = str(self.path.parent)
                early = _LineBuffer(
                    files.enter_context(tempfile.SpooledTemporaryFile(max_size=_MAX_EARLY, dir=folder))
                )
            yield ResultsWriter(self, target, early)


class ResultsWriter:
    """Writes lines by the number of their domain: at once, or in that order if `early` is given."""

    def __init__(self, results: ResultsFile, target: LineWriter, early: "_LineBuffer | None") -> None:
        self._results = results
        self._target = target
        self._early = early
        self._next = 0

    def put(self, number: int, line: bytes) -> None:
        """Write a line, or keep it until those before it are done. Raise `ResultsError`."""
        with self._results.write_errors_reported(self._results.path):
            if self._early is None:
                self._target.write(line)
                return
            self._early.put(number, line)
            while (due := self._early.take(self._next)) is not None:
                self._target.write(due)
                self._next += 1


class _LineBuffer:
    """Lines done early, in a file: one slow server can hold back more lines than memory has room for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._positions: dict[int, tuple[int, int]] = {}
        self._end = 0

    def put(self, number: int, line: bytes) -> None:
        self._file.seek(self._end)
        self._file.write(line)
        self._positions[number] = self._end, len(line)
        self._end += len(line)

    def take(self, number: int) -> bytes | None:
        """Remove and return the line with this number; None where it is not done yet."""
        if number not in self._positions:
            return None
        start, length = self._positions.pop(number)
        self._file.seek(start)
        line = self._file.read(length)
        if not self._positions:
            self._file.seek(0)
            self._file.truncate()
            self._end = 0
        return line
