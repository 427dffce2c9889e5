"""`check_many`: concurrent checks with shared limits and one DNS cache, on both event loops."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

import anyio
import pytest

from checker_smtp import (
    CheckOutcome,
    ConnectionLimits,
    Network,
    OptionError,
    Options,
    ResolverError,
    check_many,
)
from checker_smtp.probes.evidence_budget import CHECK_RESERVE, EvidenceBudget
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import FakeResolver, RuleServer
from smtp_sansio import Script
from tests.apps.scan.fake_internet import FakeInternet, zone
from tests.probes.world import options

T = TypeVar("T")
pytestmark = pytest.mark.anyio

DOMAINS = [f"d{number}.test" for number in range(6)]
ADDRESSES = {f"mx{number}.test": f"192.0.2.{number + 1}" for number in range(3)}


class FakeNetwork(Network):
    """A `Network` without sockets: six domains on three mail servers."""

    name = "fake resolver"
    queries = responses = 0

    def __init__(self, hosts: dict[str, RuleServer] | None = None, seconds: float = 0.01) -> None:
        super().__init__(self)
        mx = {domain: f"mx{number % 3}.test" for number, domain in enumerate(DOMAINS)}
        servers = {address: RuleServer() for address in ADDRESSES.values()}
        self.internet = FakeInternet(FakeResolver(zone(mx, ADDRESSES)), servers | (hosts or {}), seconds)
        self.questions: Counter[tuple[str, str]] = Counter()
        self.silent: set[str] = set()

    def find_sources(self, _: object) -> tuple[str, ...]:
        return ()

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        self.questions[name, rdtype] += 1
        if self.silent & {name, "*"}:
            return DnsAnswer(name=name, rdtype=rdtype, status=DnsStatus.TIMEOUT)
        self.responses += 1
        return await self.internet.resolve(name, rdtype, unvalidated=unvalidated)

    async def run(self, script: Script[T]) -> T:
        return await self.internet.run(script)


def given(*domains: str) -> list[str | Options]:
    return [options(domain) for domain in domains]


async def outcomes_of(
    network: Network, domains: Iterable[str | Options], **more: int
) -> dict[str, CheckOutcome]:
    async with check_many(domains, network, **more) as outcomes:  # type: ignore[arg-type]
        return {outcome.domain: outcome async for outcome in outcomes}


async def test_the_network_is_asked_which_addresses_are_this_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeNetwork, "find_sources", lambda *_: ("9.9.9.10",))
    (outcome,) = (await outcomes_of(FakeNetwork(), given(DOMAINS[0]))).values()
    assert outcome.result is not None
    assert outcome.result.observation.settings.source_addresses == ("9.9.9.10",)


async def test_every_domain_has_the_result_of_its_own_check() -> None:
    network = FakeNetwork()
    outcomes = await outcomes_of(network, given(*DOMAINS))
    assert set(outcomes) == set(DOMAINS)
    for domain, outcome in outcomes.items():
        assert outcome.error is None
        assert outcome.result is not None
        assert outcome.result.observation.domain == domain
        assert outcome.result.observation.endpoints[0].connected


async def test_checks_share_one_dns_cache() -> None:
    network = FakeNetwork()
    await outcomes_of(network, given(*DOMAINS))
    assert network.questions["mx0.test", "A"] == 1
    assert max(network.questions.values()) == 1


async def test_checks_share_the_connection_limits() -> None:
    network = FakeNetwork()
    limits = ConnectionLimits(total=2, per_address=1)
    async with check_many(given(*DOMAINS), network, limits=limits) as outcomes:
        assert len([outcome async for outcome in outcomes]) == len(DOMAINS)
    assert network.internet.most == 2
    assert max(network.internet.most_by[address] for address in ADDRESSES.values()) == 1


async def test_at_most_max_checks_run_at_a_time() -> None:
    network = FakeNetwork()
    outcomes = await outcomes_of(network, given(*DOMAINS), max_checks=1)
    assert list(outcomes) == DOMAINS
    assert network.internet.most == 1


async def test_a_check_waits_for_room_until_the_outcomes_before_it_are_read() -> None:
    network, evidence = FakeNetwork(), EvidenceBudget(2 * CHECK_RESERVE)
    async with check_many(given(*DOMAINS), network, evidence=evidence) as outcomes:
        await anyio.wait_all_tasks_blocked()
        assert network.internet.most <= 2
        assert evidence.in_use == 2 * CHECK_RESERVE
        assert len([outcome async for outcome in outcomes]) == len(DOMAINS)
    assert evidence.in_use == 0


async def test_no_more_domains_are_taken_while_nobody_reads() -> None:
    taken: list[str] = []

    def endless() -> Iterator[Options]:
        for number in range(10**9):
            taken.append(f"n{number}.test")
            yield options(taken[-1])

    async with check_many(endless(), FakeNetwork(), max_checks=3) as outcomes:
        await anyio.wait_all_tasks_blocked()
        assert len(taken) == 3
        async for _ in outcomes:
            break
    assert len(taken) <= 4


async def test_an_error_is_the_outcome_of_its_domain_alone() -> None:
    class Broken(RuleServer):
        async def run(self, script: Script[T]) -> T:
            script.close()
            raise RuntimeError("broken")

    outcomes = await outcomes_of(FakeNetwork({"192.0.2.1": Broken()}), [*given(*DOMAINS), "not a name"])
    error = outcomes["not a name"].error
    assert isinstance(error, OptionError)
    failed = {domain for domain, outcome in outcomes.items() if outcome.error is not None}
    assert failed == {"not a name", "d0.test", "d3.test"}
    assert all((outcome.result is None) == (outcome.error is not None) for outcome in outcomes.values())


async def test_a_silent_resolver_is_the_error_of_each_domain() -> None:
    network = FakeNetwork()
    network.silent = {"*"}
    outcomes = await outcomes_of(network, given(*DOMAINS))
    assert {type(outcome.error) for outcome in outcomes.values()} == {ResolverError}


async def test_leaving_the_block_cancels_the_running_checks() -> None:
    network = FakeNetwork(seconds=10**6)
    with anyio.fail_after(10):
        async with check_many(given(*DOMAINS), network):
            await anyio.wait_all_tasks_blocked()
            assert network.internet.open
    assert network.internet.open == []


async def test_cancelling_the_caller_cancels_the_running_checks() -> None:
    network = FakeNetwork(seconds=10**6)
    with anyio.move_on_after(0) as scope:
        await outcomes_of(network, given(*DOMAINS))
    assert scope.cancelled_caught
    entered = anyio.Event()

    async def caller() -> None:
        async with check_many(given(*DOMAINS), network) as outcomes:
            entered.set()
            async for _ in outcomes:
                raise AssertionError("no check ends here")

    async with anyio.create_task_group() as group:
        group.start_soon(caller)
        await entered.wait()
        await anyio.wait_all_tasks_blocked()
        assert network.internet.open
        group.cancel_scope.cancel()
    assert network.internet.open == []


async def test_an_exception_of_the_block_is_raised_as_it_is() -> None:
    cause = KeyError("cause")
    with pytest.raises(LookupError, match="of the block") as caught:
        async with check_many(given(*DOMAINS), FakeNetwork(seconds=10**6)):
            raise LookupError("of the block") from cause
    assert caught.value.__cause__ is cause


async def test_an_exception_of_the_domains_is_raised_as_it_is() -> None:
    def broken() -> Iterator[str]:
        yield "d0.test"
        raise OSError("the list cannot be read")

    with pytest.raises(OSError, match="the list cannot be read"):
        await outcomes_of(FakeNetwork(), broken())


async def test_no_domains_and_no_checks() -> None:
    assert await outcomes_of(FakeNetwork(), []) == {}
    with pytest.raises(ValueError, match="max_checks is 0: give at least 1"):
        await outcomes_of(FakeNetwork(), [], max_checks=0)
