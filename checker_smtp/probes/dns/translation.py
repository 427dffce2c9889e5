"""IPv6 addresses that the resolver made of IPv4 addresses: DNS64 (RFC 6147, RFC 6052).

A network without IPv4 reaches IPv4 servers by such addresses; nobody else does, and the domain never
published them. They are recognised by the server's own IPv4 address inside an address of the well-known
prefix, or of the network's own prefix, which `ipv4only.arpa` shows (RFC 7050).
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from .lookups import Lookups
from .records import parse_addresses

__all__ = ["find_translated"]

_WELL_KNOWN = IPv6Network("64:ff9b::/96")
_IPV4_ONLY = "ipv4only.arpa"
_IPV4_ONLY_ADDRESSES = ("192.0.0.170", "192.0.0.171")
# RFC 6052 §2.2: by the length of the prefix, the octets that hold the IPv4 address; octet 8 never does.
_PLACES = {
    32: (4, 5, 6, 7),
    40: (5, 6, 7, 9),
    48: (6, 7, 9, 10),
    56: (7, 9, 10, 11),
    64: (9, 10, 11, 12),
    96: (12, 13, 14, 15),
}


async def find_translated(
    lookups: Lookups, ipv4: tuple[str, ...], ipv6: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Return those of the addresses `ipv6` that DNS64 made of one of `ipv4`, each with that one."""
    origins = {address: _origins(IPv6Address(address), ipv4) for address in ipv6}
    known = {_WELL_KNOWN}
    if any(found and _WELL_KNOWN not in found for found in origins.values()):
        for address in parse_addresses(await lookups.ask(_IPV4_ONLY, "AAAA")):
            known.update(_origins(IPv6Address(address), _IPV4_ONLY_ADDRESSES))
    return tuple(
        (address, found[prefix]) for address, found in origins.items() for prefix in found if prefix in known
    )


def _origins(address: IPv6Address, ipv4: Iterable[str]) -> dict[IPv6Network, str]:
    """Return by prefix which of `ipv4` has `address` as its translation under that prefix."""
    octets = address.packed
    wanted = {IPv4Address(one).packed: one for one in ipv4}
    inside = {length: bytes(octets[place] for place in places) for length, places in _PLACES.items()}
    return {
        IPv6Network((address, length), strict=False): wanted[found]
        for length, found in inside.items()
        if found in wanted
    }
