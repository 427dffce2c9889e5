"""The file of a list, which is read several times."""

import hashlib
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from checker_smtp.lines import open_lines

from .domain_list import DomainListError, read_names

__all__ = ["DomainList", "open_domain_list"]


@dataclass(frozen=True, slots=True)
class DomainList:
    """A list of names that can be read several times; `length` is their number, duplicates included."""

    path: Path
    column: str | None
    digest: str
    length: int

    @contextmanager
    def open_names(self) -> Iterator[Iterator[str]]:
        """Open the list and yield its names as spelled there. Raise `DomainListError` and `LinesError`."""
        with closing(_lines(self.path)) as lines:
            yield read_names(lines, self.column)


@contextmanager
def open_domain_list(path: Path, column: str | None) -> Iterator[DomainList]:
    """Open the list in this file; copy it first if it can be read only once, as standard input (`-`).

    Raise `DomainListError` and `LinesError`.
    """
    if path != Path("-") and path.is_file():
        yield _measured(path, column)
        return
    with tempfile.TemporaryDirectory(prefix="checker-smtp-") as folder:
        copy = Path(folder) / "list"
        _copy(path, copy)
        yield _measured(copy, column)


def _copy(path: Path, copy: Path) -> None:
    try:
        with copy.open("wb") as file:
            file.writelines(_lines(path))
    except OSError as error:
        raise DomainListError(
            f"{_description(path)} cannot be copied to {str(copy.parent)!r}: {error.strerror}. "
            "Free some disk space, or set TMPDIR to another disk."
        ) from None


def _lines(path: Path) -> Generator[bytes, None, None]:
    try:
        with open_lines(path, require_whole=True) as lines:
            yield from lines
    except OSError as error:
        raise DomainListError(f"{_description(path)} cannot be read: {error.strerror}") from None


def _description(path: Path) -> str:
    return "the list from standard input" if path == Path("-") else repr(str(path))


def _measured(path: Path, column: str | None) -> DomainList:
    digest = hashlib.sha256((column or "").encode())

    def digested(lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            digest.update(line)
            yield line

    with closing(_lines(path)) as lines:
        length = sum(1 for _ in read_names(digested(lines), column))
    return DomainList(path, column, digest.hexdigest(), length)
