"""What travels between the workers of a cluster: facts, packed for a part of the list at a time.

What belongs to a place, resolver and locks above all, stays there. The facts of each domain are packed by
themselves, so that whoever unpacks a part need not hold all of its domains at once.
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

__all__ = ["DnsFacts", "Guest", "Part", "ProbeResults", "pack", "unpack"]

_T = TypeVar("_T")

Part: TypeAlias = list[tuple[int, Entry]]
"""Entries of the list that are looked up together, each with its number."""


class Guest(NamedTuple):
    """A domain that one of its servers is to be asked about; `part` is where it comes from."""

    part: int
    number: int
    domain: str
    endpoint: Endpoint


class DnsFacts(msgspec.Struct, frozen=True, array_like=True):
    """A domain that was looked up; `began` is when that was, in seconds of everybody's clock."""

    domain: str
    run_at: str
    began: float
    mx: Mx
    endpoints: tuple[Endpoint, ...]
    skipped: tuple[str, ...]
    dns: tuple[DnsAnswer, ...]

    @classmethod
    def of(cls, domain: DomainScan) -> "DnsFacts":
        """What is known of this domain before its servers were asked."""
        prospect = domain.prospect
        began = time() - (anyio.current_time() - domain.began)
        dns = prospect.lookups.answers
        return cls(domain.name, domain.run_at, began, prospect.mx, prospect.endpoints, prospect.skipped, dns)

    def at(self, number: int, options: Options, resolver: Resolver) -> DomainScan:
        """The domain again, at another place; `options` are those of all domains."""
        lookups = LookupCache(resolver).view()
        lookups.answered.update({(answer.name, answer.rdtype): answer for answer in self.dns})
        prospect = ResolvedDomain(
            options=options.about(self.domain),
            requirements=Requirements.of(None),
            lookups=lookups,
            mx=self.mx,
            endpoints=self.endpoints,
            skipped=self.skipped,
        )
        # the clocks of two machines may differ, but nothing is over before it began
        passed = max(time() - self.began, 0.0)
        return DomainScan(number, prospect, self.run_at, began=anyio.current_time() - passed)


class ProbeResults(msgspec.Struct, frozen=True, array_like=True):
    """What some of a domain's addresses said, and what the DNS says of them; `failed` as in `DomainScan`."""

    sessions: dict[str, tuple[Session, ...]]
    dns: tuple[DnsAnswer, ...]
    failed: str = ""

    def add_to(self, domain: DomainScan) -> None:
        """Take it down for this domain."""
        domain.sessions.update(self.sessions)
        domain.prospect.lookups.answered.update({(a.name, a.rdtype): a for a in self.dns})
        domain.failed = domain.failed or self.failed


def pack(things: Iterable[tuple[int, DnsFacts | ProbeResults]]) -> bytes:
    """The facts, by the number of their domain."""
    encode = msgspec.msgpack.encode
    packed = {number: msgspec.Raw(encode(thing)) for number, thing in things}
    # level 1: servers say the same things to everybody, and the least effort finds that out
    return zlib.compress(encode(packed), 1)


def unpack(packed: bytes) -> dict[int, msgspec.Raw]:
    """What was packed, each thing to be decoded by itself."""
    return msgspec.msgpack.decode(zlib.decompress(packed), type=dict[int, msgspec.Raw])
