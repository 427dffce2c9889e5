"""The lines of a scan, written as they are done or in the order of the list, and taken up again.

Beside the results lies a note of what they are results of: the list and the options. A scan that was
interrupted, by whatever, is gone on with where the note says the same: a half-written last line is cut away,
what is there is not asked again, and the rest is appended.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from checker_smtp.lines import LineWriter, open_lines, repair

__all__ = ["Note", "Results", "ResultsError", "done_before", "prepare"]


class ResultsError(ValueError):
    """These results cannot be written, or not be gone on with; the message says what would be right."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What results are of: the digest of the list, and the options that shape an answer."""

    list_digest: str
    options: dict[str, str]

    @staticmethod
    def place(results: Path) -> Path:
        """Where the note of these results lies."""
        return results.with_name(results.name + ".scan")

    def write(self, results: Path) -> None:
        self.place(results).write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")

    @classmethod
    def read(cls, results: Path) -> "Note | None":
        """The note of these results; None where there is none that can be read."""
        try:
            return msgspec.json.decode(cls.place(results).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return None


def prepare(results: Path, note: Note, *, resume: bool, force: bool) -> None:
    """Make the place for the results ready. Raises `ResultsError`, and nothing is changed then."""
    if resume:
        _compare(results, note)
        with suppress(FileNotFoundError):
            repair(results)
        return
    if not force and results.exists():
        raise ResultsError(
            f"{str(results)!r} exists: go on with it with --resume, overwrite it with --force, "
            "or name another file"
        )
    try:
        results.open("ab").close()
        note.write(results)
        results.write_bytes(b"")
    except OSError as error:
        raise ResultsError(
            f"{str(results)!r} cannot be written ({error.strerror}): name a file in a folder that is writable"
        ) from None


def _compare(results: Path, note: Note) -> None:
    before = Note.read(results)
    if before is None:
        raise ResultsError(
            f"there is no scan to resume: {str(Note.place(results))!r}, which a scan leaves beside its results, "
            "is not there or unreadable"
        )
    if before.list_digest != note.list_digest:
        raise ResultsError(
            f"{str(results)!r} has the results of another list: "
            "give that list, or another file for the results"
        )
    wrong = sorted(
        name
        for name in before.options.keys() | note.options.keys()
        if before.options.get(name) != note.options.get(name)
    )
    if wrong:
        told = "; ".join(f"{name} was {before.options.get(name, 'not given')}" for name in wrong)
        raise ResultsError(f"{str(results)!r} was made with other options ({told}): give the same ones")


def done_before(results: Path) -> Iterator[str]:
    """The names that have a line already, in results that are whole."""
    if not results.exists():
        return
    with open_lines(results) as lines:
        for line in lines:
            head = json.loads(line)
            yield head["domain"] if "domain" in head else head["observation"]["domain"]


class Results:
    """Writes lines by the number of their entry; in that order where `in_order`, else as they come."""

    def __init__(self, target: LineWriter, *, in_order: bool) -> None:
        self._target = target
        self._in_order = in_order
        self._early: dict[int, bytes] = {}
        self._next = 0

    def put(self, number: int, line: bytes) -> None:
        """Take a line, and write it as soon as it is its turn. Raises OSError, as where the disk is full."""
        if self._in_order:
            self._early[number] = line
            while self._next in self._early:
                self._target.write(self._early.pop(self._next))
                self._next += 1
        else:
            self._target.write(line)
        self._target.flush()
