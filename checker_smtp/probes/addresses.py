"""The addresses that may be contacted: public unicast, and the networks that the caller allows.

The table follows the IANA special-purpose address registries (RFC 6890 and its updates). An address in it
cannot receive mail from the Internet, so a name that leads there is a fault of the domain; and a connection
to it would let the publisher of the name aim this machine at its own network. Addresses that contain an IPv4
address (mapped, NAT64, 6to4, Teredo) are in the table for that reason. For IPv6 only 2000::/3 has been
allocated, so anything else is not public without being listed.
"""

import ipaddress
from typing import TypeAlias

__all__ = ["NOT_PUBLIC", "Address", "network_of", "subject_of", "why_not_public"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# (network, purpose, reference), the most specific first where networks nest
NOT_PUBLIC: tuple[tuple[_Network, str, str], ...] = tuple(
    (ipaddress.ip_network(network), purpose, reference)
    for network, purpose, reference in (
        ("0.0.0.0/8", "this network", "RFC 791 §3.2"),
        ("10.0.0.0/8", "private", "RFC 1918"),
        ("100.64.0.0/10", "carrier-grade NAT", "RFC 6598"),
        ("127.0.0.0/8", "loopback", "RFC 1122 §3.2.1.3"),
        ("169.254.0.0/16", "link-local", "RFC 3927"),
        ("172.16.0.0/12", "private", "RFC 1918"),
        ("192.0.0.0/24", "IETF protocol assignments", "RFC 6890 §2.1"),
        ("192.0.2.0/24", "documentation", "RFC 5737"),
        ("192.88.99.0/24", "6to4 relay anycast, withdrawn", "RFC 7526"),
        ("192.168.0.0/16", "private", "RFC 1918"),
        ("198.18.0.0/15", "benchmarking", "RFC 2544"),
        ("198.51.100.0/24", "documentation", "RFC 5737"),
        ("203.0.113.0/24", "documentation", "RFC 5737"),
        ("224.0.0.0/4", "multicast", "RFC 5771"),
        ("255.255.255.255/32", "limited broadcast", "RFC 919"),
        ("240.0.0.0/4", "reserved", "RFC 1112 §4"),
        ("::/128", "unspecified", "RFC 4291 §2.5.2"),
        ("::1/128", "loopback", "RFC 4291 §2.5.3"),
        ("::ffff:0:0/96", "IPv4-mapped", "RFC 4291 §2.5.5.2"),
        ("::/96", "IPv4-compatible, withdrawn", "RFC 4291 §2.5.5.1"),
        ("64:ff9b::/96", "NAT64", "RFC 6052 §2.1"),
        ("64:ff9b:1::/48", "NAT64, local use", "RFC 8215"),
        ("100::/64", "discard-only", "RFC 6666"),
        ("2001::/32", "Teredo", "RFC 4380"),
        ("2001:db8::/32", "documentation", "RFC 3849"),
        ("2001::/23", "IETF protocol assignments", "RFC 2928"),
        ("2002::/16", "6to4", "RFC 3056"),
        ("3fff::/20", "documentation", "RFC 9637"),
        ("5f00::/16", "segment routing", "RFC 9602"),
        ("fc00::/7", "unique local", "RFC 4193"),
        ("fe80::/10", "link-local", "RFC 4291 §2.5.6"),
        ("fec0::/10", "site-local, withdrawn", "RFC 3879"),
        ("ff00::/8", "multicast", "RFC 4291 §2.7"),
    )
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


def why_not_public(address: str, allowed: tuple[str, ...] = ()) -> str:
    """Return the purpose of an address that must not be contacted; empty where it may be.

    `allowed` are networks (CIDR) that may be contacted although they are not public. Raises ValueError for
    anything but an IPv4 or IPv6 address in presentation format.
    """
    ip = ipaddress.ip_address(address)
    if any(ip in ipaddress.ip_network(network) for network in allowed):
        return ""
    for network, purpose, reference in NOT_PUBLIC:
        if ip in network:
            return f"{purpose} ({reference})"
    if ip.version == 6 and ip not in _GLOBAL_UNICAST:
        return "not global unicast (RFC 4291 §2.4)"
    return ""


def subject_of(address: str, port: int) -> str:
    """Return the name of an endpoint in findings: `192.0.2.1:25`, `[2001:db8::1]:25`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def network_of(address: str) -> str:
    """Return the /24 or /48 that the address is in, which usually has one operator."""
    bits = 24 if "." in address else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
