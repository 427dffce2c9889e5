r"""The world as the probes see it, made of text: names, and servers that follow a play.

`Names` is a resolver. Its records are written one a line, a failure with an exclamation mark; aliases are
followed as a recursive resolver does, and what is not written does not exist:

    example.org      MX    10 mx.example.org.
    mx.example.org   A     192.0.2.7
    mx.example.org   AAAA  !servfail some detail

`Servers` is a runner. Each address has one play for each connection, in the notation of
`tests.sansio.notation`: `C:` what we say, `S:` what is read, `--` whatever else happens, `@` the clock. The
connection itself is written only where it fails, or takes its time (`-- connected`).
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from typing import TypeVar

from anyio.lowlevel import checkpoint

from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Script,
    Secured,
    Send,
    Upgrade,
)
from tests.sansio.notation import Step, steps

T = TypeVar("T")

VERBS = {"EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "RSET", "QUIT"}
"""All that may ever be said."""


def options(domain: str = "example.org", **given: object) -> Options:
    """Options for the tests: documentation networks count as public, names are short."""
    usual: dict[str, object] = {
        "helo_name": "probe.test",
        "allow_targets": ("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"),
    }
    return Options(domain=domain, **(usual | given))  # type: ignore[arg-type]


class Names:
    """A resolver over `text`, where `answers` are given as they are; `asked` is every question in order."""

    def __init__(self, text: str = "", *answers: DnsAnswer) -> None:
        self.asked: list[tuple[str, str]] = []
        self._given = {(answer.name, answer.rdtype): answer for answer in answers}
        self._data: dict[tuple[str, str], list[str]] = defaultdict(list)
        for line in [*filter(None, map(str.strip, text.splitlines())), ". NS a.root-servers.net."]:
            owner, rdtype, data = line.split(maxsplit=2)
            if owner != "." or (owner, rdtype) not in self._data:
                self._data[owner, rdtype].append(data)

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        await checkpoint()
        self.asked.append((name, rdtype))
        return self._given.get((name, rdtype)) or self._answer(name, rdtype)

    def _answer(self, name: str, rdtype: str) -> DnsAnswer:
        records: list[str] = []
        at, seen = name, {name}
        while (at, rdtype) not in self._data and (alias := self._data.get((at, "CNAME"))):
            records.append(f"{at} 300 IN CNAME {alias[0]}")
            at = alias[0].removesuffix(".")
            if at in seen:
                return _answered(name, rdtype, DnsStatus.ERROR, records, "the aliases lead in a circle")
            seen.add(at)
        data = self._data.get((at, rdtype), [])
        if data and data[0].startswith("!"):
            status, _, detail = data[0][1:].partition(" ")
            return _answered(name, rdtype, DnsStatus(status), records, detail)
        records += [f"{at}. 300 IN {rdtype} {item}" for item in data]
        if data:
            return _answered(name, rdtype, DnsStatus.ANSWER, records)
        known = any(owner == at for owner, _ in self._data)
        return _answered(name, rdtype, DnsStatus.NODATA if known else DnsStatus.NXDOMAIN, records)


def _answered(name: str, rdtype: str, status: DnsStatus, records: list[str], detail: str = "") -> DnsAnswer:
    return DnsAnswer(name=name, rdtype=rdtype, status=status, records=tuple(records), detail=detail)


def answer(name: str, rdtype: str, *records: str, status: DnsStatus = DnsStatus.ANSWER) -> DnsAnswer:
    """An answer word by word, for what no zone could hold."""
    return _answered(name, rdtype, status, list(records))


class Play:
    """One connection; every effect has to be the one that comes next."""

    def __init__(self, text: str) -> None:
        self._rest = deque(steps(text))
        if not self._rest or self._rest[0].who != "--" or self._rest[0].what == "eof":
            self._rest.appendleft(Step("--", what="connected"))

    def outcome(self, effect: Effect) -> Outcome:
        assert self._rest, f"the play is over and the script goes on with {effect}"
        step = self._rest.popleft()
        word, _, detail = step.what.partition(" ")
        match effect:
            case Send() if step.who == "C":
                assert effect.data == step.octets
                assert {line.split()[0] for line in effect.data.decode("ascii").splitlines()} <= VERBS
                return Done(step.at)
            case Receive() if step.who == "S":
                return Received(step.at, step.octets)
            case Receive() if word == "eof":
                return Received(step.at, b"")
            case Connect() if word == "connected":
                return Done(step.at)
            case Upgrade() if word == "tls" and detail.startswith("TLSv"):
                return Secured(step.at, *detail.split(" "))
        assert step.who == "--", f"{effect}, where the play has {step}"
        return Failed(step.at, FailureKind(word), detail)

    def over(self) -> None:
        assert not self._rest, f"the script ended before {self._rest[0]}"


def act(script: Script[T], text: str) -> T:
    """Act out one connection, without any event loop."""
    play = Play(text)
    try:
        effect = next(script)
        while True:
            effect = script.send(play.outcome(effect))
    except StopIteration as stop:
        play.over()
        return stop.value  # type: ignore[no-any-return]


class Servers:
    """A runner over the plays of each address; it counts who is connected to whom."""

    def __init__(self, plays: dict[str, str | Iterable[str]]) -> None:
        self._plays = {
            address: deque([texts] if isinstance(texts, str) else texts) for address, texts in plays.items()
        }
        self.dialled: list[tuple[str, int]] = []
        self.upgraded: list[str] = []
        self._open: Counter[str] = Counter()
        self.most = 0
        self.most_to: Counter[str] = Counter()

    async def run(self, script: Script[T]) -> T:
        effect = next(script)
        assert isinstance(effect, Connect)
        address = effect.host
        self.dialled.append((address, effect.port))
        play = Play(self._plays[address].popleft())
        self._open[address] += 1
        self.most = max(self.most, self._open.total())
        self.most_to[address] = max(self.most_to[address], self._open[address])
        try:
            while True:
                await checkpoint()
                if isinstance(effect, Upgrade):
                    self.upgraded.append(effect.server_name)
                effect = script.send(play.outcome(effect))
        except StopIteration as stop:
            play.over()
            return stop.value  # type: ignore[no-any-return]
        finally:
            self._open[address] -= 1

    def over(self) -> None:
        """Nothing may be left of any play."""
        assert not any(self._plays.values())
