"""One resolver for a whole run: no question is asked twice while its answer holds.

A scan asks the same few thousand questions about mail hosts a million times, at many places at once. So a
question that is being asked already waits for that answer (single flight), and answers are cached.

Lifetime: the TTL, but an hour at least and a day at most. A run takes hours, and the hosts that most domains
share have TTLs of minutes; what a scan reports of a domain is as of the hour anyway. "No such name" and "no
such record" hold for an hour as well (RFC 2308 §5 advises one to three). A failure holds for the five seconds
of RFC 9520: the other domains that meet it do not repeat it, and it is repeated soon where it was a hiccup.

Size: in octets; the answer not used for longest is evicted first. MX answers have a small cache of their own,
because each belongs to one domain and would evict the hosts.

Several upstream resolvers take turns. A question that one could not settle goes to the next, until two have
failed at it. An upstream from which nothing at all was received in the meantime does not count as one of the
two; if that happens three times in a row it is excluded, and one question every half minute tests if it is
back.

A question runs in the task that asked it first, so there is no task to look after: if that one is cancelled,
one of those that wait for the answer asks again.

Control questions (`probes.dns.soundness`) find out whether a resolver answers, and truthfully. That has
to be known of this moment, so their answers hold for a second only: with an hour's, a resolver that dies in
the middle of a scan would seem to be alive, and every domain after that to be at fault.

Not here: prefetching, serving stale answers, and a cache beyond the run.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Protocol, TypeAlias

import anyio

from checker_smtp.probes.dns import is_control
from checker_smtp.probes.ports import DnsAnswer, DnsStatus, Resolver

from .failures import Failure, combine

__all__ = ["CountingResolver", "SharedResolver"]

# Lifetimes in seconds.
_MIN_LIFETIME, _MAX_LIFETIME, _FAILURE_LIFETIME, _CONTROL_LIFETIME = 3600.0, 86400.0, 5.0, 1.0
# 60,000 usual answers: those of the hosts that serve nearly all domains there are.
_CACHE_SIZE = 48 * 1024 * 1024
# 1,000 usual answers: a list has its duplicates close together; the relay probe's domain alone recurs.
_MX_CACHE_SIZE = 1024 * 1024
# Octets that an answer takes beside the text of its records, and each record beside its text: tracemalloc, in
# tests/runtimes/test_dns_cache.py.
_PER_ANSWER, _PER_RECORD = 600, 60
# Upstreams that may fail at a question before it has failed.
_MAX_UPSTREAMS = 2
# Questions in a row without any response until an upstream is excluded, and seconds until it is tested again.
_MAX_SILENT = 3
_EXCLUDED_FOR = 30.0

_Key: TypeAlias = tuple[str, str, bool]
"""Name, type, and True where DNSSEC validation is disabled."""


class CountingResolver(Resolver, Protocol):
    """A resolver that counts, such as `DnsResolver` and `SharedResolver`."""

    @property
    def name(self) -> str:
        """The servers, for people."""

    @property
    def queries(self) -> int:
        """Questions sent so far, second tries included."""

    @property
    def responses(self) -> int:
        """Questions answered so far, be it by an error."""


@dataclass(slots=True)
class _Pending:
    """A question that is being asked; `answer` stays None where the task that asks it is cancelled."""

    answer: DnsAnswer | None = None
    done: anyio.Event = field(default_factory=anyio.Event)


@dataclass(slots=True, eq=False)
class _Upstream:
    """A resolver, its questions in a row without any response, and when to test it again if excluded."""

    resolver: CountingResolver
    silent: int = 0
    test_at: float = 0.0

    async def resolve(self, key: _Key) -> tuple[DnsAnswer, bool]:
        """Return the answer, and whether any response was received from the upstream in the meantime."""
        before = self.resolver.responses
        answer = await self.resolver.resolve(key[0], key[1], unvalidated=key[2])
        is_alive = self.resolver.responses > before
        self.silent = 0 if is_alive else self.silent + 1
        return answer, is_alive


class SharedResolver:
    """A `Resolver` on top of `resolvers` with one cache for all that use it.

    `in_flight` limits the questions sent at once, `cache_size` is octets of memory for answers, `clock`
    returns seconds. A cached answer keeps the `seconds` that it took when it was asked.
    """

    def __init__(
        self,
        resolvers: Sequence[CountingResolver],
        *,
        in_flight: int = 200,
        cache_size: int = _CACHE_SIZE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._names = [resolver.name for resolver in resolvers]
        self._upstreams = deque(map(_Upstream, resolvers))
        self._clock = clock
        self._limit = anyio.Semaphore(in_flight, fast_acquire=True)
        self._pending: dict[_Key, _Pending] = {}
        self._hosts = _AnswerCache(cache_size)
        self._mx = _AnswerCache(min(cache_size, _MX_CACHE_SIZE))

    @property
    def name(self) -> str:
        """The servers of all resolvers, for people."""
        return ", ".join(self._names)

    @property
    def queries(self) -> int:
        """Questions sent so far, second tries and TCP included."""
        return sum(upstream.resolver.queries for upstream in self._upstreams)

    @property
    def responses(self) -> int:
        """Questions answered over the network so far, be it by an error."""
        return sum(upstream.resolver.responses for upstream in self._upstreams)

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Return the answer to a question, asked now or before. Raises nothing but cancellation."""
        key = name.lower(), rdtype, unvalidated
        cache = self._mx if rdtype == "MX" else self._hosts
        while True:
            if (answer := cache.get(key, self._clock())) is not None:
                return answer
            pending = self._pending.get(key)
            if pending is None:
                answer = await self._query_once(key)
                cache.put(key, answer, self._clock())
                return answer
            await pending.done.wait()
            if pending.answer is not None:
                return pending.answer

    async def _query_once(self, key: _Key) -> DnsAnswer:
        pending = self._pending[key] = _Pending()
        try:
            async with self._limit:
                pending.answer = await self._query(key)
            return pending.answer
        finally:
            del self._pending[key]
            pending.done.set()

    async def _query(self, key: _Key) -> DnsAnswer:
        asked: list[_Upstream] = []
        failures: list[Failure[DnsAnswer]] = []
        alive = 0
        while alive < _MAX_UPSTREAMS:
            upstream = self._next_upstream(asked, allow_excluded=not alive)
            if upstream is None:
                break
            asked.append(upstream)
            answer, is_alive = await upstream.resolve(key)
            if answer.status.known:
                return answer
            failures.append(Failure(upstream.resolver.name, answer, upstream.resolver.responses > 0))
            alive += is_alive
        least, detail = combine(failures)
        return replace(least, detail=detail)

    def _next_upstream(self, asked: Sequence[_Upstream], *, allow_excluded: bool) -> _Upstream | None:
        """Return the upstream whose turn it is; an excluded one only where no other is left."""
        now = self._clock()
        for _ in range(len(self._upstreams)):
            self._upstreams.rotate(-1)
            upstream = self._upstreams[-1]
            if upstream in asked:
                continue
            if upstream.silent < _MAX_SILENT:
                return upstream
            if upstream.test_at <= now:
                upstream.test_at = now + _EXCLUDED_FOR
                return upstream
        excluded = (upstream for upstream in self._upstreams if upstream not in asked)
        return min(excluded, key=lambda upstream: upstream.test_at, default=None) if allow_excluded else None


