"""The ports of a check within its limits: its budget of evidence, and its time.

Where a limit is reached, the answer is a failure of this side that names the limit. That of a session is an
outcome of its driver, like any other, so that it is on record and a replay needs no limit to end there.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import anyio

from smtp_sansio import Effect, FailureKind, Outcome, Receive, Received, Script, Send, Transcript, intercept

from .evidence_budget import MAX_READ, EvidenceBudget, octets_of_answers
from .ports import DnsAnswer, DnsStatus, Resolver, Runner

__all__ = ["BoundedResolver", "BoundedRunner", "TimeBudget"]

_T = TypeVar("_T")


class TimeBudget:
    """The time of a whole check, in seconds of the event loop's clock; it begins when this is made."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadline = anyio.current_time() + seconds

    @property
    def left(self) -> float:
        """Return the seconds left, negative where none are."""
        return self._deadline - anyio.current_time()

    def extend_to(self, seconds: float) -> None:
        """Have at least these seconds left from now on, as after a wait that does not count."""
        self._deadline = max(self._deadline, anyio.current_time() + seconds)

    @asynccontextmanager
    async def hold(self, place: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
        """Hold `place` while the context is open; where the time runs out before it is free, go without."""
        async with AsyncExitStack() as held:
            with anyio.move_on_after(self.left):
                await held.enter_async_context(place)
            yield


class BoundedResolver:
    """A `Resolver` whose answers stay within `evidence`, and which asks nothing once `time` is over."""

    def __init__(self, resolver: Resolver, evidence: EvidenceBudget, time: TimeBudget) -> None:
        self._resolver = resolver
        self._evidence = evidence
        self._time = time

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Return the resolver's answer, or one with `DnsStatus.EVIDENCE` or `DnsStatus.CHECK_BUDGET`."""
        if self._time.left > 0:
            with anyio.move_on_after(self._time.left):
                answer = await self._resolver.resolve(name, rdtype, unvalidated=unvalidated)
                if self._evidence.take(octets_of_answers([answer])):
                    return answer
                status, detail = DnsStatus.EVIDENCE, "this check keeps no more answers of the DNS"
                return replace(answer, status=status, records=(), omitted=0, detail=detail)
        return DnsAnswer(
            name=name.lower(),
            rdtype=rdtype,
            status=DnsStatus.CHECK_BUDGET,
            detail=f"the time for the whole check, {self._time.seconds:g} seconds, ran out",
            unvalidated=unvalidated,
        )


class BoundedRunner:
    """A `Runner` whose scripts end where `evidence` has no room for another read, or `time` is over."""

    def __init__(self, runner: Runner, evidence: EvidenceBudget, time: TimeBudget) -> None:
        self._runner = runner
        self._evidence = evidence
        self._time = time

    async def run(self, script: Script[_T]) -> _T:
        """Run `script`; an effect beyond a limit fails with `FailureKind.EVIDENCE` or `CHECK_BUDGET`."""
        return await self._runner.run(intercept(script, _Bounds(self._evidence, self._time.left).perform))


class _Bounds:
    """The limits of one script; `seconds` are counted by the clock of its outcomes.

    A script is resumed where no event loop may be asked for the time, and its driver begins at once.
    """

    def __init__(self, evidence: EvidenceBudget, seconds: float) -> None:
        self._evidence = evidence
        self._seconds = seconds
        self._at = 0.0
        self._reads = 0

    def perform(self, effect: Effect) -> Script[Outcome]:
        """Yield the effect, its timeout shortened to the time left, or so that it is not performed."""
        most = len(effect.data) if isinstance(effect, Send) else MAX_READ
        if not self._evidence.take(most, entries=1):
            return (yield _ended(effect, 0.0, FailureKind.EVIDENCE))
        left = self._seconds - self._at
        if left < effect.timeout:
            effect = _ended(effect, max(left, 0.0), FailureKind.CHECK_BUDGET)
        outcome = yield effect
        self._at = outcome.at
        received = len(outcome.data) if isinstance(outcome, Received) else 0
        if not isinstance(effect, Send):
            self._evidence.give_back(most - received)
        self._reads = self._reads + 1 if received and isinstance(effect, Receive) else 0
        if self._reads > Transcript.MAX_READS + 1:
            self._evidence.give_back(0, entries=1)  # the read is part of the entry before it
        return outcome


def _ended(effect: Effect, timeout: float, late: FailureKind) -> Effect:
    return replace(effect, timeout=timeout, late=late)
