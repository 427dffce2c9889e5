"""Several resolvers behind one cache: which of them is asked, and whose answer counts."""

import anyio
import anyio.lowlevel
import pytest

from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import FakeClock, FakeResolver
from tests.runtimes.shared_dns import Run, answer, failing, settle, shared


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
