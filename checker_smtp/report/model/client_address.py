"""The addresses that the logs of servers show for this checker, as far as the check knows them.

Connections begin at an address of this machine, and the server sees that one unless a NAT translates it. Many
servers name the address that they see in the first line of their reply to EHLO. Each is a claim: where two of
them differ, none is believed.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.observation import Endpoint

__all__ = ["ClientAddresses", "find_client_addresses"]

# as in `250 mx.example.org Hello client.example [192.0.2.1]`, and for IPv6 with or without a tag
_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]{2,45})\]")
_NAMED = "The replies to EHLO name {}."
_OWN = "{} this machine's own; where the log shows another one (NAT), take that."


@dataclass(frozen=True, slots=True)
class ClientAddresses:
    """One address for each family, and their source in a sentence; both are empty where one is not known."""

    addresses: tuple[str, ...] = ()
    source: str = ""


def find_client_addresses(endpoints: Sequence[Endpoint], own: Collection[str]) -> ClientAddresses:
    """Return the addresses under which these endpoints know the client.

    `own` are the public addresses of this machine that connections begin at.
    """
    named = [_named_by(endpoint) for endpoint in endpoints]
    known = [
        _agreed(name, _own_towards(endpoint, own)) for endpoint, name in zip(endpoints, named, strict=True)
    ]
    addresses = tuple(dict.fromkeys(known))
    families = {":" in address for address in addresses}
    if "" in addresses or len(families) < len(addresses):
        return ClientAddresses()
    is_one = len(addresses) == 1
    if all(named):
        return ClientAddresses(addresses, _NAMED.format("this address" if is_one else "these addresses"))
    return ClientAddresses(addresses, _OWN.format("The address is" if is_one else "The addresses are"))


def _agreed(named: str, own: str) -> str:
    return "" if named and own and named != own else named or own


def _own_towards(endpoint: Endpoint, own: Collection[str]) -> str:
    """Return the address that connections to the endpoint begin at; empty where that is not known."""
    # another network than the Internet may have a route of its own, and a translator shows its own address
    if endpoint.translated or why_not_public(endpoint.address):
        return ""
    usable = [address for address in map(_address, own) if address]
    family = {address for address in usable if (":" in address) is (endpoint.family == 6)}
    return family.pop() if len(family) == 1 else ""


def _named_by(endpoint: Endpoint) -> str:
    """Return the client's address in the replies to EHLO and HELO; empty where they name none, or several."""
    replies = (reply for s in endpoint.sessions for reply in (s.ehlo, s.helo, s.ehlo_tls))
    # the first word is the server's own name, which may be its address
    greetings = [r.text.partition("\n")[0].partition(" ")[2] for r in replies if r is not None]
    named = {_address(text) for greeting in greetings for text in _LITERAL.findall(greeting)}
    return named.pop() if len(named) == 1 else ""


def _address(text: str) -> str:
    """Return the address in its usual form; empty where it is none, or one that fail2ban ignores anyway."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return "" if address.is_loopback else str(address)
