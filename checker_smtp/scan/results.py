"""The lines of a scan, written as they are done or in the order of the list, and taken up again.

Beside the results lies a note of what they are results of: the list and the options. A scan that was
interrupted, by whatever, is gone on with where the note says the same: a half-written last line is cut away,
what is there is not asked again, and the rest is appended. Where there is no line yet nothing can be lost, so
the scan begins. Two scans at once would spoil each other's lines, so the note is locked while one runs.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

from checker_smtp.lines import LineWriter, open_lines, repair

__all__ = [
    "Results",
    "ResultsError",
    "ScanManifest",
    "compare",
    "done_before",
    "lock_note",
    "locked_results",
    "new_note",
    "writing",
]

# Octets of lines whose turn has not come that are kept in memory; more wait in a file beside the results.
_MAX_EARLY = 1 << 24


class ResultsError(ValueError):
    """These results cannot be written, or not be gone on with; the message says what would be right."""


class ScanManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What results are of: the digest of the list, and the options that shape an answer."""

    list_digest: str
    options: dict[str, str]

    @staticmethod
    def place(results: Path) -> Path:
        """Where the note of these results lies: beside the file, or in the folder."""
        return results / ".scan" if results.is_dir() else results.with_name(results.name + ".scan")

    @classmethod
    def read(cls, results: Path) -> "ScanManifest | None":
        """The note of these results; None where there is none that can be read."""
        try:
            return msgspec.json.decode(cls.place(results).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return None


@contextmanager
def locked_results(
    results: Path, note: ScanManifest, *, resume: bool, force: bool
) -> Iterator[Callable[[], None]]:
    """Keep the place for the results from other scans; gives what makes it ready.

    Raises `ResultsError` where it cannot be had, and so does what is given, and `LinesError`; the results are
    as they were then.
    """
    with ExitStack() as held:
        noted = lock_note(held, results)
        with _usable(results):
            there = results.exists()
            going_on = resume and there and results.stat().st_size > 0
        if going_on:
            compare(results, note)
        elif there and not (force or resume):
            raise ResultsError(
                f"{str(results)!r} exists: go on with it with --resume, overwrite it with --force, "
                "or name another file"
            )

        def make_ready() -> None:
            with _usable(results):
                if going_on:
                    repair(results)
                else:
                    held.enter_context(_begun(results, note, noted=noted))

        yield make_ready


@contextmanager
def _usable(results: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{str(results)!r} cannot be used ({error.strerror}): "
            "name a file in a folder that is writable and has room"
        ) from None


@contextmanager
def _begun(results: Path, note: ScanManifest, *, noted: bool) -> Iterator[None]:
    """Put a new note, locked, where the old one was, and empty results beside it."""
    for old in filter(Path.exists, (results, ScanManifest.place(results))):
        # whether they can be written, before anything is
        old.open("ab").close()

    def clear() -> None:
        if results.exists():
            results.write_bytes(b"")

    with new_note(results, note, clear, noted=noted):
        yield


def lock_note(held: ExitStack, results: Path) -> bool:
    """Lock the note of these results as long as `held` is; False where there is none that can be read.

    Raises `ResultsError` where another scan has it.
    """
    with suppress(OSError):
        _lock(held.enter_context(ScanManifest.place(results).open("rb")), results)
        return True
    return False


@contextmanager
def new_note(results: Path, note: ScanManifest, clear: Callable[[], None], *, noted: bool) -> Iterator[None]:
    """Put a new note, locked, where the old one was; `noted` is whether there was one, as `lock_note` said.

    `clear` is called before it takes its place, so that old results are never found with it. Raises
    `ResultsError` where another scan is writing there, be it since a moment ago, and OSError.
    """
    place = ScanManifest.place(results)
    new = place.with_name(place.name + ".new")
    with ExitStack() as held:
        # not emptied before it is ours: another scan may be about to put it in its place
        file = held.enter_context(new.open("ab"))
        _lock(file, results)
        held.callback(new.unlink, missing_ok=True)
        if place.is_file() and not noted:
            raise _taken(results)
        file.truncate(0)
        file.write(msgspec.json.format(msgspec.json.encode(note)) + b"\n")
        file.flush()
        clear()
        new.replace(place)
        yield


def _lock(file: IO[bytes], results: Path) -> None:
    """Lock the note as long as it is open, or this process lives."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _taken(results) from None


def _taken(results: Path) -> ResultsError:
    return ResultsError(f"another scan is writing {str(results)!r}: wait until it is over")


def compare(results: Path, note: ScanManifest) -> None:
    """Raise `ResultsError` where these are not results of what `note` says."""
    before = ScanManifest.read(results)
    if before is None:
        raise ResultsError(
            f"{str(results)!r} cannot be gone on with: {str(ScanManifest.place(results))!r}, which a scan "
            "leaves beside its results, is not there or unreadable"
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


class _Observed(msgspec.Struct):
    domain: str


class _Head(msgspec.Struct):
    """Of whom a line is: in the observation where there was one."""

    domain: str = ""
    observation: _Observed | None = None


def done_before(results: Path) -> Iterator[str]:
    """The names that have a line already, in results that are whole. Raises `ResultsError`."""
    if not results.exists():
        return
    read = msgspec.json.Decoder(_Head).decode
    with _usable(results), open_lines(results) as lines:
        for number, line in enumerate(lines, 1):
            try:
                head = read(line)
            except (msgspec.MsgspecError, UnicodeError):
                head = _Head()
            domain = head.observation.domain if head.observation else head.domain
            if not domain:
                raise ResultsError(
                    f"line {number} of {str(results)!r} is no line of a scan: "
                    "take it out, or name another file"
                )
            yield domain


class Results:
    """Writes lines by the number of their entry: as they come, or in that order where `early` is given."""

    def __init__(self, path: Path, target: LineWriter, early: "_Early | None") -> None:
        self._path = path
        self._target = target
        self._early = early
        self._next = 0

    def put(self, number: int, line: bytes) -> None:
        """Take a line, and write it as soon as it is its turn. Raises `ResultsError`, as on a full disk."""
        with _writable(self._path):
            if self._early is None:
                self._target.write(line)
            else:
                self._early.put(number, line)
                while (due := self._early.take(self._next)) is not None:
                    self._target.write(due)
                    self._next += 1
            self._target.flush()


@contextmanager
def writing(path: Path, *, in_order: bool) -> Iterator[Results]:
    """What appends to the results at `path`. Raises `ResultsError`."""
    with _writable(path), LineWriter(path, append=True) as target:
        if not in_order:
            yield Results(path, target, None)
            return
        with tempfile.SpooledTemporaryFile(max_size=_MAX_EARLY, dir=str(path.parent)) as file:
            yield Results(path, target, _Early(file))


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{str(path)!r} could not be written any further: {error.strerror}. "
            "What is there is kept: make room, and go on with the same command and --resume"
        ) from None


class _Early:
    """Lines whose turn has not come; a server that takes its time can make them more than memory holds."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0

    def put(self, number: int, line: bytes) -> None:
        self._file.seek(self._end)
        self._file.write(line)
        self._places[number] = self._end, len(line)
        self._end += len(line)

    def take(self, number: int) -> bytes | None:
        """The line of this number, and no longer kept; None where it has not come."""
        if number not in self._places:
            return None
        start, length = self._places.pop(number)
        self._file.seek(start)
        line = self._file.read(length)
        if not self._places:
            self._file.seek(0)
            self._file.truncate()
            self._end = 0
        return line
