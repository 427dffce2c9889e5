"""The manifest of a scan's results: the list and the options they belong to, and the lock of the results.

A scan that was interrupted, however, is continued if its manifest matches: a half-written end is cut off,
domains that have a line are skipped, and the rest is appended. Results without a line have nothing to lose,
so that scan starts anew. Two scans at once would spoil each other's lines, so the manifest is locked while
one runs.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

from .results import Results, ResultsError

__all__ = ["ScanManifest", "locked_results"]


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
    results: Results, manifest: ScanManifest, *, resume: bool, force: bool
) -> Iterator[Callable[[], None]]:
    """Lock the results against other scans; yield a function that repairs or empties them.

    Both raise `ResultsError` where the results cannot be used, and `LinesError`; they are unchanged then.
    """
    with ExitStack() as locks:
        has_manifest = _lock_manifest(locks, results.path)
        with results.os_errors_reported():
            exist = bool(results.files())
            continues = resume and any(file.stat().st_size for file in results.files())
        if continues:
            _require_same_scan(results.path, manifest)
        elif exist and not (force or resume):
            raise ResultsError(f"{str(results.path)!r} cannot be written: {results.exist}")

        def make_ready() -> None:
            with results.os_errors_reported():
                if continues:
                    results.repair()
                else:
                    locks.enter_context(_new_manifest(results, manifest, has_manifest=has_manifest))

        yield make_ready


def _lock_manifest(locks: ExitStack, path: Path) -> bool:
    """Lock the manifest of these results until `locks` is closed; False where there is none."""
    with suppress(OSError):
        _lock(locks.enter_context(ScanManifest.path_of(path).open("rb")), path)
        return True
    return False


@contextmanager
def _new_manifest(results: Results, manifest: ScanManifest, *, has_manifest: bool) -> Iterator[None]:
    """Empty the results, and replace their manifest by a new one, locked.

    The results are emptied before the replacement, so that old lines never lie beside the new manifest. Raise
    `ResultsError` where another scan is writing there, even if it started after `_lock_manifest`; and
    OSError.
    """
    results.require_writable()
    path = ScanManifest.path_of(results.path)
    if path.exists():
        path.open("ab").close()
    new = path.with_name(path.name + ".new")
    with ExitStack() as locks:
        # opened without truncation: another scan may hold the lock and be about to rename the file
        file = locks.enter_context(new.open("ab"))
        _lock(file, results.path)
        locks.callback(new.unlink, missing_ok=True)
        if path.is_file() and not has_manifest:
            raise _in_use(results.path)
        file.truncate(0)
        file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        file.flush()
        results.clear()
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


def _require_same_scan(results: Path, manifest: ScanManifest) -> None:
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
