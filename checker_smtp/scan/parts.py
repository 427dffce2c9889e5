"""The results of a cluster: a folder with a file of lines for each part of the list.

A part has its name only when it is whole, so whatever interrupts a scan leaves whole parts and nothing else.
What they are the results of is noted in the folder, as it is beside a file of results, and gone on with under
the same conditions. The folder's name decides about compression as a file's does.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .results import ResultsError, ScanManifest, compare, lock_note, new_note

__all__ = ["locked_parts", "part_files", "put_part", "suffix_of"]


def part_files(folder: Path) -> list[Path]:
    """The parts in this folder, in their order. Raises OSError."""
    return sorted(folder.glob("part-*.jsonl*"))


def suffix_of(folder: Path) -> str:
    """What the names of its parts end in."""
    packed = folder.suffix.lower()
    return ".jsonl" + (packed if packed in (".gz", ".zst") else "")


@contextmanager
def locked_parts(
    folder: Path, note: ScanManifest, *, resume: bool, force: bool
) -> Iterator[Callable[[], int]]:
    """Keep the folder from other scans; gives what makes it ready, and tells the number of the next part.

    Raises `ResultsError` where the folder cannot be had, and so does what is given; it is as it was then.
    """
    if folder.exists() and not folder.is_dir():
        raise ResultsError(f"{str(folder)!r} is a file: a cluster's results need a folder, name one after -o")
    with ExitStack() as held:
        noted = lock_note(held, folder)
        with _usable(folder):
            parts = part_files(folder)
        if parts and resume:
            compare(folder, note)
        elif parts and not force:
            raise ResultsError(
                f"{str(folder)!r} has results: go on with them with --resume, overwrite them with --force, "
                "or name another folder"
            )

        def clear() -> None:
            _remove(part_files(folder))
            _remove(_unfinished(folder))

        def make_ready() -> int:
            with _usable(folder):
                if not (parts and resume):
                    folder.mkdir(exist_ok=True)
                    held.enter_context(new_note(folder, note, clear, noted=noted))
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
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{str(folder)!r} cannot be used ({error.strerror}): "
            "name a folder that is writable, in one that exists, and has room"
        ) from None


def put_part(folder: Path, number: int, lines: bytes) -> None:
    """Write a part, all of it or nothing. Raises `ResultsError`, as on a full disk."""
    part = folder / f"part-{number:05}{suffix_of(folder)}"
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
            f"{str(part)!r} could not be written: {error.strerror}. "
            "The parts that are there are kept: make room, and go on with the same command and --resume"
        ) from None
