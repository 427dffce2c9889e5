"""The record of one session: its effects and their outcomes, line by line.

A `Transcript` keeps the pairs that `tap` reports and writes them as JSON Lines, one pair a line, octets
as latin-1 text, so that a difference between two records reads as a conversation:

    {"do": "connect", "host": "192.0.2.7", "port": 25, "at": 0.031}
    {"do": "receive", "got": "220 mx.example ESMTP\\r\\n", "at": 0.094}
    {"do": "send", "data": "EHLO probe.example\\r\\n", "at": 0.094}
    {"do": "receive", "failed": "timeout", "at": 12.094}

The line of a TLS handshake has the server's certificate as well, an object with the fields of `Certificate`
that are not empty.

Past 64 reads in a row, reads are joined into one line, which has their number and the time of the first; `at`
is the time of the last. A server that sends its replies octet by octet would need a line for each octet:

    {"do": "receive", "got": "250-mx.example\\r\\n250 ", "reads": 20, "first": 0.112, "at": 0.131}

The timeout of an effect is not part of it: the script computes it from its options and from `at`. Effects
that were read back therefore have the timeout 0. A line that begins with `#` is a comment.
"""

import json
from collections.abc import Iterator
from dataclasses import fields
from operator import index
from typing import Any

from ._certificate import Certificate
from ._effects import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    ReadRun,
    Receive,
    Received,
    Secured,
    Send,
    Upgrade,
)

__all__ = ["Transcript"]


class Transcript:
    """Pairs of effect and outcome, in order; its `note` is an argument for `tap`.

    `MAX_READS` is the number of reads in a row that have an entry of their own.
    """

    MAX_READS = ReadRun.MAX_READS

    def __init__(self) -> None:
        self._entries: list[tuple[Effect, Outcome]] = []
        self._reads = ReadRun()
        # the reads that are to be joined to the last entry, which would be copied for each of them
        self._joined: _JoinedReads | None = None

    def note(self, effect: Effect, outcome: Outcome) -> None:
        """Append a pair; a read past `MAX_READS` and one more in a row is joined to the last one."""
        if self._reads.is_joined(effect, outcome):
            self._join(outcome)
        else:
            self._end_join()
            self._entries.append((effect, outcome))

    def _join(self, read: Outcome) -> None:
        first = self._entries[-1][1]
        assert isinstance(first, Received), first  # noqa: S101 - only reads are joined
        assert isinstance(read, Received), read  # noqa: S101
        if self._joined is None:
            self._joined = _JoinedReads(first)
        self._joined.add(read)

    def _end_join(self) -> None:
        if self._joined is not None:
            self._entries[-1] = self._entries[-1][0], self._joined.outcome()
            self._joined = None

    def __iter__(self) -> Iterator[tuple[Effect, Outcome]]:
        self._end_join()
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> tuple[dict[str, str | int | float], ...]:
        """Return each pair as the JSON object of its line, a certificate aside."""
        return tuple([_as_entry(*pair) for pair in self])

    def dumps(self) -> str:
        """Return the pairs as JSON Lines, ASCII only."""
        return "".join(json.dumps(_as_line(*pair)) + "\n" for pair in self)

    @classmethod
    def loads(cls, text: str) -> "Transcript":
        """Read what `dumps` wrote. Raises ValueError naming the line that is wrong."""
        transcript = cls()
        for number, line in enumerate(text.splitlines(), start=1):
            if line.startswith("#"):
                continue
            try:
                transcript.note(*_from_entry(json.loads(line)))
            except (
                ValueError,
                LookupError,
                TypeError,
                AttributeError,
                OverflowError,
                RecursionError,
            ) as error:
                raise ValueError(f"line {number} is no transcript entry: {error!r}") from error
        return transcript


