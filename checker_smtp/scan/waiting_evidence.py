"""The evidence of domains in progress: sessions that wait for those of the domain's other servers.

A domain is opened when it is first asked about, and closed when its line is made. In between its sessions are
in memory, because no line is made before the last server has replied. One budget is for all open domains;
without room in it no other domain is opened or resolved. An open domain is always asked about at its other
servers, so that it is closed at some time and there is room again.
"""

from checker_smtp.probes.evidence_budget import CHECK_LIMIT, EvidenceBudget, octets_of

from .domain_scan import DomainScan

__all__ = ["LEAST", "WAITING_LIMIT", "WaitingEvidence"]

# In memory it is four times as much (python -m benchmarks hostile).
WAITING_LIMIT = 40 * 1024 * 1024

LEAST = 16 * 1024
"""The octets that a domain is expected to have of one server: honest ones send less."""


class WaitingEvidence:
    """The part of `budget` that the open domains take; each domain's part is its `evidence`."""

    def __init__(self, budget: EvidenceBudget) -> None:
        self._budget = budget
        self._expected: dict[str, int] = {}

    def expected(self, address: str) -> int:
        """Return the octets that a domain is expected to have of this server."""
        return self._expected.get(address, LEAST)

    def learn(self, address: str, octets: int) -> None:
        """Expect this number of octets for each domain that this server is asked about from now on."""
        self._expected.pop(address, None)
        if octets > LEAST:
            self._expected[address] = min(octets, CHECK_LIMIT)

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

    async def wait_for_room(self, expected: int = LEAST) -> None:
        """Wait until there is room for this number of octets."""
        (await self._budget.wait_for_part(reserve=min(expected, self._budget.limit))).close()

    def octets(self, domain: DomainScan) -> int:
        """Return the octets that the domain has, and is expected to have of its other servers."""
        octets = octets_of(session for held in domain.sessions.values() for session in held)
        missing = (e.address for e in domain.endpoints if e.address not in domain.sessions)
        total = max(octets + sum(map(self.expected, missing)), 1)
        return min(total, self._budget.limit)
