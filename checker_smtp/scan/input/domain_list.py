"""The list of domains, a file that is read several times: one domain a line, or one column of a CSV.

Blank lines and comments (`#`) are skipped. An invalid or excluded name is a domain as well, with the reason
for not checking it. Duplicates are dropped, whatever their spelling. Lines are read one by one and none is
kept. A quotation mark left open and UTF-16 are errors, because they could hide many domains in one.
"""

import csv
import hashlib
import tempfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from checker_smtp.lines import open_lines
from checker_smtp.probes.options import OptionError, host_name
from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.politeness.exclusions import Exclusions

__all__ = ["DomainList", "DomainListError", "open_domain_list", "read_domains", "read_names"]

# A host name has at most 253 octets; a line longer than this is not a list of names.
_MAX_LINE = 4096
# A row of a CSV holds other columns as well.
_MAX_ROW = 1 << 16
# Characters of a row after its first line: a quotation mark left open must not hide the lines behind it.
_MAX_CONTINUED = 253
# Characters of an invalid name that are reported.
_MAX_SHOWN = 300


class DomainListError(ValueError):
    """The list of domains cannot be read; the message says why and how to fix it."""


@dataclass(frozen=True, slots=True)
class DomainList:
    """A list of names that can be read several times; `length` is their number, duplicates included."""

    path: Path
    column: str | None
    digest: str
    length: int

    @contextmanager
    def open(self, exclusions: Exclusions, is_new: Callable[[str], bool]) -> Iterator[Iterator[DomainScan]]:
        """Open the list, and yield its names as `read_domains` does.

        Raise `DomainListError` and `LinesError`, also while they are read.
        """
        with closing(_lines(self.path)) as lines:
            yield read_domains(read_names(lines, self.column), exclusions, is_new)


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


def read_names(lines: Iterable[bytes], column: str | None) -> Iterator[str]:
    """Yield the names in `lines` as spelled there.

    Raise `DomainListError` for a list in UTF-16, a `column` that does not exist, and an open quotation mark.
    """
    decoded = _decoded(lines, _MAX_LINE if column is None else _MAX_ROW)
    if column is not None:
        yield from _cells(decoded, column)
        return
    for line in decoded:
        if name := line.partition("#")[0].strip():
            yield name


def _decoded(lines: Iterable[bytes], max_octets: int) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == 0 and (line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or _is_utf_16(line)):
            raise DomainListError(
                "the list is in UTF-16: give it in UTF-8, as made by: iconv -f UTF-16 -t UTF-8 LIST"
            )
        yield line[:max_octets].decode("utf-8-sig" if number == 0 else "utf-8", "replace")


def _is_utf_16(line: bytes) -> bool:
    """Return True for a line of ASCII whose characters have two octets or more, one of them not zero."""
    return len(line) > 3 and 0 in (sum(line[:4:2]), sum(line[1:4:2]))


def _cells(lines: Iterator[str], column: str) -> Iterator[str]:
    """Yield the cells of this column; a line that is not CSV is yielded whole, as an invalid name."""
    row_lines: list[str] = []
    row_number = 0

    def recorded() -> Iterator[str]:
        nonlocal row_number
        for number, line in enumerate(lines, start=1):
            if not row_lines:
                row_number = number
            row_lines.append(line)
            if sum(map(len, row_lines[1:])) > _MAX_CONTINUED:
                raise _open_quotation(row_number)
            yield line

    rows = csv.reader(recorded(), strict=True)
    header = [cell.strip() for cell in _next_row(rows) or ()]
    if column not in header:
        raise DomainListError(
            f"the list has no column {column!r}: its first line names {', '.join(header)[:200] or 'none'}"
        )
    index = header.index(column)
    row_lines.clear()
    while (row := _next_row(rows)) is not None:
        if len(row_lines) > 1 and (not row or "\n" in "".join(row[index : index + 1])):
            raise _open_quotation(row_number)
        cell = "".join(row_lines) if not row else row[index] if len(row) > index else ""
        row_lines.clear()
        if (name := cell[:_MAX_LINE].strip()) and not name.startswith("#"):
            yield name


def _open_quotation(number: int) -> DomainListError:
    return DomainListError(
        f"line {number} of the list opens a quotation mark that is not closed within {_MAX_CONTINUED} "
        "characters: close it, or double a quotation mark that is part of the text"
    )


def _next_row(rows: Iterator[list[str]]) -> list[str] | None:
    """Return the next row: empty for a blank line or one that is not CSV, None at the end."""
    try:
        return next(rows, None)
    except csv.Error:
        return []


def read_domains(
    names: Iterable[str], exclusions: Exclusions, is_new: Callable[[str], bool]
) -> Iterator[DomainScan]:
    """Yield each different name as a domain; `is_new` returns False for a name it was given before."""
    numbers = count()
    for name in names:
        try:
            domain = host_name("domain", name)
        except OptionError as error:
            shown = name[:_MAX_SHOWN]
            if is_new(shown):
                yield DomainScan(number=next(numbers), name=shown, not_checked="bad-name", reason=str(error))
            continue
        if not is_new(domain):
            continue
        found = DomainScan(number=next(numbers), name=domain)
        if exclusions.has_domain(domain):
            found.not_checked, found.reason = "stop-list", f"{domain} is on the stop list of this scan"
        yield found
