"""One query for all that ask at once, and how long and how many answers are cached."""

import tracemalloc

import anyio
import anyio.lowlevel
import pytest

from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import FakeClock, FakeResolver
from checker_smtp.testing.zone import Lookup
from tests.runtimes.shared_dns import Run, answer, failing, settle, shared


def test_who_asks_at_once_shares_the_question(run: Run, clock: FakeClock) -> None:
    server = FakeResolver(answer)
    resolver = shared(server, clock=clock)
    heard: list[DnsAnswer] = []

    async def ask(name: str) -> None:
        heard.append(await resolver.resolve(name, "A"))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for name in ("mx.test", "MX.test", "mx.TEST") * 20:
                group.start_soon(ask, name)

    run(main)
    assert server.asked == [("mx.test", "A")]
    assert resolver.queries == 1
    assert heard == [answer("mx.test", "A")] * 60


def test_an_answer_is_remembered_with_its_seconds(run: Run, clock: FakeClock) -> None:
    server = FakeResolver(answer)
    resolver = shared(server, clock=clock)

    async def main() -> list[DnsAnswer]:
        return [await resolver.resolve("mx.test", rdtype) for rdtype in ("A", "AAAA", "A", "AAAA")]

    assert [heard.rdtype for heard in run(main)] == ["A", "AAAA"] * 2
    assert [heard.seconds for heard in run(main)] == [0.25] * 4
    assert server.queries == 2


HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("reply", "holds"),
    [
        (lambda *key: answer(*key, ttl=0), HOUR),
        (lambda *key: answer(*key, ttl=2 * HOUR), 2 * HOUR),
        (lambda *key: answer(*key, ttl=7 * DAY), DAY),
        (
            lambda name, rdtype: DnsAnswer(
                name=name, rdtype=rdtype, status=DnsStatus.ANSWER, records=("a" * 9,)
            ),
            HOUR,
        ),
        (failing(DnsStatus.NXDOMAIN), HOUR),
        (failing(DnsStatus.NODATA), HOUR),
        (failing(DnsStatus.SERVFAIL), 5),
        (failing(DnsStatus.REFUSED), 5),
        (failing(DnsStatus.TIMEOUT), 5),
        (failing(DnsStatus.ERROR), 5),
        (failing(DnsStatus.UNUSABLE), 5),
    ],
)
@pytest.mark.parametrize("rdtype", ["A", "MX"])
def test_how_long_an_answer_holds(clock: FakeClock, reply: Lookup, holds: float, rdtype: str) -> None:
    server = FakeResolver(reply)
    resolver = shared(server, clock=clock)

    async def main() -> list[int]:
        asked = []
        for later in (0, holds - 0.5, 0.5, holds - 0.5):
            clock.now += later
            await resolver.resolve("mx.test", rdtype)
            asked.append(len(server.asked))
        return asked

    assert anyio.run(main) == [1, 1, 2, 2]


@pytest.mark.parametrize(("name", "rdtype"), [(".", "NS"), ("com", "NS"), ("1f.invalid", "A")])
@pytest.mark.parametrize("status", [DnsStatus.ANSWER, DnsStatus.NXDOMAIN])
def test_a_control_is_asked_each_second(clock: FakeClock, name: str, rdtype: str, status: DnsStatus) -> None:
    server = FakeResolver(failing(status))
    resolver = shared(server, clock=clock)

    async def main() -> None:
        await resolver.resolve(name, rdtype)
        server.lookup = failing(DnsStatus.TIMEOUT)
        clock.now += 0.5
        assert (await resolver.resolve(name, rdtype)).status is status
        clock.now += 0.5
        assert (await resolver.resolve(name, rdtype)).status is DnsStatus.TIMEOUT

    anyio.run(main)


