"""The results of a scan on a cluster: a folder with one file of lines for each part of the list.

A part gets its name when it is complete, so an interrupted scan leaves complete parts only. The manifest of
the results lies in the folder, and a scan is continued under the same conditions as with a file of results.
The extension of the folder's name chooses the compression, as that of a file does.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .results import ResultsError, ScanManifest, lock_manifest, new_manifest, require_same_scan

__all__ = ["locked_parts", "part_files", "part_suffix", "put_part"]


def part_files(folder: Path) -> list[Path]:
    """Return the parts in this folder, in the order of the list. Raise OSError."""
    return sorted(folder.glob("part-*.jsonl*"))


def part_suffix(folder: Path) -> str:
    """Return the extension of the parts in this folder, such as `.jsonl.gz`."""
    compression = folder.suffix.lower()
    return ".jsonl" + (compression if compression in (".gz", ".zst") else "")


@contextmanager
def locked_parts(
    folder: Path, manifest: ScanManifest, *, resume: bool, force: bool
) -> Iterator[Callable[[], int]]:
    """Lock the folder against other scans; yield a function that prepares it and returns the next number.

    Both raise `ResultsError` where the folder cannot be used; it is unchanged then.
    """
    if folder.exists() and not folder.is_dir():
        raise ResultsError(
            f"{str(folder)!r} cannot be used: it is a file, and a cluster writes a folder. Name one after -o."
        )
    with ExitStack() as locks:
        has_manifest = lock_manifest(locks, folder)
        with _os_errors_reported(folder):
            parts = part_files(folder)
        if parts and resume:
            require_same_scan(folder, manifest)
        elif parts and not force:
            raise ResultsError(
                f"{str(folder)!r} cannot be written: it has results. Continue that scan with --resume, "
                "overwrite them with --force, or name another folder."
            )

        def clear() -> None:
            _remove(part_files(folder))
            _remove(_unfinished(folder))

        def make_ready() -> int:
            with _os_errors_reported(folder):
                if not (parts and resume):
                    folder.mkdir(exist_ok=True)
                    locks.enter_context(new_manifest(folder, manifest, clear, has_manifest=has_manifest))
                    return 0
                _remove(_unfinished(folder))
            return int(parts[-1].name.removeprefix("part-").partition(".")[0]) + 1

        yield make_ready


def _unfinished(folder: Path) -> list[Path]:
    return list(folder.glob(".part-*"))


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink()


@contextmanager
def _os_errors_reported(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{str(folder)!r} cannot be used: {error.strerror}. "
            "Name a folder that is writable, in an existing one with free space."
        ) from None


def put_part(folder: Path, number: int, lines: bytes) -> None:
    """Write a part completely or not at all. Raise `ResultsError`, as on a full disk."""
    part = folder / f"part-{number:05}{part_suffix(folder)}"
    unfinished = part.with_name(f".{part.name}")
    try:
        with unfinished.open("wb") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(part)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise ResultsError(
            f"{str(part)!r} cannot be written: {error.strerror}. The parts so far are kept. "
            "Free some disk space and continue with the same command and --resume."
        ) from None
