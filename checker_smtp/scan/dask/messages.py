"""The messages between the workers of a cluster: facts about the domains of a part, packed together.

Resolver and locks stay on their worker. The facts of each domain are compressed on their own, so that a
worker has those of one domain at a time in memory: packed ones may be two hundred times as large.
"""

import zlib
from collections.abc import Collection
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
from checker_smtp.scan.domain_scan import DomainScan

__all__ = ["DnsFacts", "DomainEndpoint", "Packer", "Part", "ProbeResults", "Unpacker"]

_T = TypeVar("_T")

Part: TypeAlias = list[DomainScan]
"""Domains of the list that are resolved together."""


class DomainEndpoint(NamedTuple):
    """A domain and one of the endpoints to probe for it; `part` is the index of its part."""

    part: int
    number: int
    domain: str
    endpoint: Endpoint


class DnsFacts(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A domain behind the first stage.

    `started_at` is the time of its first lookup, in seconds since the epoch. One that was not resolved
    has no `mx`, and `not_checked` and `reason` as in `DomainScan`.
    """

    name: str
    run_at: str = ""
    started_at: float = 0.0
    not_checked: str = ""
    reason: str = ""
    mx: Mx | None = None
    endpoints: tuple[Endpoint, ...] = ()
    skipped: tuple[str, ...] = ()
    dns: tuple[DnsAnswer, ...] = ()

    @classmethod
    def from_domain(cls, domain: DomainScan) -> "DnsFacts":
        """Return the facts about this domain before its servers are probed."""
        resolved = domain.resolved
        return cls(
            name=domain.name,
            run_at=domain.run_at,
            started_at=time() - (anyio.current_time() - domain.started_at),
            not_checked=domain.not_checked,
            reason=domain.reason,
            mx=resolved.mx if resolved is not None else None,
            endpoints=domain.endpoints,
            skipped=resolved.skipped if resolved is not None else (),
            dns=resolved.lookups.answers if resolved is not None else (),
        )

    def to_domain(self, number: int, options: Options, resolver: Resolver) -> DomainScan:
        """Return the domain for use on another worker; `options` are those of the scan."""
        # the clocks of two machines may differ, but no time is negative
        passed = max(time() - self.started_at, 0.0)
        domain = DomainScan(
            number=number,
            name=self.name,
            run_at=self.run_at,
            started_at=anyio.current_time() - passed,
            not_checked=self.not_checked,
            reason=self.reason,
        )
        if self.mx is not None:
            lookups = LookupCache(resolver).view()
            lookups.add(self.dns)
            domain.resolved = ResolvedDomain(
                options=options.about(self.name),
                requirements=Requirements.of(None),
                lookups=lookups,
                mx=self.mx,
                endpoints=self.endpoints,
                skipped=self.skipped,
            )
        return domain


class ProbeResults(msgspec.Struct, frozen=True, array_like=True):
    """The sessions with some of a domain's addresses and their PTR lookups, or the bug that made it fail."""

    sessions: dict[str, tuple[Session, ...]]
    dns: tuple[DnsAnswer, ...]
    failure: str = ""

    def add_to(self, domain: DomainScan) -> None:
        """Store these results in `domain`, which is resolved."""
        domain.sessions.update(self.sessions)
        if domain.resolved is not None:
            domain.resolved.lookups.add(self.dns)
        if self.failure:
            domain.not_checked, domain.reason = "error", self.failure


# Level 1 of zlib, and its window. The first message is the dictionary of the others, because replies repeat
# from domain to domain: 250 octets of 3,900, and 1,200 without it.
_LEVEL, _WINDOW = 1, 32 * 1024


class Packer:
    """Packs messages one by one, each with the number of its domain; `octets` are those packed so far."""

    def __init__(self) -> None:
        self.octets = 0
        self._dictionary = b""
        self._packed: dict[int, bytes] = {}

    def add(self, number: int, message: DnsFacts | ProbeResults) -> None:
        """Encode and compress a message."""
        encoded = msgspec.msgpack.encode(message)
        compressor = zlib.compressobj(_LEVEL, zdict=self._dictionary)
        self._packed[number] = compressor.compress(encoded) + compressor.flush()
        self.octets += len(self._packed[number])
        if not self._dictionary and len(encoded) <= _WINDOW:
            self._dictionary = encoded

    @property
    def numbers(self) -> Collection[int]:
        """The numbers of the domains that have a message."""
        return self._packed.keys()

    def pack(self) -> bytes:
        """Return all messages."""
        return msgspec.msgpack.encode((self._dictionary, self._packed))


class Unpacker:
    """The messages of a packer, by number, each still packed."""

    def __init__(self, packed: bytes) -> None:
        self._dictionary, self._packed = msgspec.msgpack.decode(packed, type=tuple[bytes, dict[int, bytes]])

    @property
    def numbers(self) -> Collection[int]:
        """The numbers of the domains that have a message."""
        return self._packed.keys()

    def take(self, number: int, kind: type[_T]) -> _T:
        """Remove a message and return it."""
        decompressor = zlib.decompressobj(zdict=self._dictionary)
        return msgspec.msgpack.decode(decompressor.decompress(self._packed.pop(number)), type=kind)
