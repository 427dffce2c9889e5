"""The evidence of domains in progress: sessions that wait for those of the domain's other servers.

A domain is opened when it is first asked about, and closed when its line is made. In between its sessions are
in memory, because no line is made before the last server has replied. One budget is for all open domains;
without room in it no other domain is opened or resolved. An open domain is always asked about at its other
servers, so that it is closed at some time and there is room again.
"""

from checker_smtp.probes.evidence_budget import EvidenceBudget, octets_of

from .domain_scan import DomainScan

__all__ = ["LEAST", "WAITING_LIMIT", "WaitingEvidence"]

# In memory it is four times as much (python -m benchmarks hostile).
WAITING_LIMIT = 40 * 1024 * 1024

LEAST = 16 * 1024
"""The octets that a domain is expected to have, for each of its servers: of honest ones it is less."""


class WaitingEvidence:
    """The part of `budget` that the open domains take; each domain's part is its `evidence`."""

    def __init__(self, budget: EvidenceBudget) -> None:
        self._budget = budget

    def open(self, domain: DomainScan, expected: int) -> bool:
        """Open a domain of which so many octets are expected, unless it is open; False without room."""
        if not domain.evidence and self._budget.take(expected):
            domain.evidence = expected
        return domain.evidence > 0

    def measure(self, domain: DomainScan) -> None:
        """Have an open domain take what its sessions have; more than there is room for is not counted."""
        excess = max(octets_of(s for held in domain.sessions.values() for s in held), 1) - domain.evidence
        if excess <= 0 or self._budget.take(excess):
            self._budget.give_back(max(-excess, 0))
            domain.evidence += excess

    def close(self, domain: DomainScan) -> None:
        """Return what the domain took."""
        self._budget.give_back(domain.evidence)
        domain.evidence = 0

    async def wait_for_room(self, expected: int = LEAST) -> None:
        """Wait until a domain can be opened of which so many octets are expected."""
        (await self._budget.wait_for_part(reserve=expected)).close()
