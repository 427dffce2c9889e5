"""An internet of fake mail servers, and a scan of it, without a network.

The servers are those of `checker_smtp.testing`; this module adds the needs of a scan: the length of a
session, a record of all sessions, and servers that behave otherwise the next time.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

import anyio

from checker_smtp.probes.observation import Session
from checker_smtp.probes.ports import DnsAnswer
from checker_smtp.probes.result import Result
from checker_smtp.report.document import load
from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.input.domain_list import read_domains
from checker_smtp.scan.politeness.exclusions import Exclusions
from checker_smtp.scan.scan import Scan
from checker_smtp.scan.settings import ScanSettings
from checker_smtp.testing import FakeResolver, RuleServer, resume
from smtp_sansio import Connect, Script
from tests.probes.world import options

T = TypeVar("T")

BUSY = RuleServer(fault="421")


@dataclass
class FakeSession:
    """One session with `address`, and its times by the loop's clock."""

    address: str
    began: float
    ended: float = -1.0


@dataclass
class FakeInternet:
    """Names and servers as a backend. Of several hosts at an address each has one session, the last the rest.

    A session lasts `seconds`.
    """

    names: FakeResolver
    hosts: dict[str, RuleServer | Sequence[RuleServer]]
    seconds: float = 1.0
    sessions: list[FakeSession] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    most: int = 0
    most_by: Counter[str] = field(default_factory=Counter)

    def find_sources(self, _: object) -> tuple[str, ...]:
        return ()

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        return await self.names.resolve(name, rdtype, unvalidated=unvalidated)

    async def run(self, script: Script[T]) -> T:
        first = next(script)
        assert isinstance(first, Connect)
        session = FakeSession(first.host, anyio.current_time())
        host = self._host(first.host)
        self.sessions.append(session)
        self._enter(first.host)
        try:
            await anyio.sleep(self.seconds)
            return await host.run(resume(first, script))
        finally:
            self.open.remove(first.host)
            session.ended = anyio.current_time()

    def _host(self, address: str) -> RuleServer:
        hosts = self.hosts[address]
        if isinstance(hosts, RuleServer):
            return hosts
        return hosts[min(self.connections(address), len(hosts) - 1)]

    def _enter(self, address: str) -> None:
        self.open.append(address)
        self.most = max(self.most, len(self.open))
        for key in (address, address.rpartition(".")[0]):
            self.most_by[key] = max(self.most_by[key], sum(o.startswith(key) for o in self.open))

    def connections(self, address: str) -> int:
        return sum(session.address == address for session in self.sessions)

    def gaps(self, address: str) -> list[float]:
        """Return the seconds between the end of a session with the address and the start of the next."""
        visits = [session for session in self.sessions if session.address == address]
        return [round(b.began - a.ended, 3) for a, b in pairwise(visits)]


def zone(mx: dict[str, str], addresses: dict[str, str]) -> str:
    """Return records: the MX host of each domain, and the address and PTR name of each host."""
    lines = [f"{domain} MX 10 {host}." for domain, host in mx.items()]
    for host, address in addresses.items():
        lines += [f"{host} A {address}", f"{'.'.join(reversed(address.split('.')))}.in-addr.arpa PTR {host}."]
    return "\n".join(lines)


def shared(number: int, host: str = "mx.host.test", prefix: str = "d") -> dict[str, str]:
    """Return MX records of `number` domains with the same host."""
    return {f"{prefix}{n}.test": host for n in range(number)}


def listed(names: Iterable[str]) -> Iterator[DomainScan]:
    """Yield these names as a list of domains has them."""
    return (DomainScan(number=number, name=name) for number, name in enumerate(names))


def settings(*, delay: float = 0.0, given: dict[str, object] | None = None, **more: Any) -> ScanSettings:
    """Return settings without delay, unless given otherwise."""
    return ScanSettings(options=options("domain.invalid", **(given or {})), delay=delay, **more)


class Results:
    """The results of a scan, given to `put`."""

    def __init__(self, put: Callable[[int, bytes], None] = lambda *_: None) -> None:
        self.put = put


@dataclass
class Scanned:
    """A finished scan, and its lines in the order of completion."""

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
        """Return the result of a domain that was checked."""
        return load(self.line(domain))

    def codes(self, domain: str) -> set[str]:
        return {finding.code for finding in self.of(domain).findings}

    def sessions(self, domain: str) -> list[Session]:
        return [
            session for endpoint in self.of(domain).observation.endpoints for session in endpoint.sessions
        ]


async def scanned(
    backend: Any, names: Iterable[str], scan_settings: ScanSettings | None = None, stop: Iterable[str] = ()
) -> Scanned:
    """Scan these names to the end; require exactly one line for each."""
    lines: list[tuple[int, bytes]] = []
    exclusions = Exclusions(stop)
    names_seen: set[str] = set()

    def is_new(name: str) -> bool:
        return name not in names_seen and not names_seen.add(name)

    domains = list(read_domains(names, exclusions, is_new))
    scan = Scan(scan_settings or settings(), backend, backend, exclusions=exclusions)
    with anyio.fail_after(10**6):
        await scan.run(domains, Results(lambda *line: lines.append(line)))
    assert sorted(number for number, _ in lines) == list(range(len(domains)))
    assert (scan.stats.done, scan.stats.open_sessions) == (len(domains), 0)
    return Scanned([line for _, line in lines], [number for number, _ in lines], scan)
