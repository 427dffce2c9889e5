"""How a scan behaves towards those it asks: few sessions at once, a pause between two, some never.

Places are waited for from the narrowest to the widest, so that nobody who waits for a rare one keeps a
common one from others.
"""

import ipaddress
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import anyio

from checker_smtp.probes.limits import PerKey
from checker_smtp.probes.options import OptionError, host_name

from .settings import ScanSettings

__all__ = ["Exclusions", "PolitenessLimiter", "network_of"]


def network_of(address: str) -> str:
    """The /24 or /48 that the address is in: what one operator usually answers for."""
    bits = 24 if "." in address else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


class PolitenessLimiter:
    """Gives out the right to hold a session; `open` is how many hold one now."""

    def __init__(self, settings: ScanSettings) -> None:
        self._addresses = PerKey(settings.per_address)
        self._networks = PerKey(settings.per_network)
        self._providers = PerKey(settings.per_provider)
        self._total = anyio.CapacityLimiter(settings.concurrency)
        self._pause = settings.delay
        self._next_allowed: dict[str, float] = {}
        self.open = 0

    @asynccontextmanager
    async def session(self, address: str, provider: str) -> AsyncIterator[None]:
        """Wait until one more session with `address` is decent, and hold the right to it."""
        network = network_of(address)
        async with self._addresses.place(address):
            while True:
                await anyio.sleep_until(self._next_allowed.get(address, 0))
                async with self._networks.place(network), self._providers.place(provider), self._total:
                    if self._next_allowed.get(address, 0) > anyio.current_time():
                        continue  # while this one waited, another session there came to its end
                    self.open += 1
                    try:
                        yield
                    finally:
                        self.open -= 1
                        self._start_cooldown(address)
                    return

    def _start_cooldown(self, address: str) -> None:
        if not self._pause:
            return
        now = anyio.current_time()
        self._next_allowed[address] = now + self._pause
        if len(self._next_allowed) > _MAX_RESTING:
            self._next_allowed = {key: at for key, at in self._next_allowed.items() if at > now}


# Addresses remembered before those whose pause is over are forgotten.
_MAX_RESTING = 10_000


class Exclusions:
    """Domains and networks that are never touched; a domain stands for all names below it as well."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._domains: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._domains.add(self._domain(entry))

    @staticmethod
    def _domain(entry: str) -> str:
        try:
            return host_name("stop list", entry.removeprefix("*."))
        except OptionError:
            raise OptionError(
                "stop list",
                f"the stop list has {entry[:80]!r}, which is no domain and no network: "
                "give one entry a line, such as example.com or 192.0.2.0/24",
            ) from None

    def names(self, name: str) -> bool:
        """Whether this host name or domain is to be left alone."""
        while name:
            if name in self._domains:
                return True
            name = name.partition(".")[2]
        return False

    def covers(self, address: str) -> bool:
        """Whether this address is to be left alone."""
        ip = ipaddress.ip_address(address)
        return any(ip.version == network.version and ip in network for network in self._networks)
