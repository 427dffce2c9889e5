"""A case: one whole check as a folder of text files, so that a diff of two reads as a conversation.

    case.toml             the options, the time, the version, the seed
    dns.jsonl             one DNS question a line, sorted by name and type
    1-192.0.2.7.jsonl     one transcript a connection, numbered in the order they were begun
    expected.json         code and subject of every finding, sorted

A case that could be read is complete: each file exists, no other does, and every line was understood.
Every error is one sentence with the file and the line in it, because cases are edited by hand and sent by
strangers.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TypeVar

from checker_smtp.probes.ports import DnsAnswer
from smtp_sansio import Connect, Transcript

from .case_files import (
    Header,
    TextError,
    dump_dns,
    dump_expected,
    dump_header,
    load_dns,
    load_expected,
    load_header,
    load_transcript,
)

__all__ = [
    "Case",
    "CaseError",
    "Header",
    "dump_case",
    "file_name",
    "host_of",
    "load_file",
    "read_case",
    "require_empty",
    "write_case",
]

_T = TypeVar("_T")
_HEADER, _DNS, _EXPECTED = "case.toml", "dns.jsonl", "expected.json"
# A check keeps at most 8 MiB of evidence, and an octet takes at most six characters in a file.
_MAX_MEBIBYTES = 64
_MAX_FILES = 1000
_is_session = re.compile(r"([1-9][0-9]{0,5})-[0-9A-Za-z._-]+\.jsonl").fullmatch


class CaseError(ValueError):
    """A case cannot be read or written; the message is one sentence with the file's name in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Header):
    """One whole check: its options, the answers of DNS and of servers, and its findings.

    `sessions` are in the order in which they were begun; `expected` are pairs of code and subject.
    """

    dns: tuple[DnsAnswer, ...]
    sessions: tuple[Transcript, ...]
    expected: tuple[tuple[str, str], ...]

    @classmethod
    def from_header(
        cls,
        header: Header,
        dns: tuple[DnsAnswer, ...],
        sessions: tuple[Transcript, ...],
        expected: tuple[tuple[str, str], ...],
    ) -> "Case":
        """Return a case with the header's fields and these."""
        head = {field.name: getattr(header, field.name) for field in fields(Header)}
        return cls(**head, dns=dns, sessions=sessions, expected=expected)


def host_of(transcript: Transcript) -> str:
    """Return the address of a session; empty where it never tried to connect."""
    return next((effect.host for effect, _ in transcript if isinstance(effect, Connect)), "")


def file_name(number: int, transcript: Transcript) -> str:
    """Return the name of the file of session `number` (from 1)."""
    return f"{number}-{re.sub('[^0-9A-Za-z.]', '_', host_of(transcript)) or 'nowhere'}.jsonl"


def require_empty(folder: Path) -> None:
    """Raise `CaseError` unless a case can be written to `folder`: it is empty, or can be created."""
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise CaseError(f"{folder} is not empty: name a folder that is, or does not exist yet")
        above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:
        raise CaseError(f"{folder} cannot be read: {_reason(error)}") from None
    if not above.is_dir():
        raise CaseError(f"{above} is a file: name a folder that is empty, or does not exist yet")
    if not os.access(above, os.W_OK | os.X_OK):
        raise CaseError(f"{above} cannot be written to: name another folder")


def dump_case(case: Case) -> dict[str, str]:
    """Return the texts of the case's files by their names, to be written as UTF-8 with LF."""
    return {
        **{file_name(n, one): one.dumps() for n, one in enumerate(case.sessions, start=1)},
        _DNS: dump_dns(case.dns),
        _EXPECTED: dump_expected(case.expected),
        _HEADER: dump_header(case),
    }


def write_case(folder: Path, case: Case) -> None:
    """Write `case` to `folder`, all of it or nothing. Raises `CaseError`, as `require_empty` does."""
    require_empty(folder)
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in dump_case(case).items():
            written.append(folder / name)
            written[-1].write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise CaseError(f"{folder} could not be written: {_reason(error)}") from None


def read_case(folder: Path) -> Case:
    """Read the case in `folder`. Raises `CaseError`. Hidden files are ignored."""
    names = _names_in(folder)
    for name in (_HEADER, _DNS, _EXPECTED):
        if name not in names:
            raise CaseError(
                f"{folder / name} is missing: a case has {_HEADER}, {_DNS}, {_EXPECTED} "
                "and a file for each connection"
            )
    return Case.from_header(
        load_file(folder / _HEADER, load_header),
        load_file(folder / _DNS, load_dns),
        _read_sessions(folder, names - {_HEADER, _DNS, _EXPECTED}),
        load_file(folder / _EXPECTED, load_expected),
    )


def _names_in(folder: Path) -> set[str]:
    """Return the names of the files in a case from anyone, none of which blocks or fills the memory."""
    try:
        with os.scandir(folder) as entries:
            visible = (entry.name for entry in entries if not entry.name.startswith("."))
            names = set(islice(visible, _MAX_FILES + 1))
    except OSError as error:
        raise CaseError(f"{folder} is no case, which is a folder: {_reason(error)}") from None
    if len(names) > _MAX_FILES or sum(_size_of(folder / name) for name in names) > _MAX_MEBIBYTES << 20:
        raise CaseError(
            f"{folder} is too large: a case has at most {_MAX_FILES} files and {_MAX_MEBIBYTES} MiB. "
            "Give the folder of one check"
        )
    return names


def _size_of(path: Path) -> int:
    try:
        found = path.stat()
    except OSError as error:
        raise CaseError(f"{path} cannot be read: {_reason(error)}") from None
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise CaseError(f"{path} is a pipe, a socket or a device: a case has plain files only")
    return found.st_size


def _read_sessions(folder: Path, names: set[str]) -> tuple[Transcript, ...]:
    numbered: dict[int, str] = {}
    for name in sorted(names):
        match = _is_session(name)
        if match is None:
            raise CaseError(
                f"{folder / name} does not belong to a case: connections are called as in 1-192.0.2.7.jsonl"
            )
        if int(match[1]) in numbered:
            raise CaseError(f"{folder / name} has the number of {numbered[int(match[1])]}: give it another")
        numbered[int(match[1])] = name
    sessions = []
    for number in range(1, len(numbered) + 1):
        if number not in numbered:
            raise CaseError(f"{folder} has no connection {number}: number them from 1 to {len(numbered)}")
        transcript = load_file(folder / numbered[number], load_transcript)
        if numbered[number] != file_name(number, transcript):
            expected = file_name(number, transcript)
            raise CaseError(
                f"{folder / numbered[number]} is a connection to another address: call it {expected}"
            )
        sessions.append(transcript)
    return tuple(sessions)


def load_file(path: Path, load: Callable[[str], _T]) -> _T:
    """Return what `load` reads in the text of a file. Raises `CaseError` with the file and the line."""
    try:
        return load(path.read_text(encoding="utf-8"))
    except TextError as error:
        where = f"{path}, line {error.line}" if error.line else str(path)
        raise CaseError(f"{where}: {error}") from None
    except UnicodeDecodeError:
        raise CaseError(f"{path} is no text in UTF-8") from None
    except OSError as error:
        raise CaseError(f"{path} cannot be read: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
