"""The first stage of a scan: from an entry of the list to a domain whose servers are known."""

from time import monotonic

import anyio

from checker_smtp.api import now
from checker_smtp.probes.check import resolve_domain
from checker_smtp.probes.dns import LookupCache, ResolverError
from checker_smtp.probes.ports import Resolver

from .domain_scan import DomainScan
from .input.domain_list import Entry
from .settings import ScanSettings

__all__ = ["DomainResolver"]


class DomainResolver:
    """Resolves domains with a cache of the hosts that they share; `seed` decides what is random."""

    def __init__(self, settings: ScanSettings, resolver: Resolver, seed: int) -> None:
        self._options = settings.options
        cache_ttl = settings.server_cache_ttl if settings.reuse else 0
        self._lookups = LookupCache(resolver, cache_ttl, monotonic, seed=seed)

    async def resolve(self, numbered: tuple[int, Entry]) -> DomainScan:
        """Return the domain of an entry, with its number in the list; a skipped one is not resolved."""
        number, entry = numbered
        domain = DomainScan(
            number=number,
            name=entry.domain,
            options=self._options if entry.skip_reason else self._options.about(entry.domain),
            run_at=now(),
            started_at=anyio.current_time(),
            not_checked=entry.skip_reason,
            reason=entry.reason,
        )
        if entry.skip_reason:
            return domain
        try:
            domain.resolved = await resolve_domain(domain.options, self._lookups.view())
        except ResolverError as error:
            domain.not_checked, domain.reason = "resolver", str(error)
        except Exception as error:  # noqa: BLE001 - no domain may end the scan of the others
            domain.fail(error)
        return domain
