"""The EHLO name of this machine, where it has one that servers can verify.

RFC 5321 §4.1.1.1 wants the client's own name. The name of this machine is taken where it resolves to the
address that packets leave from, and the address back to it: servers reject any other name more often than the
default.
"""

import ipaddress
import socket
from collections.abc import Mapping

import click
from click.core import ParameterSource

from checker_smtp.backends.local_addresses import local_addresses
from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.dns import LookupCache, resolve_reverse_dns
from checker_smtp.probes.ports import Resolver

__all__ = ["choose_helo_name", "is_helo_name_given", "own_helo_name"]


def is_helo_name_given() -> bool:
    """Return whether the EHLO name of the running command is not the default."""
    source = click.get_current_context().get_parameter_source("helo_name")
    return source is not ParameterSource.DEFAULT


async def own_helo_name(resolver: Resolver, source_address: str | None = None) -> tuple[str, str]:
    """Return the name of this machine and the reason of the choice, as `choose_helo_name` does.

    `source_address` is the address that connections begin at, by default the one that the kernel chooses.
    """
    if source_address is None:
        addresses = local_addresses()
    else:
        addresses = {ipaddress.ip_address(source_address).version: source_address}
    return await choose_helo_name(resolver, socket.gethostname(), addresses)


async def choose_helo_name(resolver: Resolver, machine: str, addresses: Mapping[int, str]) -> tuple[str, str]:
    """Return the name that `machine` has in the DNS, empty where it has none, and the reason in words.

    `addresses` are those that packets leave from, by family, empty where there is no route. The reason has
    neither the name of the machine nor its addresses, because reports are shown to others.
    """
    public = [address for address in addresses.values() if address and not why_not_public(address)]
    for address in public:
        reverse = await resolve_reverse_dns(LookupCache(resolver).view(), address)
        for name in reverse.confirmed_by:
            # a machine often has the first label only as its own name
            if machine.lower() in (name, name.partition(".")[0]):
                return name, "the name of this machine, which resolves to its address and back"
    if public:
        return "", "the default: no name of this machine resolves to its address and back"
    if any(addresses.values()):
        return "", "the default: the address of this machine is not public"
    return "", "the default: this machine has no route to the Internet"
