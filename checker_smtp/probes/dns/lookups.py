"""DNS questions, each asked once, and the cache of what they say about hosts that many domains share."""

from collections.abc import Awaitable, Callable, Iterable
from math import inf
from typing import NamedTuple, TypeAlias, TypeVar, cast

import anyio

from checker_smtp.probes.bounded import BoundedResolver, TimeBudget
from checker_smtp.probes.evidence_budget import EvidenceBudget, octets_of_answers
from checker_smtp.probes.ports import DnsAnswer, Resolver

from .soundness import Soundness, ask_controls

__all__ = ["LookupCache", "Lookups"]

_T = TypeVar("_T")
_Question: TypeAlias = tuple[str, str, bool]
"""Name, type, and True where DNSSEC validation is disabled."""
_Answers: TypeAlias = dict[_Question, DnsAnswer]

# Seconds, as for any failure to resolve (RFC 9520 §3.2).
_FAULT_LIFETIME = 5.0
# Octets of all answers behind the hosts that are kept: 5,000 usual hosts have half of it.
_MAX_OCTETS = 16 * 1024 * 1024


class _Host(NamedTuple):
    """The result for one host, the answers behind it, and when it expires (seconds, the cache's clock)."""

    expires: float
    result: object
    answers: _Answers

    @property
    def octets(self) -> int:
        return octets_of_answers(self.answers.values())


class LookupCache:
    """DNS results about hosts, shared by all domains that use them; each domain asks through its own view.

    A result is kept for `ttl` seconds of `clock`; with 0 it serves only the domain that asked. It is not kept
    where one of its questions failed. Beyond `max_hosts` or 16 MiB the oldest results go. The answers to the
    control questions are kept like a host; `seed` decides the name that they ask for.
    """

    def __init__(
        self,
        resolver: Resolver,
        ttl: float = 0.0,
        clock: Callable[[], float] = lambda: 0.0,
        max_hosts: int = 5000,
        *,
        seed: int = 0,
    ) -> None:
        self.resolver = resolver
        self.seed = seed
        self.ttl = ttl
        self._clock = clock
        self._max_hosts = max_hosts
        self._hosts: dict[str, _Host] = {}
        self._octets = 0
        self._soundness: tuple[float, Soundness] | None = None
        self._asked_at = 0.0
        self._lock = anyio.Lock()

    def view(self, evidence: EvidenceBudget | None = None) -> "Lookups":
        """Return a new view for one domain, in which nothing was asked yet; answers stay in `evidence`."""
        return Lookups(self, evidence)

    def find_host(self, key: str) -> _Host | None:
        """Return the host kept under `key`; None where there is none or it expired."""
        host = self._hosts.get(key)
        return host if host is not None and host.expires > self._clock() else None

    async def resolve_host(
        self,
        key: str,
        resolve: Callable[["Lookups"], Awaitable[object]],
        evidence: EvidenceBudget | None = None,
    ) -> _Host:
        """Resolve a host in a new view within `evidence`, and keep it under `key`."""
        now, view = self._clock(), self.view(evidence)
        host = _Host(now + self.ttl, await resolve(view), view.answered)
        if all(answer.status.known for answer in host.answers.values()):
            self._keep(key, host)
        return host

    async def soundness(self, max_age: float = inf) -> Soundness:
        """Return what the control questions show of the resolver; asked again while it is at fault.

        They are also asked again if they were asked more than `max_age` seconds ago.
        """
        async with self._lock:
            now = self._clock()
            if self._soundness is None or min(self._soundness[0], self._asked_at + max_age) <= now:
                self._asked_at = now
                soundness = await ask_controls(self.resolver.resolve, self.seed)
                is_kept = soundness.is_alive and not soundness.fault
                self._soundness = now + (self.ttl if is_kept else min(self.ttl, _FAULT_LIFETIME)), soundness
            return self._soundness[1]

    def _keep(self, key: str, host: _Host) -> None:
        self._drop(key)
        self._hosts[key] = host
        self._octets += host.octets
        while len(self._hosts) > self._max_hosts or self._octets > _MAX_OCTETS:
            self._drop(next(iter(self._hosts)))

    def _drop(self, key: str) -> None:
        if (host := self._hosts.pop(key, None)) is not None:
            self._octets -= host.octets


class Lookups:
    """The DNS questions of one domain, each asked once: a view of a `LookupCache`."""

    def __init__(self, cache: LookupCache, evidence: EvidenceBudget | None = None) -> None:
        self._cache = cache
        self._resolver = cache.resolver
        self._evidence: EvidenceBudget | None = None
        if evidence is not None:
            self.keep_within(evidence)
        self._locks: dict[_Question, anyio.Lock] = {}
        self._soundness: Soundness | None = None
        self.answered: _Answers = {}

    def keep_within(self, evidence: EvidenceBudget) -> None:
        """Have the answers from now on stay in `evidence`."""
        self._evidence = evidence
        self._resolver = BoundedResolver(self._cache.resolver, evidence, TimeBudget(inf))

    async def ask(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Return the answer to one question; concurrent callers wait for the same answer.

        `unvalidated` asks the resolver not to check DNSSEC signatures.
        """
        key = (name.lower(), rdtype, unvalidated)
        if key not in self.answered:
            async with self._locks.setdefault(key, anyio.Lock()):
                if key in self.answered:
                    return self.answered[key]  # given to a caller that held the lock before
                resolve = self._resolver.resolve
                self.answered[key] = await resolve(*key[:2], unvalidated=unvalidated)
            self._locks.pop(key, None)
        return self.answered[key]

    async def soundness(self) -> Soundness:
        """Return what the control questions show of the resolver; asked once for this view."""
        if self._soundness is None:
            self._soundness = await self._cache.soundness()
        return self._soundness

    async def soundness_now(self) -> Soundness:
        """Return the same as of this moment, for a question that failed: a resolver may die during a scan."""
        if self._cache.ttl:
            self._soundness = await self._cache.soundness(_FAULT_LIFETIME)
        return await self.soundness()

    def add(self, answers: Iterable[DnsAnswer]) -> None:
        """Make these answers of this view, as if it had asked."""
        self.answered.update({answer.question: answer for answer in answers})

    async def resolve_host(self, key: str, resolve: Callable[["Lookups"], Awaitable[_T]]) -> _T:
        """Return what `resolve` returns, or what it returned for another domain under the same `key`.

        Either way the answers behind the result become answers of this view.
        """
        if not self._cache.ttl:
            return await resolve(self)
        host = self._cache.find_host(key)
        if host is None:
            host = await self._cache.resolve_host(key, resolve, self._evidence)
        elif self._evidence is not None and not self._evidence.take(host.octets):
            return await resolve(self)  # as far as there is room
        self.answered.update(host.answers)
        return cast("_T", host.result)

    @property
    def answers(self) -> tuple[DnsAnswer, ...]:
        """Every answer so far, sorted by name and type."""
        return tuple(self.answered[key] for key in sorted(self.answered))
