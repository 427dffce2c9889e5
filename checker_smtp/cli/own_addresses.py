"""The addresses of this machine that connections begin at."""

import ipaddress

from checker_smtp.backends.local_addresses import local_addresses
from checker_smtp.probes.addresses import why_not_public

__all__ = ["public_source_addresses", "source_addresses"]


def source_addresses(given: str | None) -> dict[int, str]:
    """Return the address of each family (4, 6): `given`, or those that the kernel would choose.

    It is empty text where there is no route to the Internet.
    """
    return local_addresses() if given is None else {ipaddress.ip_address(given).version: given}


def public_source_addresses(given: str | None) -> tuple[str, ...]:
    """Return those that servers on the Internet see, unless a NAT translates even public addresses."""
    return tuple(
        address for address in source_addresses(given).values() if address and not why_not_public(address)
    )
