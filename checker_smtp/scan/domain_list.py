"""The list of domains as it comes in: one a line, or one column of a CSV.

Blank lines and comments (`#`) are passed over. A name that cannot be one is an entry like any other, with
the sentence that says why; so is one on the stop list. Each is given once, however often and in whichever
spelling it occurs. Lines are read one after the other and none is kept.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from checker_smtp.probes.options import OptionError, host_name

from .politeness import Exclusions

__all__ = ["DomainListError", "Entry", "entries", "texts"]

# A host name has 253 octets; whoever sends more has sent no list of names.
_MAX_LINE = 4096
# A row of a CSV holds whatever else is known of the domain.
_MAX_ROW = 1 << 16
# What is no name is told this far.
_MAX_SHOWN = 300


class DomainListError(ValueError):
    """The list cannot be read as one; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `domain` in A-labels, or as it was given where it is not to be checked (`skip_reason`).

    `skip_reason` is `bad-name` or `stop-list`, and `reason` its sentence.
    """

    domain: str
    skip_reason: str = ""
    reason: str = ""


def texts(lines: Iterable[bytes], column: str | None) -> Iterator[str]:
    """The names, as they are spelled in `lines`. Raises `DomainListError` where there is no such column."""
    most = _MAX_LINE if column is None else _MAX_ROW
    decoded = (
        line[:most].decode("utf-8-sig" if n == 0 else "utf-8", "replace") for n, line in enumerate(lines)
    )
    if column is not None:
        yield from _cells(decoded, column)
        return
    for line in decoded:
        if name := line.partition("#")[0].strip():
            yield name


def _cells(lines: Iterator[str], column: str) -> Iterator[str]:
    """What is in this column; lines that are no CSV are given as they are, as a name that cannot be one."""
    taken: list[str] = []

    def noted() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    # a quotation mark that is never closed must not swallow the rest of the list unnoticed
    rows = csv.reader(noted(), strict=True)
    header = [cell.strip() for cell in _row(rows) or ()]
    if column not in header:
        raise DomainListError(
            f"the list has no column {column!r}: its first line names {', '.join(header)[:200] or 'none'}"
        )
    place = header.index(column)
    taken.clear()
    while (row := _row(rows)) is not None:
        cell = "".join(taken) if not row else row[place] if len(row) > place else ""
        taken.clear()
        if (name := cell[:_MAX_LINE].strip()) and not name.startswith("#"):
            yield name


def _row(rows: Iterator[list[str]]) -> list[str] | None:
    """The next row: empty where it is blank or no CSV, None where there is none."""
    try:
        return next(rows, None)
    except csv.Error:
        return []


def entries(names: Iterable[str], stop: Exclusions, new: Callable[[str], bool]) -> Iterator[Entry]:
    """What is to be done about each name; `new` tells whether it comes for the first time."""
    for name in names:
        try:
            domain = host_name("domain", name)
        except OptionError as error:
            shown = name[:_MAX_SHOWN]
            if new(shown):
                yield Entry(shown, "bad-name", str(error))
            continue
        if not new(domain):
            continue
        if stop.names(domain):
            yield Entry(domain, "stop-list", f"{domain} is on the stop list of this scan")
        else:
            yield Entry(domain)