class _AnswerCache:
    """Answers in about `size` octets, the one not used for longest first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._answers: OrderedDict[_Key, tuple[DnsAnswer, float, int]] = OrderedDict()

    def get(self, key: _Key, now: float) -> DnsAnswer | None:
        """Return the answer that holds at `now`, or None."""
        if (cached := self._answers.get(key)) is None:
            return None
        answer, expires_at, _ = cached
        if expires_at <= now:
            self._evict(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def put(self, key: _Key, answer: DnsAnswer, now: float) -> None:
        """Cache an answer that is not cached yet, and evict others where there is no room for it."""
        size = _size(answer)
        self._answers[key] = answer, now + _lifetime(answer), size
        self._used += size
        while self._used > self._size:
            self._evict(next(iter(self._answers)))

    def _evict(self, key: _Key) -> None:
        if (cached := self._answers.pop(key, None)) is not None:
            self._used -= cached[2]


def _lifetime(answer: DnsAnswer) -> float:
    """Return for how many seconds the answer holds."""
    if is_control(answer.name, answer.rdtype):
        return _CONTROL_LIFETIME
    if not answer.status.known:
        return _FAILURE_LIFETIME
    if answer.status is not DnsStatus.ANSWER:
        return _MIN_LIFETIME
    rows = (record.split(maxsplit=2) for record in answer.records)
    # a record cut short has no TTL
    ttl = min((int(row[1]) for row in rows if len(row) == 3), default=0)
    return min(max(ttl, _MIN_LIFETIME), _MAX_LIFETIME)


def _size(answer: DnsAnswer) -> int:
    return _PER_ANSWER + sum(len(record) + _PER_RECORD for record in answer.records)
