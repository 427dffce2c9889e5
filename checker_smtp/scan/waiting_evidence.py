"""The evidence of domains in progress: answers of the DNS, and sessions that wait for those of other servers.

A domain is opened when it is first asked about, and closed when its line is made. In between its sessions are
in memory, because no line is made before the last server has replied. One budget is for all open domains;
without room in it no other domain is opened. An open domain is always asked about at its other servers, so
that it is closed at some time and there is room again.

The answers have a budget of their own, because domains that were resolved wait to be opened: without room in
it no lookup begins. Those of usual domains are not counted once these are resolved: their number is bounded.
The last lookups of a domain, of PTR names, have a third one, so that a domain that is about to be closed does
not wait for those that are not.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from checker_smtp.probes.evidence_budget import (
    CHECK_LIMIT,
    EvidenceBudget,
    dns_limit,
    endpoint_limit,
    octets_of,
)

from .domain_scan import DomainScan

__all__ = ["LEAST", "WAITING_LIMIT", "WaitingEvidence"]

# In memory it is four times as much (python -m benchmarks hostile).
WAITING_LIMIT = 40 * 1024 * 1024

LEAST = 16 * 1024
"""The octets that a domain is expected to have of one server: honest ones send less."""

# The answers behind ten addresses of five hosts have 7 KiB, and as much again for each name of a PTR record.
_USUAL_DNS, _DNS_RESERVE = 8 * 1024, 64 * 1024
# Servers that send more than usual whose octets are remembered; those of the others are learnt again.
_MAX_EXPECTED = 10_000
# Domains that have room for their answers at a time, if nobody takes more.
_RESOLVED_LIMIT, _REVERSE_LIMIT = 512 * _DNS_RESERVE, 256 * _DNS_RESERVE


class WaitingEvidence:
    """The part of `budget` that the open domains take; each domain's part is its `evidence`."""

    def __init__(self, budget: EvidenceBudget) -> None:
        self._budget = budget
        self._resolved = EvidenceBudget(_RESOLVED_LIMIT)
        self._reverse = EvidenceBudget(_REVERSE_LIMIT)
        self._expected: dict[str, int] = {}

    @asynccontextmanager
    async def lookups(self) -> AsyncIterator[EvidenceBudget]:
        """Wait for room for the answers of a domain, and yield its part, with the limit of a check.

        At the end of the block the part keeps what was taken beyond the usual; `close` returns that.
        """
        part = await self._resolved.wait_for_part(dns_limit(), _DNS_RESERVE)
        try:
            yield part
        except BaseException:
            part.close()
            raise
        part.settle(_USUAL_DNS)

    @asynccontextmanager
    async def reverse_lookups(self) -> AsyncIterator[EvidenceBudget]:
        """Wait for room for the PTR names of a domain, and yield its part until the end of the block."""
        part = await self._reverse.wait_for_part(dns_limit(), _DNS_RESERVE)
        try:
            yield part
        finally:
            part.close()

    @property
    def in_use(self) -> int:
        """Return the octets that all domains take, of sessions and of answers."""
        return self._budget.in_use + self._resolved.in_use + self._reverse.in_use

    @property
    def is_scarce(self) -> bool:
        """True where the answers of domains that wait take so much that lookups may soon have to wait."""
        return self._resolved.in_use > self._resolved.limit // 2

    def expected(self, address: str) -> int:
        """Return the octets that a domain is expected to have of this server."""
        return self._expected.get(address, LEAST)

    def learn(self, address: str, octets: int) -> None:
        """Expect this number of octets for each domain that this server is asked about from now on."""
        self._expected.pop(address, None)
        if octets > LEAST:
            self._expected[address] = min(octets, CHECK_LIMIT)
            if len(self._expected) > _MAX_EXPECTED:
                del self._expected[next(iter(self._expected))]

    def open(self, domain: DomainScan) -> bool:
        """Open a domain, unless it is open; return False without room for all that it is expected to have."""
        if not domain.evidence and self._budget.take(expected := self.octets(domain)):
            domain.evidence = expected
        return domain.evidence > 0

    def measure(self, domain: DomainScan) -> None:
        """Have an open domain take what it has, and is expected to have, now that sessions were stored.

        An excess without room is not counted: it is in memory already.
        """
        excess = self.octets(domain) - domain.evidence
        if excess <= 0 or self._budget.take(excess):
            self._budget.give_back(max(-excess, 0))
            domain.evidence += excess

    def close(self, domain: DomainScan) -> None:
        """Return what the domain took."""
        self._budget.give_back(domain.evidence)
        domain.evidence = 0
        if domain.dns_evidence is not None:
            domain.dns_evidence.close()

    async def wait_for_room(self, expected: int = LEAST) -> None:
        """Wait until there is room for this number of octets."""
        (await self._budget.wait_for_part(reserve=min(expected, self._budget.limit))).close()

    def octets(self, domain: DomainScan) -> int:
        """Return the octets that the domain has, and is expected to have of its other servers."""
        octets = octets_of(session for held in domain.sessions.values() for session in held)
        missing = (e.address for e in domain.endpoints if e.address not in domain.sessions)
        most = endpoint_limit(len(domain.endpoints))
        total = max(octets + sum(min(self.expected(address), most) for address in missing), 1)
        return min(total, self._budget.limit)