@pytest.mark.parametrize("in_flight", [1, 2], ids=["while it waits for its turn", "while it is asked"])
def test_an_asker_that_is_cancelled_leaves_the_others_alone(
    run: Run, clock: FakeClock, in_flight: int
) -> None:
    server = FakeResolver(answer)
    resolver = shared(server, clock=clock, in_flight=in_flight)
    heard: list[str] = []

    async def ask(name: str, scope: anyio.CancelScope) -> None:
        with scope:
            heard.append((await resolver.resolve(name, "A")).name)

    async def main() -> None:
        server.gate = anyio.Event()
        scopes = [anyio.CancelScope() for _ in range(6)]
        async with anyio.create_task_group() as group:
            group.start_soon(ask, "other.test", anyio.CancelScope())
            await settle()
            for scope in scopes:
                group.start_soon(ask, "mx.test", scope)
                await settle()
            for scope in scopes[:-1]:  # the one that asks, and those that may ask in its place
                scope.cancel()
                await settle()
            server.gate.set()
        assert (await resolver.resolve("mx.test", "A")).name == "mx.test"

    run(main)
    assert sorted(heard) == ["mx.test", "other.test"]
    assert len(server.asked) in (range(3, 8) if in_flight == 2 else [2])
    assert server.max_waiting == in_flight


def test_when_all_askers_are_cancelled_nothing_is_left(run: Run, clock: FakeClock) -> None:
    server = FakeResolver(answer)
    resolver = shared(server, clock=clock, in_flight=1)

    async def main() -> None:
        server.gate = anyio.Event()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(resolver.resolve, "mx.test", "A")
            await settle()
            group.cancel_scope.cancel()
        server.gate = None
        assert (await resolver.resolve("mx.test", "A")).status is DnsStatus.ANSWER

    run(main)
    assert server.queries == 2


def test_who_was_not_asked_for_longest_is_forgotten_first(clock: FakeClock) -> None:
    server = FakeResolver(answer)
    resolver = shared(server, clock=clock, cache_size=3000)  # four answers

    async def asked(*numbers: int) -> int:
        before = server.queries
        for number in numbers:
            await resolver.resolve(f"mx{number}.test", "A")
        return server.queries - before

    async def main() -> None:
        assert await asked(1, 2, 3, 4) == 4
        assert await asked(1) == 0
        assert await asked(5) == 1
        assert await asked(1, 3, 4, 5) == 0
        assert await asked(2) == 1

    anyio.run(main)


def test_an_answer_larger_than_the_memory(clock: FakeClock) -> None:
    server = FakeResolver(lambda name, rdtype: answer(name, rdtype, text="x" * 3000))
    resolver = shared(server, clock=clock, cache_size=3000)

    async def main() -> None:
        for _ in range(2):
            assert (await resolver.resolve("mx.test", "A")).records

    anyio.run(main)
    assert server.queries == 2


def test_the_mx_of_many_domains_do_not_sweep_out_the_hosts(clock: FakeClock) -> None:
    server = FakeResolver(answer)
    resolver = shared(server, clock=clock, cache_size=4_000_000)

    async def main() -> int:
        await resolver.resolve("mx.test", "A")
        for number in range(4000):
            await resolver.resolve(f"domain{number}.test", "MX")
        before = server.queries
        await resolver.resolve("mx.test", "A")
        await resolver.resolve("domain3500.test", "MX")
        return server.queries - before

    assert anyio.run(main) == 0


@pytest.mark.parametrize(("rdtype", "bound"), [("MX", 1_200_000), ("A", 600_000)])
def test_memory_is_bounded_whatever_is_asked(clock: FakeClock, rdtype: str, bound: int) -> None:
    server = FakeResolver(
        lambda name, rdtype: answer(name, rdtype, text="x" * int(name.partition(".")[0]) * 10)
    )
    server.asked = _Nowhere()
    resolver = shared(server, clock=clock, **({} if rdtype == "MX" else {"cache_size": 500_000}))

    async def main() -> int:
        tracemalloc.start()
        for number in range(3000):
            await resolver.resolve(f"{number % 90}.{number}.test", rdtype)
        return tracemalloc.get_traced_memory()[0]

    try:
        assert anyio.run(main) < bound
    finally:
        tracemalloc.stop()


class _Nowhere(list[tuple[str, str]]):
    def append(self, _: tuple[str, str]) -> None:
        pass
