"""The messages between the workers of a cluster: facts about the domains of a part, packed together.

Resolver and locks stay on their worker. The facts of each domain are encoded separately, so that a worker
that unpacks a part does not decode all of its domains at once.
"""

import zlib
from collections.abc import Iterable
from time import time
from typing import NamedTuple, TypeAlias, TypeVar

import anyio
import msgspec

from checker_smtp.probes.check import ResolvedDomain
from checker_smtp.probes.dns import LookupCache
from checker_smtp.probes.observation import Endpoint, Mx, Session
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, Resolver
from checker_smtp.probes.requirements import Requirements

from .domain_list import Entry
from .domain_scan import DomainScan

__all__ = ["DnsFacts", "DomainEndpoint", "Part", "ProbeResults", "pack", "unpack"]

_T = TypeVar("_T")

Part: TypeAlias = list[tuple[int, Entry]]
"""Entries of the list that are resolved together, each with its number."""


class DomainEndpoint(NamedTuple):
    """A domain and one of the endpoints to probe for it; `part` is the index of its part."""

    part: int
    number: int
    domain: str
    endpoint: Endpoint


class DnsFacts(msgspec.Struct, frozen=True, array_like=True):
    """A resolved domain; `started_at` is the time of its first lookup, in seconds since the epoch."""

    domain: str
    run_at: str
    started_at: float
    mx: Mx
    endpoints: tuple[Endpoint, ...]
    skipped: tuple[str, ...]
    dns: tuple[DnsAnswer, ...]

    @classmethod
    def from_domain(cls, domain: DomainScan) -> "DnsFacts":
        """Return the facts about this domain before its servers are probed."""
        resolved = domain.resolved
        return cls(
            domain=domain.name,
            run_at=domain.run_at,
            started_at=time() - (anyio.current_time() - domain.started_at),
            mx=resolved.mx,
            endpoints=resolved.endpoints,
            skipped=resolved.skipped,
            dns=resolved.lookups.answers,
        )

    def to_domain(self, number: int, options: Options, resolver: Resolver) -> DomainScan:
        """Return the domain for use on another worker; `options` are those of the scan."""
        lookups = LookupCache(resolver).view()
        lookups.add(self.dns)
        resolved = ResolvedDomain(
            options=options.about(self.domain),
            requirements=Requirements.of(None),
            lookups=lookups,
            mx=self.mx,
            endpoints=self.endpoints,
            skipped=self.skipped,
        )
        # the clocks of two machines may differ, but no time is negative
        passed = max(time() - self.started_at, 0.0)
        return DomainScan(number, resolved, self.run_at, started_at=anyio.current_time() - passed)


class ProbeResults(msgspec.Struct, frozen=True, array_like=True):
    """The sessions with some of a domain's addresses and their PTR lookups; `failed` as in `DomainScan`."""

    sessions: dict[str, tuple[Session, ...]]
    dns: tuple[DnsAnswer, ...]
    failed: str = ""

    def add_to(self, domain: DomainScan) -> None:
        """Store these results in `domain`."""
        domain.sessions.update(self.sessions)
        domain.resolved.lookups.add(self.dns)
        domain.failed = domain.failed or self.failed


def pack(messages: Iterable[tuple[int, DnsFacts | ProbeResults]]) -> bytes:
    """Encode and compress messages, each with the number of its domain."""
    encode = msgspec.msgpack.encode
    encoded = {number: msgspec.Raw(encode(message)) for number, message in messages}
    # level 1: replies repeat from domain to domain, and the fastest level finds that already
    return zlib.compress(encode(encoded), 1)


def unpack(packed: bytes) -> dict[int, msgspec.Raw]:
    """Return the packed messages by number, each still to be decoded."""
    return msgspec.msgpack.decode(zlib.decompress(packed), type=dict[int, msgspec.Raw])
