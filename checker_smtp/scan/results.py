"""The result lines of a scan, written as they are done or in the order of the list, and continued later.

Beside the results lies a manifest, which names the list and the options they belong to. A scan that was
interrupted, however, is continued if its manifest matches: a half-written last line is cut off, domains that
have a line are skipped, and the rest is appended. Results without a line have nothing to lose, so that scan
starts anew. Two scans at once would spoil each other's lines, so the manifest is locked while one runs.
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
    "ResultsError",
    "ResultsWriter",
    "ScanManifest",
    "lock_manifest",
    "locked_results",
    "new_manifest",
    "open_results",
    "read_done_domains",
    "require_same_scan",
]

# Octets of lines kept in memory until the lines before them are done; more are kept in a temporary file.
_MAX_EARLY = 1 << 24


class ResultsError(ValueError):
    """The results cannot be written or continued; the message says why and how to fix it."""


class ScanManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The input of a scan: the digest of its list, and the options that change a result."""

    list_digest: str
    options: dict[str, str]

    @staticmethod
    def path_of(results: Path) -> Path:
        """Return the path of the manifest: beside a file of results, or in their folder."""
        return results / ".scan" if results.is_dir() else results.with_name(results.name + ".scan")

    @classmethod
    def read(cls, results: Path) -> "ScanManifest | None":
        """Return the manifest of these results; None where it is missing or unreadable."""
        try:
            return msgspec.json.decode(cls.path_of(results).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return None


@contextmanager
def locked_results(
    results: Path, manifest: ScanManifest, *, resume: bool, force: bool
) -> Iterator[Callable[[], None]]:
    """Lock the results against other scans; yield a function that repairs or empties them.

    Both raise `ResultsError` where the results cannot be used, and `LinesError`; they are unchanged then.
    """
    with ExitStack() as locks:
        has_manifest = lock_manifest(locks, results)
        with _os_errors_reported(results):
            exists = results.exists()
            continues = resume and exists and results.stat().st_size > 0
        if continues:
            require_same_scan(results, manifest)
        elif exists and not (force or resume):
            raise ResultsError(
                f"{str(results)!r} cannot be written: the file exists. Continue that scan with --resume, "
                "overwrite the file with --force, or name another one."
            )

        def make_ready() -> None:
            with _os_errors_reported(results):
                if continues:
                    repair(results)
                else:
                    locks.enter_context(_empty_results(results, manifest, has_manifest=has_manifest))

        yield make_ready


@contextmanager
def _os_errors_reported(results: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{str(results)!r} cannot be used: {error.strerror}. "
            "Name a file in a folder that is writable and has free space."
        ) from None


@contextmanager
def _empty_results(results: Path, manifest: ScanManifest, *, has_manifest: bool) -> Iterator[None]:
    """Replace the manifest by a new one, locked, and empty the results."""
    for old in filter(Path.exists, (results, ScanManifest.path_of(results))):
        # fails before anything was changed if the file is not writable
        old.open("ab").close()

    def clear() -> None:
        if results.exists():
            results.write_bytes(b"")

    with new_manifest(results, manifest, clear, has_manifest=has_manifest):
        yield


def lock_manifest(locks: ExitStack, results: Path) -> bool:
    """Lock the manifest of these results until `locks` is closed; False where there is none.

    Raise `ResultsError` where another scan holds the lock.
    """
    with suppress(OSError):
        _lock(locks.enter_context(ScanManifest.path_of(results).open("rb")), results)
        return True
    return False


@contextmanager
def new_manifest(
    results: Path, manifest: ScanManifest, clear: Callable[[], None], *, has_manifest: bool
) -> Iterator[None]:
    """Replace the manifest by a new one and lock it; `has_manifest` is the result of `lock_manifest`.

    `clear` is called before the replacement, so that old results never lie beside the new manifest. Raise
    `ResultsError` where another scan is writing there, even if it started after `lock_manifest`, and OSError.
    """
    path = ScanManifest.path_of(results)
    new = path.with_name(path.name + ".new")
    with ExitStack() as locks:
        # opened without truncation: another scan may hold the lock and be about to rename the file
        file = locks.enter_context(new.open("ab"))
        _lock(file, results)
        locks.callback(new.unlink, missing_ok=True)
        if path.is_file() and not has_manifest:
            raise _in_use(results)
        file.truncate(0)
        file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        file.flush()
        clear()
        new.replace(path)
        yield


def _lock(file: IO[bytes], results: Path) -> None:
    """Lock the manifest until `file` is closed or this process ends."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _in_use(results) from None


def _in_use(results: Path) -> ResultsError:
    return ResultsError(
        f"{str(results)!r} cannot be used: another scan is writing it. Wait until that scan has ended."
    )


def require_same_scan(results: Path, manifest: ScanManifest) -> None:
    """Raise `ResultsError` where the results belong to another list or other options than `manifest`."""
    before = ScanManifest.read(results)
    if before is None:
        raise ResultsError(
            f"{str(results)!r} cannot be continued: {str(ScanManifest.path_of(results))!r}, which a scan "
            "writes beside its results, is missing or unreadable. "
            "Name another file, or overwrite this one with --force."
        )
    if before.list_digest != manifest.list_digest:
        raise ResultsError(
            f"{str(results)!r} cannot be continued: it has the results of another list. "
            "Give that list, or name another file for the results."
        )
    changed = sorted(
        name
        for name in before.options.keys() | manifest.options.keys()
        if before.options.get(name) != manifest.options.get(name)
    )
    if changed:
        differences = "; ".join(f"{name} was {before.options.get(name, 'not given')}" for name in changed)
        raise ResultsError(
            f"{str(results)!r} cannot be continued: it was written with other options ({differences}). "
            "Give the same ones."
        )


class _ObservationHead(msgspec.Struct):
    domain: str


class _LineHead(msgspec.Struct):
    """The domain of a line: in the observation, or beside `not_checked`."""

    domain: str = ""
    observation: _ObservationHead | None = None


def read_done_domains(results: Path) -> Iterator[str]:
    """Yield the domain of each line, in results that are whole. Raise `ResultsError`."""
    if not results.exists():
        return
    decode = msgspec.json.Decoder(_LineHead).decode
    with _os_errors_reported(results), open_lines(results) as lines:
        for number, line in enumerate(lines, 1):
            try:
                head = decode(line)
            except (msgspec.MsgspecError, UnicodeError):
                head = _LineHead()
            domain = head.observation.domain if head.observation else head.domain
            if not domain:
                raise ResultsError(
                    f"{str(results)!r} cannot be continued: line {number} is not a line of a scan. "
                    "Remove it, or name another file."
                )
            yield domain


class ResultsWriter:
    """Writes lines by the number of their entry: at once, or in that order if `early` is given."""

    def __init__(self, path: Path, target: LineWriter, early: "_LineBuffer | None") -> None:
        self._path = path
        self._target = target
        self._early = early
        self._next = 0

    def put(self, number: int, line: bytes) -> None:
        """Write a line, or keep it until those before it are done. Raise `ResultsError`."""
        with _write_errors_reported(self._path):
            if self._early is None:
                self._target.write(line)
            else:
                self._early.put(number, line)
                while (due := self._early.take(self._next)) is not None:
                    self._target.write(due)
                    self._next += 1
            self._target.flush()


@contextmanager
def open_results(path: Path, *, in_order: bool) -> Iterator[ResultsWriter]:
    """Open the results at `path` for appending. Raise `ResultsError`."""
    with _write_errors_reported(path), LineWriter(path, append=True) as target:
        if not in_order:
            yield ResultsWriter(path, target, None)
            return
        with tempfile.SpooledTemporaryFile(max_size=_MAX_EARLY, dir=str(path.parent)) as file:
            yield ResultsWriter(path, target, _LineBuffer(file))


@contextmanager
def _write_errors_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{str(path)!r} cannot be written: {error.strerror}. The lines so far are kept. "
            "Free some disk space and continue with the same command and --resume."
        ) from None


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
