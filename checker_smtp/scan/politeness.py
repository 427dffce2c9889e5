"""Politeness: few sessions at once, a delay between two, and hosts that are excluded.

Slots are acquired from the narrowest limit to the widest, so that a session which waits for a scarce slot
does not hold a common one meanwhile.
"""

import ipaddress
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import anyio

from checker_smtp.probes.limits import PerKey
from checker_smtp.probes.options import OptionError, host_name

from .settings import ScanSettings

__all__ = ["Exclusions", "PolitenessLimiter", "network_of"]

# Addresses whose delay is remembered before those whose delay has passed are dropped.
_MAX_COOLDOWNS = 10_000


def network_of(address: str) -> str:
    """Return the /24 or /48 that the address is in, which usually has one operator."""
    bits = 24 if "." in address else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


class PolitenessLimiter:
    """Limits simultaneous sessions, and delays the next one with an address; `open_sessions` counts them."""

    def __init__(self, settings: ScanSettings) -> None:
        self._addresses = PerKey(settings.per_address)
        self._networks = PerKey(settings.per_network)
        self._providers = PerKey(settings.per_provider)
        self._total = anyio.CapacityLimiter(settings.concurrency)
        self._delay = settings.delay
        self._next_allowed: dict[str, float] = {}
        self.open_sessions = 0

    @asynccontextmanager
    async def session(self, address: str, provider: str) -> AsyncIterator[None]:
        """Wait until the limits allow one more session with `address`, and hold its slots meanwhile."""
        network = network_of(address)
        async with self._addresses.place(address):
            while True:
                await anyio.sleep_until(self._next_allowed.get(address, 0))
                async with self._networks.place(network), self._providers.place(provider), self._total:
                    if self._next_allowed.get(address, 0) > anyio.current_time():
                        continue  # another session with this address ended meanwhile and renewed the delay
                    self.open_sessions += 1
                    try:
                        yield
                    finally:
                        self.open_sessions -= 1
                        self._start_cooldown(address)
                    return

    def _start_cooldown(self, address: str) -> None:
        if not self._delay:
            return
        now = anyio.current_time()
        self._next_allowed[address] = now + self._delay
        if len(self._next_allowed) > _MAX_COOLDOWNS:
            self._next_allowed = {key: at for key, at in self._next_allowed.items() if at > now}


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
