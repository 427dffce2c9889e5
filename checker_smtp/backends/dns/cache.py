"""One resolver for a whole run: no question is asked twice while its answer holds.

A scan asks the same few thousand questions about mail hosts a million times, at many places at once. So
whoever asks what is being asked waits for that answer; and what was answered is remembered.

How long: at least an hour, else until the TTL, a day at most. A run takes hours, and the hosts that most
domains share have TTLs of minutes; what a scan says of a domain is as of the hour anyway. "No such name" and
"no such record" hold for an hour as well (RFC 2308 §5 advises one to three). A failure holds for the five
seconds of RFC 9520: not asked again by every domain that meets it, and soon enough where it was a hiccup.

How much: the memory has a size, in octets, and what was not asked for longest makes room. MX answers have
a small one of their own, because each belongs to one domain and would sweep the hosts out of the other.

Of several resolvers each has its turn. A question that one could not settle is put to the next, until two
have failed at it. One that was not heard at all in the meantime does not count as one of them; if that
happens three times in a row it is left out, and one question every half minute finds out if it is back.

An asker runs its question itself, so there is no task to look after: if it is cancelled, one of those who
wait for the answer asks again in its place.

The root is asked for to find out whether a resolver answers at all (`probes.dns`). That has to be known
of this moment, so it is shared between those who ask at once, and not remembered.

Not here: prefetching, serving stale answers, and memory beyond the run.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeAlias

import anyio

from checker_smtp.probes.ports import DnsAnswer, DnsStatus

from .resolver import DnsResolver, most_telling

__all__ = ["SharedResolver"]

_CONTROL = (".", "NS")
_HOUR, _DAY, _FAILED = 3600.0, 86400.0, 5.0
# 60,000 usual answers: those of the hosts that serve nearly all domains there are.
_ROOM = 48 * 1024 * 1024
# 1,000 usual answers: a list has its doubles close together, and the relay probe's own domain in all places.
_ROOM_FOR_MX = 1024 * 1024
# Octets that an answer takes beside the text of its records, and each record beside its text.
_PER_ANSWER, _PER_RECORD = 600, 60
_MAX_UPSTREAMS = 2
_SILENCES = 3
_LEFT_OUT = 30.0

_Key: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Pending:
    """A question that is being asked; `answer` stays None where its asker is cancelled."""

    answer: DnsAnswer | None = None
    done: anyio.Event = field(default_factory=anyio.Event)


@dataclass(slots=True, eq=False)
class _Place:
    """A resolver, how many questions in a row it was silent over, and when it is tried again if left out."""

    resolver: DnsResolver
    silences: int = 0
    tried_again: float = 0.0

    async def ask(self, key: _Key) -> tuple[DnsAnswer, bool]:
        """The answer, and whether the resolver answered anybody in the meantime."""
        before = self.resolver.heard
        answer = await self.resolver.resolve(*key)
        heard = self.resolver.heard > before
        self.silences = 0 if heard else self.silences + 1
        return answer, heard


class SharedResolver:
    """A `Resolver` on top of `resolvers`, which it shares between all who ask.

    `in_flight` is how many questions are out at once at most, `room` the octets of memory for answers,
    `clock` gives seconds. An answer keeps its `seconds`, whoever gets it.
    """

    def __init__(
        self,
        resolvers: Sequence[DnsResolver],
        *,
        in_flight: int = 200,
        room: int = _ROOM,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._places = deque(map(_Place, resolvers))
        self._clock = clock
        self._limit = anyio.Semaphore(in_flight, fast_acquire=True)
        self._flights: dict[_Key, _Pending] = {}
        self._hosts = _Memory(room)
        self._mx = _Memory(min(room, _ROOM_FOR_MX))

    @property
    def queries(self) -> int:
        """How many questions were sent, second tries and TCP included."""
        return sum(place.resolver.queries for place in self._places)

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        """The answer to a question, asked now or before. Raises nothing but cancellation."""
        key = name.lower(), rdtype
        memory = self._mx if rdtype == "MX" else self._hosts
        while True:
            if (answer := memory.recall(key, self._clock())) is not None:
                return answer
            flight = self._flights.get(key)
            if flight is None:
                answer = await self._query_once(key)
                if key != _CONTROL:
                    memory.keep(key, answer, self._clock())
                return answer
            await flight.done.wait()
            if flight.answer is not None:
                return flight.answer

    async def _query_once(self, key: _Key) -> DnsAnswer:
        flight = self._flights[key] = _Pending()
        try:
            async with self._limit:
                flight.answer = await self._ask(key)
            return flight.answer
        finally:
            del self._flights[key]
            flight.done.set()

    async def _ask(self, key: _Key) -> DnsAnswer:
        asked: list[_Place] = []
        failures: list[DnsAnswer] = []
        opinions = 0
        while opinions < _MAX_UPSTREAMS and (place := self._next_but(asked, heard=opinions > 0)) is not None:
            asked.append(place)
            answer, heard = await place.ask(key)
            if answer.status.known:
                return answer
            failures.append(answer)
            opinions += heard
        return most_telling(failures)

    def _next_but(self, asked: Sequence[_Place], *, heard: bool) -> _Place | None:
        """Whose turn it is; of those left out only where none of the others was `heard`."""
        now = self._clock()
        for _ in range(len(self._places)):
            self._places.rotate(-1)
            place = self._places[-1]
            if place in asked:
                continue
            if place.silences < _SILENCES:
                return place
            if place.tried_again <= now:
                place.tried_again = now + _LEFT_OUT
                return place
        left_out = () if heard else (place for place in self._places if place not in asked)
        return min(left_out, key=lambda place: place.tried_again, default=None)


class _Memory:
    """Answers, the one not asked for longest first, in about `room` octets."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._taken = 0
        self._answers: OrderedDict[_Key, tuple[DnsAnswer, float, int]] = OrderedDict()

    def recall(self, key: _Key, now: float) -> DnsAnswer | None:
        """The answer that holds at `now`, if there is one."""
        if (kept := self._answers.get(key)) is None:
            return None
        answer, until, _ = kept
        if until <= now:
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def keep(self, key: _Key, answer: DnsAnswer, now: float) -> None:
        """Remember an answer that is not there yet, and forget others where there is no room for it."""
        size = _size(answer)
        self._answers[key] = answer, now + _holds(answer), size
        self._taken += size
        while self._taken > self._room:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: _Key) -> None:
        if (kept := self._answers.pop(key, None)) is not None:
            self._taken -= kept[2]


def _holds(answer: DnsAnswer) -> float:
    """For how many seconds."""
    if not answer.status.known:
        return _FAILED
    if answer.status is not DnsStatus.ANSWER:
        return _HOUR
    rows = (record.split(maxsplit=2) for record in answer.records)
    # a record cut short has no TTL
    ttl = min((int(row[1]) for row in rows if len(row) == 3), default=0)
    return min(max(ttl, _HOUR), _DAY)


def _size(answer: DnsAnswer) -> int:
    return _PER_ANSWER + sum(len(record) + _PER_RECORD for record in answer.records)
