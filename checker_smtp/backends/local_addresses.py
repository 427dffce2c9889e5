"""The source addresses of this machine, as the kernel would choose them; no packet is sent to find out."""

import socket
from collections.abc import Iterable

from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.observation import Endpoint

__all__ = ["local_addresses", "public_sources"]

# Any public address has the same route; these are a public resolver's.
_DESTINATIONS = {4: "9.9.9.9", 6: "2620:fe::fe"}


def local_addresses() -> dict[int, str]:
    """Return for each family (4, 6) the address that packets to the Internet leave from.

    It is empty where there is no route.
    """
    return {family: _source_towards(destination) for family, destination in _DESTINATIONS.items()}


def _source_towards(destination: str) -> str:
    """Return the address that packets to this address leave from; empty where there is no route."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # connecting a UDP socket only looks up the route
            probe.connect((destination, 53))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def public_sources(endpoints: Iterable[Endpoint], given: str | None) -> tuple[str, ...]:
    """Return the public addresses of this machine that connections to `endpoints` began at.

    `given` is the address that the user wants them to begin at, else the kernel chooses. It is one for each
    family, if it is the same for all endpoints of it; beside it are those of endpoints that are this machine.
    Servers see a public address as it is, unless a NAT translates even those; they never see a private one,
    so that is left out.
    """
    sources: dict[int, set[str]] = {4: set(), 6: set()}
    own: list[str] = []
    for endpoint in endpoints:
        if endpoint.connected and not endpoint.translated:
            source = given or _source_towards(endpoint.address)
            sources[endpoint.family].add(source)
            own += [source] if source == endpoint.address else []
    common = [next(iter(family)) for family in sources.values() if len(family) == 1]
    found = dict.fromkeys([*common, *own])
    return tuple(address for address in found if address and not why_not_public(address))
