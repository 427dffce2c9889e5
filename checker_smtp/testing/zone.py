"""DNS records as data, and a resolver that answers from them without a network."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeAlias

import anyio
from anyio.lowlevel import checkpoint

from checker_smtp.probes.ports import DnsAnswer, DnsStatus

__all__ = ["FakeResolver", "Lookup", "Zone"]

Lookup: TypeAlias = Callable[[str, str], DnsAnswer]
"""Answers the question for a name and a record type."""

# A check asks for the root's name servers to find out if a resolver works (`probes.lookups`), and the SOA is
# part of every negative answer (RFC 2308 §3).
_ROOT: Final = (
    ". NS a.root-servers.net.",
    ". SOA a.root-servers.net. hostmaster.root-servers.net. 1 3600 600 86400 60",
)


class Zone:
    """The records of a whole world, rooted at `.`: a name that is not written does not exist.

    `records` has one record per line or item, as owner, type and data, without TTL and class; every record
    gets `ttl`, in seconds. Owners may lack the final dot. Data that begins with `!` is a failure: a
    `DnsStatus` and its detail. `answers` are returned as they are. Aliases are followed as a recursive
    resolver does. NS and SOA of the root are added where they are missing.

    >>> zone = Zone("example.org MX 10 mx.example.org.\\nmx.example.org A !servfail lame delegation")
    >>> zone.lookup("example.org", "MX").records
    ('example.org. 300 IN MX 10 mx.example.org.',)

    Raises `ValueError` for a record of fewer than three words.
    """

    def __init__(self, records: str | Iterable[str] = "", *answers: DnsAnswer, ttl: int = 300) -> None:
        self._ttl = ttl
        self._answers = {(answer.name, answer.rdtype): answer for answer in answers}
        self._data: dict[tuple[str, str], list[str]] = defaultdict(list)
        lines = records.splitlines() if isinstance(records, str) else list(records)
        for line in filter(None, map(str.strip, lines)):
            self._add(line)
        for line in _ROOT:
            if tuple(line.split(maxsplit=2)[:2]) not in self._data:
                self._add(line)
        self._owners = {ancestor for owner, _ in self._data for ancestor in _ancestors(owner)}

    def lookup(self, name: str, rdtype: str) -> DnsAnswer:
        """Return the answer to a question, in any case of letters.

        A name with names below it exists (RFC 8020 §2). Aliases in a circle are `DnsStatus.ERROR`.
        """
        if given := self._answers.get((name, rdtype)):
            return given
        records: list[str] = []
        owner, seen = name, {name.lower()}
        while not (data := self._get(owner, rdtype)) and (alias := self._get(owner, "CNAME")):
            records.append(self._record(owner, "CNAME", alias[0]))
            owner = _relative(alias[0])
            if owner.lower() in seen:
                return _answer(name, rdtype, DnsStatus.ERROR, records, "the aliases lead in a circle")
            seen.add(owner.lower())
        if data and data[0].startswith("!"):
            status, _, detail = data[0][1:].partition(" ")
            return _answer(name, rdtype, DnsStatus(status), records, detail)
        if data:
            records += [self._record(owner, rdtype, item) for item in data]
            return _answer(name, rdtype, DnsStatus.ANSWER, records)
        exists = owner.lower() in self._owners
        return _answer(name, rdtype, DnsStatus.NODATA if exists else DnsStatus.NXDOMAIN, records)

    def _add(self, line: str) -> None:
        words = line.split(maxsplit=2)
        if len(words) < 3:
            raise ValueError(f"not a record: {line!r}. Write owner, type and data")
        self._data[_relative(words[0]).lower(), words[1]].append(words[2])

    def _get(self, owner: str, rdtype: str) -> list[str]:
        return self._data.get((owner.lower(), rdtype), [])

    def _record(self, owner: str, rdtype: str, data: str) -> str:
        return f"{owner.removesuffix('.')}. {self._ttl} IN {rdtype} {data}"


def _relative(name: str) -> str:
    return name.removesuffix(".") or "."


def _ancestors(owner: str) -> list[str]:
    labels = owner.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))] + ["."]


def _answer(name: str, rdtype: str, status: DnsStatus, records: list[str], detail: str = "") -> DnsAnswer:
    return DnsAnswer(name=name, rdtype=rdtype, status=status, records=tuple(records), detail=detail)


class FakeResolver:
    """A `Resolver` over a `Zone`, or over any function from a question to its answer.

    `world` is the function, or records and `answers` as `Zone` takes them; an answer with `unvalidated` is
    for the question with CD=1. While `gate` is an event, a question waits for it; otherwise it waits
    `seconds` (0: it lets other tasks run, and that is all).

    `asked` has every question in order and `queries` counts them, `responses` counts the answers that were
    not a timeout. `waiting` is the number of questions that wait now, `max_waiting` the largest it has been;
    `name` stands for the resolver in details.

    >>> resolver = FakeResolver("example.org MX 0 .")
    >>> silent = FakeResolver.failing(DnsStatus.TIMEOUT, "no answer")
    """

    def __init__(
        self, world: Lookup | str | Iterable[str] = "", *answers: DnsAnswer, seconds: float = 0.0
    ) -> None:
        validated = [answer for answer in answers if not answer.unvalidated]
        self.lookup: Lookup = world if callable(world) else Zone(world, *validated).lookup
        self._unvalidated = {(a.name, a.rdtype): a for a in answers if a.unvalidated}
        self.seconds = seconds
        self.gate: anyio.Event | None = None
        self.asked: list[tuple[str, str]] = []
        self.queries = self.responses = 0
        self.name = "fake resolver"
        self.max_waiting = 0
        self.waiting = 0

    @classmethod
    def failing(cls, status: DnsStatus, detail: str = "") -> "FakeResolver":
        """Return a resolver that answers every question with this failure."""
        return cls(lambda name, rdtype: _answer(name, rdtype, status, [], detail))

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Answer one question; see the class."""
        self.asked.append((name, rdtype))
        self.queries += 1
        self.waiting += 1
        self.max_waiting = max(self.max_waiting, self.waiting)
        try:
            await self._wait()
        finally:
            self.waiting -= 1
        answer = self.lookup(name, rdtype)
        if unvalidated:
            answer = self._unvalidated.get((name, rdtype)) or replace(answer, unvalidated=True)
        self.responses += answer.status is not DnsStatus.TIMEOUT
        return answer

    async def _wait(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        elif self.seconds:
            await anyio.sleep(self.seconds)
        else:
            await checkpoint()
