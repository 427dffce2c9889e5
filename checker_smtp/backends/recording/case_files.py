"""The files of a case: a pair of functions, dump and load, for each kind.

Everything that is read may be wrong; `TextError` is the reason, with the line where it has one. A file of a
newer or older version is accepted as long as every key in it is known: a missing option has its default, an
unknown one is an error, because it would change the meaning of the case.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, TypeVar

import msgspec
import tomli_w

from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.ports import DnsAnswer
from smtp_sansio import Transcript

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "CASE_FORMAT",
    "PARTIAL_RETRIES",
    "Header",
    "TextError",
    "dump_dns",
    "dump_expected",
    "dump_header",
    "load_dns",
    "load_expected",
    "load_header",
    "load_transcript",
]

_D = TypeVar("_D", bound="DataclassInstance")

# Options that have another name in older cases.
_RENAMED = {"revisit": "retry_deferred"}


class TextError(ValueError):
    """A text is wrong, in one sentence; `line` counts from 1 (0: the whole text), `key` is the wrong key."""

    def __init__(self, message: str, line: int = 0, key: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.key = key


CASE_FORMAT = 4
PARTIAL_RETRIES = 4
"""The format since which a retry asks only what was deferred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The head of a case: `run_at` is RFC 3339, `seconds` the duration of the check, `resolver` a name.

    `format` is 1 where the case has none: such a check made no connections to continue one that a server
    closed, and none to a control recipient. Before format 3 no control questions were asked, and before
    format 4 a retry asked everything again.
    """

    version: str
    run_at: str
    seed: int
    seconds: float
    resolver: str
    options: Options
    format: int = 1

    def __post_init__(self) -> None:
        try:
            zoned = datetime.fromisoformat(self.run_at).tzinfo is not None
        except ValueError:
            zoned = False
        if not zoned:
            raise ValueError(
                f"run_at is {self.run_at!r}: give a time such as 2025-01-31T12:00:00Z (RFC 3339)"
            )
        if not 0 <= self.seconds < inf:
            raise ValueError(f"seconds is {self.seconds}: give the duration of the check")


@dataclass(frozen=True, slots=True, order=True)
class _Expected:
    code: str
    subject: str


def dump_header(header: Header) -> str:
    """Return the text of `case.toml`."""
    top = {f.name: getattr(header, f.name) for f in fields(Header) if f.name != "options"}
    options = {f.name: getattr(header.options, f.name) for f in fields(header.options)}
    return tomli_w.dumps(top | {"options": options})


def load_header(text: str) -> Header:
    """Read `case.toml`. Raises `TextError`, as every reader here does."""
    try:
        table = tomllib.loads(text)
    except ValueError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise TextError(f"this is no TOML: {error}", int(line[1]) if line else 0) from None
    except RecursionError:
        raise TextError("this is nested too deeply") from None
    try:
        options = table.pop("options", {})
        if isinstance(options, dict):
            options = {_RENAMED.get(key, key): value for key, value in options.items()}
        options = _build(Options, options)
        return _build(Header, table | {"options": options})
    except TextError as error:
        raise TextError(str(error), _line_of(text, error.key)) from None


def _line_of(text: str, key: str) -> int:
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if key and re.match(rf"\s*{key}\s*=", line)), 0)


def dump_dns(answers: Iterable[DnsAnswer]) -> str:
    """Return the text of `dns.jsonl`, sorted by name and type; equal questions stay in their order."""
    ordered = sorted(answers, key=lambda answer: (answer.name, answer.rdtype, answer.unvalidated))
    return "".join(json.dumps(_dns_row(answer)) + "\n" for answer in ordered)


def _dns_row(answer: DnsAnswer) -> dict[str, object]:
    row: dict[str, object] = msgspec.to_builtins(answer)
    return {key: value for key, value in row.items() if value or key not in ("omitted", "unvalidated")}


def load_dns(text: str) -> tuple[DnsAnswer, ...]:
    """Read `dns.jsonl`."""
    return tuple(_in_line(n, line) for n, line in enumerate(text.splitlines(), start=1))


def _in_line(number: int, line: str) -> DnsAnswer:
    try:
        return _build(DnsAnswer, _json(line))
    except TextError as error:
        raise TextError(str(error), number, error.key) from None


def dump_expected(expected: Iterable[tuple[str, str]]) -> str:
    """Return the text of `expected.json`, one finding a line, sorted."""
    lines = [json.dumps({"code": code, "subject": subject}) for code, subject in sorted(expected)]
    return "[\n  " + ",\n  ".join(lines) + "\n]\n" if lines else "[]\n"


def load_expected(text: str) -> tuple[tuple[str, str], ...]:
    """Read `expected.json`."""
    items = _json(text)
    if not isinstance(items, list):
        raise TextError('give a list of findings, each {"code": "…", "subject": "…"}')
    return tuple((one.code, one.subject) for one in sorted(_build(_Expected, item) for item in items))


def load_transcript(text: str) -> Transcript:
    """Read the transcript of one connection, which has at least one entry."""
    try:
        transcript = Transcript.loads(text)
    except ValueError as error:
        line = re.match(r"line (\d+) is (.*)", str(error), re.DOTALL)
        raise TextError(f"this is {line[2]}" if line else str(error), int(line[1]) if line else 0) from None
    if not len(transcript):
        raise TextError("nothing is in it: delete the file, and number the others anew")
    for number, (_, outcome) in enumerate(transcript, start=1):
        if not 0 <= outcome.at < inf:
            raise TextError(f"at is {outcome.at}: give seconds since the session began", number)
    return transcript


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        at = re.search(r" \(byte (\d+)\)", str(error))
        octets = text.encode()[: int(at[1])] if at else text.encode()
        words = re.sub(r"^JSON is malformed: | \(byte \d+\)$", "", str(error))
        raise TextError(f"this is no JSON: {words}", octets.count(b"\n") + 1) from None
    except RecursionError:
        raise TextError("this is nested too deeply") from None


def _build(kind: type[_D], table: object) -> _D:
    """Build the dataclass `kind` from a table that was read."""
    known: Sequence[str] = [f.name for f in fields(kind)]
    if not isinstance(table, dict):
        raise TextError(f"give the keys {', '.join(known)} here, not {table!r:.40}")
    for key in table:
        if key not in known:
            raise TextError(f"there is no {key!r} here: the keys are {', '.join(known)}", key=key)
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        words = re.sub(r"(.*) - at `\$\.(.*)`", r"\2: \1", str(error))
        cause, first = error.__cause__, re.match(r"\w*", words)
        key = cause.option if isinstance(cause, OptionError) else first[0] if first else ""
        raise TextError(words, key=key) from None
