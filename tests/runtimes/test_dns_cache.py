"""Questions shared between askers, on both event loops; the resolvers below are fakes."""

import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel
import pytest

from checker_smtp.backends.dns.cache import SharedResolver
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import FakeClock, FakeResolver
from checker_smtp.testing.zone import Lookup

Run: TypeAlias = Callable[[Callable[[], Awaitable[Any]]], Any]


def answer(
    name: str, rdtype: str, status: DnsStatus = DnsStatus.ANSWER, ttl: int = 300, text: str = "192.0.2.1"
) -> DnsAnswer:
    records = (f"{name}. {ttl} IN {rdtype} {text}",) if status is DnsStatus.ANSWER else ()
    return DnsAnswer(name=name, rdtype=rdtype, status=status, records=records, seconds=0.25)


def failing(status: DnsStatus) -> Lookup:
    return lambda name, rdtype: answer(name, rdtype, status)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000.0)


def shared(*servers: FakeResolver, clock: FakeClock, **options: int) -> SharedResolver:
    return SharedResolver(servers, clock=clock, **options)


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs it, for five seconds at most: who is forgotten would wait for ever."""

    def within(main: Callable[[], Awaitable[Any]]) -> Any:
        async def limited() -> Any:
            with anyio.fail_after(5):
                return await main()

        return anyio.run(limited, backend=request.param)

    return within


async def settle() -> None:
    """Until every task waits for something that will not come by itself."""
    await anyio.wait_all_tasks_blocked()


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


def test_no_more_are_in_flight_than_allowed(run: Run, clock: FakeClock) -> None:
    servers = FakeResolver(answer), FakeResolver(answer)
    resolver = shared(*servers, clock=clock, in_flight=7)

    async def main() -> None:
        opened = anyio.Event()
        for server in servers:
            server.gate = opened
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(resolver.resolve, f"mx{number}.test", "A")
            await settle()
            assert [server.waiting for server in servers] == [4, 3]
            opened.set()

    run(main)
    assert [server.queries for server in servers] == [50, 50]
    assert resolver.queries == 100


@pytest.mark.parametrize(
    ("statuses", "told", "asked"),
    [
        (["nxdomain", "answer", "answer"], "nxdomain", 1),
        (["servfail", "answer", "answer"], "answer", 2),
        (["error", "servfail", "answer"], "servfail", 2),
        (["timeout", "nodata", "answer"], "nodata", 2),
        (["timeout", "timeout", "answer"], "answer", 3),
        (["servfail", "timeout", "refused", "answer"], "servfail", 3),
        (["timeout", "error", "timeout"], "error", 3),
        (["timeout"], "timeout", 1),
        (["unusable", "servfail", "answer"], "unusable", 2),
    ],
)
def test_a_failure_is_put_to_the_next(clock: FakeClock, statuses: list[str], told: str, asked: int) -> None:
    servers = [FakeResolver(failing(DnsStatus(status))) for status in statuses]
    resolver = shared(*servers, clock=clock)
    assert anyio.run(resolver.resolve, "mx.test", "A").status == told
    assert [server.queries for server in servers] == [1] * asked + [0] * (len(servers) - asked)


def test_one_that_is_silent_and_was_not_before_is_no_servfail(clock: FakeClock) -> None:
    servers = [FakeResolver(answer), FakeResolver(answer)]
    resolver = shared(*servers, clock=clock)
    for number, server in enumerate(servers, start=1):
        server.name = f"192.0.2.{number}"

    async def main() -> DnsAnswer:
        for name in ("a.test", "b.test"):
            await resolver.resolve(name, "A")
        for server, status, detail in zip(
            servers, ("servfail", "timeout"), ("SERVFAIL", "no answer from 192.0.2.2"), strict=True
        ):
            server.lookup = FakeResolver.failing(DnsStatus(status), detail).lookup
        return await resolver.resolve("broken.test", "A")

    failed = anyio.run(main)
    assert failed.status is DnsStatus.TIMEOUT
    assert failed.detail == "192.0.2.1: SERVFAIL; 192.0.2.2: no answer"


def test_an_answer_that_one_cannot_give_in_full_is_asked_of_the_next(clock: FakeClock) -> None:
    servers = [FakeResolver(failing(DnsStatus.UNUSABLE)), FakeResolver(answer)]
    resolver = shared(*servers, clock=clock)
    assert anyio.run(resolver.resolve, "mx.test", "A").status is DnsStatus.ANSWER


def test_where_all_are_unusable_that_holds_for_five_seconds(clock: FakeClock) -> None:
    servers = [FakeResolver.failing(DnsStatus.UNUSABLE, "truncated") for _ in range(3)]
    resolver = shared(*servers, clock=clock)
    failed = anyio.run(resolver.resolve, "mx.test", "A")
    assert (failed.status, failed.detail) == (
        DnsStatus.UNUSABLE,
        "fake resolver: truncated; fake resolver: truncated",
    )


def test_silence_over_a_name_counts_where_others_are_answered(clock: FakeClock) -> None:
    servers = [FakeResolver(answer), FakeResolver(answer), FakeResolver(answer)]
    resolver = shared(*servers, clock=clock)

    async def ask(name: str) -> None:
        await resolver.resolve(name, "A")

    async def main() -> None:
        for server in servers:
            server.gate = anyio.Event()
            server.lookup = failing(DnsStatus.TIMEOUT)
        async with anyio.create_task_group() as group:
            group.start_soon(ask, "dead.test")
            await settle()
            for server in servers:
                server.responses += 1
                server.gate.set()
                await settle()

    anyio.run(main)
    assert [server.queries for server in servers] == [1, 1, 0]


def test_one_that_is_silent_is_left_out_and_comes_back(clock: FakeClock) -> None:
    good, bad = FakeResolver(answer), FakeResolver(failing(DnsStatus.TIMEOUT))
    resolver = shared(good, bad, clock=clock)
    number = 0

    async def ask(times: int) -> int:
        """How many of these the silent one was asked."""
        nonlocal number
        before = bad.queries
        for _ in range(times):
            number += 1
            assert (await resolver.resolve(f"mx{number}.test", "A")).status is DnsStatus.ANSWER
        return bad.queries - before

    async def main() -> None:
        assert await ask(8) == 4  # three, and one to see whether it is back
        assert await ask(100) == 0
        clock.now += 30
        assert await ask(100) == 1
        clock.now += 30
        bad.lookup = answer
        assert await ask(100) in (50, 51)

    anyio.run(main)


def test_one_that_is_left_out_gives_no_second_opinion(clock: FakeClock) -> None:
    good, bad = FakeResolver(answer), FakeResolver(failing(DnsStatus.TIMEOUT))
    resolver = shared(good, bad, clock=clock)

    async def main() -> None:
        for number in range(10):
            await resolver.resolve(f"mx{number}.test", "A")
        good.lookup = failing(DnsStatus.SERVFAIL)
        before = bad.queries
        assert (await resolver.resolve("broken.test", "A")).status is DnsStatus.SERVFAIL
        assert bad.queries == before

    anyio.run(main)


def test_when_all_are_silent_they_are_asked_all_the_same(clock: FakeClock) -> None:
    servers = [FakeResolver(failing(DnsStatus.TIMEOUT)) for _ in range(2)]
    resolver = shared(*servers, clock=clock)

    async def main() -> None:
        for number in range(10):
            assert (await resolver.resolve(f"mx{number}.test", "A")).status is DnsStatus.TIMEOUT
        before = resolver.queries
        servers[0].lookup = servers[1].lookup = answer
        assert (await resolver.resolve("mx.test", "A")).status is DnsStatus.ANSWER
        assert resolver.queries == before + 1

    anyio.run(main)


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
