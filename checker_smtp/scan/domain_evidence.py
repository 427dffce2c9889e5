"""The evidence that one domain may have of one address in a scan: as much as in a check of the domain."""

from collections.abc import Iterable

from checker_smtp.probes.evidence_budget import (
    CHECK_LIMIT,
    MAX_READ,
    EvidenceBudget,
    endpoint_limit,
    octets_of,
)
from checker_smtp.probes.observation import Session
from smtp_sansio import FailureKind

from .domain_scan import DomainScan

__all__ = ["budget_of_run", "is_cut"]


def budget_of_run(domains: Iterable[DomainScan], address: str) -> EvidenceBudget:
    """Return the budget of connections that are made to `address` for these domains.

    For one domain it is what a check has, without the sessions of this address that the domain has already.
    """
    octets = sum(_room(domain, domain.sessions.get(address, ())) for domain in domains)
    return EvidenceBudget(min(octets, CHECK_LIMIT))


def is_cut(domain: DomainScan, sessions: Iterable[Session]) -> bool:
    """Return True where a check of the domain might have ended these sessions, which share an address."""
    sessions = list(sessions)
    is_ended = any(s.end is not None and s.end.kind == FailureKind.EVIDENCE for s in sessions)
    return is_ended or _room(domain, sessions) < MAX_READ


def _room(domain: DomainScan, sessions: Iterable[Session]) -> int:
    return endpoint_limit(len(domain.endpoints)) - octets_of(sessions)
