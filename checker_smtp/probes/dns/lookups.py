"""DNS questions, each asked once, and the cache of what they say about hosts that many domains share."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias, TypeVar, cast

import anyio

from checker_smtp.probes.ports import DnsAnswer, Resolver

__all__ = ["LookupCache", "Lookups", "ResolverError"]

_T = TypeVar("_T")
_Answers: TypeAlias = dict[tuple[str, str], DnsAnswer]


class ResolverError(Exception):
    """The resolver answers nothing at all, so nothing is known about the domain.

    `detail` is the last error of the resolver or the network.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(f"the resolver does not answer: {detail}")
        self.detail = detail


class _Host(NamedTuple):
    """The result for one host, the answers behind it, and when it expires (seconds, the cache's clock)."""

    expires: float
    result: object
    answers: _Answers


class LookupCache:
    """DNS results about hosts, shared by all domains that use them; each domain asks through its own view.

    A result is kept for `ttl` seconds of `clock`; with 0 it serves only the domain that asked. It is not kept
    where one of its questions failed. Beyond `max_hosts` the oldest result goes.
    """

    def __init__(
        self,
        resolver: Resolver,
        ttl: float = 0.0,
        clock: Callable[[], float] = lambda: 0.0,
        max_hosts: int = 5000,
    ) -> None:
        self.resolver = resolver
        self.ttl = ttl
        self._clock = clock
        self._max_hosts = max_hosts
        self._hosts: dict[str, _Host] = {}

    def view(self) -> "Lookups":
        """Return a new view for one domain, in which nothing was asked yet."""
        return Lookups(self)

    async def resolve_host(self, key: str, resolve: Callable[["Lookups"], Awaitable[object]]) -> _Host:
        """Return the host kept under `key`, or resolve it in a new view where there is none or it expired."""
        now = self._clock()
        host = self._hosts.get(key)
        if host is None or host.expires <= now:
            view = self.view()
            host = _Host(now + self.ttl, await resolve(view), view.answered)
            if all(answer.status.known for answer in host.answers.values()):
                self._keep(key, host)
        return host

    def _keep(self, key: str, host: _Host) -> None:
        self._hosts.pop(key, None)
        self._hosts[key] = host
        if len(self._hosts) > self._max_hosts:
            del self._hosts[next(iter(self._hosts))]


class Lookups:
    """The DNS questions of one domain, each asked once: a view of a `LookupCache`."""

    def __init__(self, cache: LookupCache) -> None:
        self._cache = cache
        self._locks: dict[tuple[str, str], anyio.Lock] = {}
        self.answered: _Answers = {}

    async def ask(self, name: str, rdtype: str) -> DnsAnswer:
        """Return the answer to one question; concurrent callers wait for the same answer."""
        key = (name.lower(), rdtype)
        if key not in self.answered:
            async with self._locks.setdefault(key, anyio.Lock()):
                self.answered[key] = self.answered.get(key) or await self._cache.resolver.resolve(*key)
            self._locks.pop(key, None)
        return self.answered[key]

    async def resolve_host(self, key: str, resolve: Callable[["Lookups"], Awaitable[_T]]) -> _T:
        """Return what `resolve` returns, or what it returned for another domain under the same `key`.

        Either way the answers behind the result become answers of this view.
        """
        if not self._cache.ttl:
            return await resolve(self)
        host = await self._cache.resolve_host(key, resolve)
        self.answered.update(host.answers)
        return cast("_T", host.result)

    @property
    def answers(self) -> tuple[DnsAnswer, ...]:
        """Every answer so far, sorted by name and type."""
        return tuple(self.answered[key] for key in sorted(self.answered))
