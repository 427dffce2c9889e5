"""Servers and resolvers that bring a check to its limits, and the check of them."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

from checker_smtp.probes.check import check
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.observation import Observation
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, Resolver, Runner
from checker_smtp.testing import FakeResolver, backend_options
from smtp_sansio import Done, Failed, Receive, Received, Script, Send

T = TypeVar("T")
MIB = 1024 * 1024
MOST_READ = 64 * 1024
ADDRESSES = [f"192.0.2.{number}" for number in range(1, 33)]
ZONE = "example.org MX 10 mx.test.\n" + "\n".join(f"mx.test A {address}" for address in ADDRESSES)
FEW = "\n".join(ZONE.splitlines()[:5])
LONG = b"x" * 500


def at_once(loop: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on this event loop, every wait of which is skipped."""
    return anyio.run(work, backend=loop, backend_options=backend_options(loop))


class Verbose:
    """A server that answers each command with nearly 64 KiB, in reads of `size` octets."""

    def __init__(self, size: int = MOST_READ) -> None:
        self._size = size
        self.connections = 0

    async def run(self, script: Script[T]) -> T:
        self.connections += 1
        return drive(script, self._reply)

    def _reply(self, data: bytes) -> list[bytes]:
        code = 221 if data == b"QUIT\r\n" else 250 if data else 220
        octets = b"".join(b"%d-%s\r\n" % (code, LONG) for _ in range(120)) + b"%d end\r\n" % code
        return [octets[start : start + self._size] for start in range(0, len(octets), self._size)]


def drive(script: Script[T], reply: Callable[[bytes], list[bytes]]) -> T:
    """Run `script` against a server that says `reply(b"")` first, and `reply(data)` to what is sent."""
    unread = reply(b"")
    try:
        effect = next(script)
        while True:
            match effect:
                case Receive() if effect.timeout <= 0:
                    effect = script.send(Failed(1.0, effect.late))
                case Receive():
                    effect = script.send(Received(1.0, unread.pop(0)))
                case Send():
                    unread += reply(effect.data)
                    effect = script.send(Done(1.0))
                case _ if effect.timeout <= 0:
                    effect = script.send(Failed(0.0, effect.late))
                case _:
                    effect = script.send(Done(1.0))
    except StopIteration as stop:
        value: T = stop.value
        return value


class Silent:
    """Servers that accept connections and say nothing; each effect takes as long as it may."""

    def __init__(self) -> None:
        self.connections = 0

    async def run(self, script: Script[T]) -> T:
        began = anyio.current_time()
        try:
            effect = next(script)
            self.connections += effect.timeout > 0
            effect = script.send(Done(0.0) if effect.timeout > 0 else Failed(0.0, effect.late))
            while True:
                await anyio.sleep(effect.timeout)
                effect = script.send(Failed(anyio.current_time() - began, effect.late))
        except StopIteration as stop:
            value: T = stop.value
            return value


class Sleepy:
    """A resolver that answers `after` some seconds, and counts its questions."""

    def __init__(self, zone: str, after: float) -> None:
        self._resolver = FakeResolver(zone)
        self._after = after
        self.asked = 0

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        self.asked += 1
        await anyio.sleep(self._after)
        return await self._resolver.resolve(name, rdtype, unvalidated=unvalidated)


async def observed(
    given: Options, resolver: Resolver, runner: Runner, evidence: EvidenceBudget | None = None
) -> Observation:
    evidence = evidence or EvidenceBudget(8 * MIB)
    return await check(given, resolver, runner, run_at="", seed=1, evidence=evidence)


def ends(observation: Observation) -> set[str]:
    """Return the kinds of the ends of all sessions."""
    return {s.end.kind if s.end else "" for e in observation.endpoints for s in e.sessions}
