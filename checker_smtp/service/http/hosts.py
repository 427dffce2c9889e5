"""The operator's hosts: the machines that may use the service more than a visitor of the page.

Those are this machine, the private networks around it, and the networks in `--protocol-from`.
"""

import ipaddress

from checker_smtp.probes.addresses import NOT_PUBLIC
from checker_smtp.service.settings import ServiceSettings

from .forwarded import parse_address, parse_network

__all__ = ["Hosts"]

_LOCAL = tuple(
    network
    for network, purpose, _ in NOT_PUBLIC
    if purpose in ("loopback", "private", "unique local", "link-local")
)


class Hosts:
    """The hosts in `settings`. Raises `SettingError`."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._given = tuple(parse_network(text, "hosts") for text in settings.protocol_from)

    def include(self, address: str, *, is_direct: bool = True) -> bool:
        """Return whether the client with this address is one; false for what is no address.

        If it is not `is_direct`, the address is that of a proxy, whose place in a local network says nothing
        about the client.
        """
        if not (parsed := parse_address(address)):
            return False
        client = ipaddress.ip_address(parsed)
        return any(client in network for network in (*self._given, *(_LOCAL if is_direct else ())))
