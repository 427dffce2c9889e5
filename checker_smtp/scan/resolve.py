"""The first stage of a scan: from a domain of the list to one whose servers are known."""

from time import monotonic

import anyio

from checker_smtp.api import now
from checker_smtp.probes.check import resolve_domain
from checker_smtp.probes.dns import LookupCache, ResolverError
from checker_smtp.probes.ports import Resolver

from .domain_scan import DomainScan
from .settings import ScanSettings
from .waiting_evidence import WaitingEvidence

__all__ = ["DomainResolver"]


class DomainResolver:
    """Resolves domains with a cache of the hosts that they share; `seed` decides what is random.

    A domain waits until `evidence` has room for its answers; a later stage closes it.
    """

    def __init__(
        self, settings: ScanSettings, resolver: Resolver, seed: int, evidence: WaitingEvidence
    ) -> None:
        self._options = settings.options
        self._evidence = evidence
        cache_ttl = settings.server_cache_ttl if settings.reuse else 0
        self._lookups = LookupCache(resolver, cache_ttl, monotonic, seed=seed)

    async def resolve(self, domain: DomainScan) -> DomainScan:
        """Resolve a domain of the list, unless it is not to be checked; return it in any case."""
        if domain.not_checked:
            return domain
        async with self._evidence.lookups() as evidence:
            domain.run_at, domain.started_at = now(), anyio.current_time()
            domain.dns_evidence = evidence
            options, lookups = self._options.about(domain.name), self._lookups.view(evidence)
            try:
                domain.resolved = await resolve_domain(options, lookups)
            except ResolverError as error:
                domain.not_checked, domain.reason = "resolver", str(error)
            except Exception as error:  # noqa: BLE001 - no domain may end the scan of the others
                domain.fail(error)
        return domain
