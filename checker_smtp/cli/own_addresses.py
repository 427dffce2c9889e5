"""The public addresses of this machine that the connections of a check began at."""

from collections.abc import Iterable

from checker_smtp.backends.local_addresses import source_towards
from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.observation import Endpoint

__all__ = ["public_source_addresses"]


def public_source_addresses(endpoints: Iterable[Endpoint], *, given: str | None) -> tuple[str, ...]:
    """Return the address of each family, where connections to all endpoints of it begin at the same one.

    `given` is the address that the user wants them to begin at, else the kernel chooses. Servers see a public
    one as it is, unless a NAT translates even those; they never see a private one, so that is left out.
    """
    sources: dict[int, set[str]] = {}
    for endpoint in endpoints:
        if endpoint.connected and not endpoint.translated:
            sources.setdefault(endpoint.family, set()).add(given or source_towards(endpoint.address))
    only = [next(iter(family)) for family in sources.values() if len(family) == 1]
    return tuple(address for address in only if address and not why_not_public(address))