class _JoinedReads:
    """Reads that become one, beginning with `first`."""

    def __init__(self, first: Received) -> None:
        self._first_at = first.at if first.first_at is None else first.first_at
        self._data = bytearray(first.data)
        self._reads = first.reads
        self._at = first.at

    def add(self, read: Received) -> None:
        self._data += read.data
        self._reads += read.reads
        self._at = read.at

    def outcome(self) -> Received:
        return Received(self._at, bytes(self._data), self._reads, self._first_at)


def _as_entry(effect: Effect, outcome: Outcome) -> dict[str, str | int | float]:
    entry: dict[str, str | int | float]
    match effect:
        case Receive():
            entry = {"do": "receive"}
        case Send():
            entry = {"do": "send", "data": effect.data.decode("latin-1")}
        case Connect():
            entry = {"do": "connect", "host": effect.host, "port": effect.port}
        case _:
            entry = {"do": "upgrade", "server_name": effect.server_name}
    match outcome:
        case Received():
            entry["got"] = outcome.data.decode("latin-1")
            if outcome.first_at is not None:
                entry |= {"reads": outcome.reads, "first": outcome.first_at}
        case Secured():
            entry |= {"version": outcome.version, "cipher": outcome.cipher}
        case Failed():
            entry["failed"] = str(outcome.kind)
            entry |= {"detail": outcome.detail} if outcome.detail else {}
    entry["at"] = outcome.at
    return entry


def _as_line(effect: Effect, outcome: Outcome) -> dict[str, object]:
    entry: dict[str, object] = {**_as_entry(effect, outcome)}
    if isinstance(outcome, Secured) and outcome.certificate is not None:
        named = ((field, getattr(outcome.certificate, field.name)) for field in fields(Certificate))
        entry["certificate"] = {field.name: value for field, value in named if value != field.default}
    return entry


def _from_entry(entry: dict[str, Any]) -> tuple[Effect, Outcome]:
    effect: Effect
    match entry["do"]:
        case "connect":
            effect = Connect(_text(entry["host"]), index(entry["port"]), 0)
        case "send":
            effect = Send(entry["data"].encode("latin-1"), 0)
        case "receive":
            effect = Receive(0)
        case "upgrade":
            effect = Upgrade(_text(entry["server_name"]), 0)
        case other:
            raise ValueError(f"nothing is called {other!r}")
    return effect, _outcome_of(entry, float(entry["at"]))


def _outcome_of(entry: dict[str, Any], at: float) -> Outcome:
    if "failed" in entry:
        return Failed(at, FailureKind(entry["failed"]), _text(entry.get("detail", "")))
    match entry["do"]:
        case "upgrade" if "got" not in entry:
            certificate = _certificate(entry["certificate"]) if "certificate" in entry else None
            return Secured(at, _text(entry["version"]), _text(entry["cipher"]), certificate)
        case "receive" | "upgrade":
            return _received(entry, at)
        case _:
            return Done(at)


def _received(entry: dict[str, Any], at: float) -> Received:
    data = entry["got"].encode("latin-1")
    if "reads" not in entry:
        return Received(at, data)
    if (reads := index(entry["reads"])) < 1:
        raise ValueError(f"{reads} reads have no octets")
    return Received(at, data, reads, float(entry["first"]))


def _certificate(table: dict[str, Any]) -> Certificate:
    self_issued, names = table.get("self_issued"), table.get("dns_names", [])
    if not (self_issued is None or isinstance(self_issued, bool)):
        raise TypeError(f"{self_issued!r} is neither true nor false")
    if not isinstance(names, list):
        raise TypeError(f"{names!r} is no list of names")
    return Certificate(
        sha256=_text(table["sha256"]),
        common_name=_text(table.get("common_name", "")),
        dns_names=tuple(map(_text, names)),
        omitted_names=index(table.get("omitted_names", 0)),
        issuer=_text(table.get("issuer", "")),
        not_before=_text(table.get("not_before", "")),
        not_after=_text(table.get("not_after", "")),
        self_issued=self_issued,
        note=_text(table.get("note", "")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
