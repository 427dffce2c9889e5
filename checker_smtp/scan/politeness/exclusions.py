"""The domains and networks that a scan never contacts."""

import ipaddress
from collections.abc import Iterable

from checker_smtp.probes.observation import Endpoint
from checker_smtp.probes.options import OptionError, host_name

__all__ = ["Exclusions"]


class Exclusions:
    """Domains and networks that are never contacted; a domain includes all names below it.

    Raises `OptionError` for an entry that is neither a domain nor a network.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._domains: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._domains.add(self._parse_domain(entry))

    @staticmethod
    def _parse_domain(entry: str) -> str:
        try:
            return host_name("exclude file", entry.removeprefix("*."))
        except OptionError:
            raise OptionError(
                "exclude file",
                f"the exclude file cannot be used: {entry[:80]!r} is neither a domain nor a network. "
                "Give one entry a line, such as example.com or 192.0.2.0/24.",
            ) from None

    def has_domain(self, name: str) -> bool:
        """Return True if this host name or domain is excluded."""
        while name:
            if name in self._domains:
                return True
            name = name.partition(".")[2]
        return False

    def has_address(self, address: str) -> bool:
        """Return True if this address is in an excluded network."""
        ip = ipaddress.ip_address(address)
        return any(ip.version == network.version and ip in network for network in self._networks)

    def has_endpoint(self, endpoint: Endpoint) -> bool:
        """Return True if the address of this endpoint, or any of its names, is excluded."""
        return self.has_address(endpoint.address) or any(map(self.has_domain, endpoint.targets))
