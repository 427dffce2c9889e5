"""A town of mail servers for a scan to visit, and the scan of it; all of it without a network.

The servers are `tests.probes.hosts`; here is what a scan adds: how long a session lasts, who was visited when
and how many at once, and servers that behave otherwise the next time.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

import anyio

from checker_smtp.probes.observation import Session
from checker_smtp.probes.ports import DnsAnswer
from checker_smtp.probes.result import Result
from checker_smtp.report.document import load
from checker_smtp.scan.domain_list import Entry, read_domains
from checker_smtp.scan.politeness import Exclusions
from checker_smtp.scan.scan import Scan
from checker_smtp.scan.settings import ScanSettings
from smtp_sansio import Connect, Effect, Script
from tests.probes.hosts import Host
from tests.probes.world import Names, options

T = TypeVar("T")

BUSY = Host(fault="421")


@dataclass
class Visited:
    """One session: with whom, and from when until when by the loop's clock."""

    address: str
    began: float
    ended: float = -1.0


@dataclass
class Town:
    """Names and servers as a backend. Of several hosts at an address each has one session, the last the rest.

    A session lasts `seconds`.
    """

    names: Names
    hosts: dict[str, Host | Sequence[Host]]
    seconds: float = 1.0
    visits: list[Visited] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    most: int = 0
    most_by: Counter[str] = field(default_factory=Counter)

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        return await self.names.resolve(name, rdtype)

    async def run(self, script: Script[T]) -> T:
        first = next(script)
        assert isinstance(first, Connect)
        visited = Visited(first.host, anyio.current_time())
        host = self._host(first.host)
        self.visits.append(visited)
        self._enter(first.host)
        try:
            await anyio.sleep(self.seconds)
            return await host.run(_from(first, script))
        finally:
            self.open.remove(first.host)
            visited.ended = anyio.current_time()

    def _host(self, address: str) -> Host:
        hosts = self.hosts[address]
        if isinstance(hosts, Host):
            return hosts
        return hosts[min(self.connections(address), len(hosts) - 1)]

    def _enter(self, address: str) -> None:
        self.open.append(address)
        self.most = max(self.most, len(self.open))
        for key in (address, address.rpartition(".")[0]):
            self.most_by[key] = max(self.most_by[key], sum(o.startswith(key) for o in self.open))

    def connections(self, address: str) -> int:
        return sum(visited.address == address for visited in self.visits)

    def gaps(self, address: str) -> list[float]:
        """Seconds between the end of a session there and the beginning of the next."""
        visits = [visited for visited in self.visits if visited.address == address]
        return [round(b.began - a.ended, 3) for a, b in pairwise(visits)]


def _from(first: Effect, script: Script[T]) -> Script[T]:
    """The rest of a script whose first effect was taken already."""
    effect = first
    try:
        while True:
            effect = script.send((yield effect))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def zone(mx: dict[str, str], addresses: dict[str, str]) -> str:
    """Records: the MX host of each domain, and the address of each host, which is named so."""
    lines = [f"{domain} MX 10 {host}." for domain, host in mx.items()]
    for host, address in addresses.items():
        lines += [f"{host} A {address}", f"{'.'.join(reversed(address.split('.')))}.in-addr.arpa PTR {host}."]
    return "\n".join(lines)


def shared(number: int, host: str = "mx.host.test", prefix: str = "d") -> dict[str, str]:
    """So many domains with the one MX host."""
    return {f"{prefix}{n}.test": host for n in range(number)}


def settings(*, delay: float = 0.0, given: dict[str, object] | None = None, **more: Any) -> ScanSettings:
    """Settings that wait for nothing, unless told so."""
    return ScanSettings(options=options("domain.invalid", **(given or {})), delay=delay, **more)


@dataclass
class Scanned:
    """What came of a scan: its lines in the order in which they were told, and the scan."""

    raw: list[bytes]
    numbers: list[int]
    scan: Scan

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        return list(map(json.loads, self.raw))

    @cached_property
    def domains(self) -> list[str]:
        return [line["domain"] if "domain" in line else line["observation"]["domain"] for line in self.lines]

    def line(self, domain: str) -> bytes:
        return self.raw[self.domains.index(domain)]

    def of(self, domain: str) -> Result:
        """The result of a domain that was checked."""
        return load(self.line(domain))

    def codes(self, domain: str) -> set[str]:
        return {finding.code for finding in self.of(domain).findings}

    def sessions(self, domain: str) -> list[Session]:
        return [
            session for endpoint in self.of(domain).observation.endpoints for session in endpoint.sessions
        ]


async def scanned(
    backend: Any, names: Iterable[str], how: ScanSettings | None = None, stop: Iterable[str] = ()
) -> Scanned:
    """Scan these names to the end; each has to have exactly one line."""
    lines: list[tuple[int, bytes]] = []
    exclusions = Exclusions(stop)
    seen: set[str] = set()

    def new(name: str) -> bool:
        return name not in seen and not seen.add(name)

    listed: list[Entry] = list(read_domains(names, exclusions, new))
    scan = Scan(how or settings(), backend, lambda *told: lines.append(told), exclusions=exclusions)
    with anyio.fail_after(10**6):
        await scan.run(listed)
    assert sorted(number for number, _ in lines) == list(range(len(listed)))
    assert (scan.stats.done, scan.stats.in_progress, scan.rate_limit.politeness.open_sessions) == (
        len(listed),
        0,
        0,
    )
    return Scanned([line for _, line in lines], [number for number, _ in lines], scan)
