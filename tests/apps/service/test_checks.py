"""Running a check: on both loops, with a time limit, with cancellation by the caller, and with progress."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import anyio
import pytest
import trio

from checker_smtp.api import RunContext
from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.probes.rules import Outcome
from checker_smtp.service.admission import Admission
from checker_smtp.service.checks import Checks
from checker_smtp.service.refusal import CheckRefused
from checker_smtp.service.settings import ServiceSettings
from checker_smtp.testing import FakeNetwork, FakeResolver, ScriptedServer
from smtp_sansio import Script

pytestmark = pytest.mark.anyio

T = TypeVar("T")
BACKENDS = ("asyncio", "trio")
ZONE = """
    example.org     MX  10 mx.example.org.
    mx.example.org  A   192.0.2.7
"""
PLAY = """
    S: 220 mx.example.org ESMTP
    C: EHLO mx-checker.happydomain.org
    S: 421 mx.example.org not now
    C: QUIT
    -- eof
"""


class TracedNetwork(FakeNetwork):
    """A zone and a server; `loops` are the event loops and threads that its resolver ran in."""

    def __init__(self, zone: str = ZONE, *answers: DnsAnswer) -> None:
        self.servers = ScriptedServer({"192.0.2.7": PLAY})
        self.names = FakeResolver(zone, *answers)
        super().__init__(self.names, self.servers)
        self.loops: set[tuple[str, int]] = set()

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        self.loops.add(("trio" if trio.lowlevel.in_trio_run() else "asyncio", threading.get_ident()))
        return await super().resolve(name, rdtype, unvalidated=unvalidated)


class Endless(TracedNetwork):
    """A resolver that never answers, and counts who waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = threading.Semaphore(0)
        self.given_up = 0

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:  # noqa: ARG002
        self.waiting.release()
        try:
            await anyio.sleep_forever()
        finally:
            self.given_up += 1
        raise AssertionError(f"{rdtype} {name}")


# The MX lookup, and the control questions beside it.
MX_AND_CONTROLS = 6


def checks(world: TracedNetwork, backend: str = "asyncio", **given: object) -> Checks:
    limits = {"rate_client": "none", "rate_domain": "none"}
    settings = ServiceSettings(backend=backend, allow_targets=("192.0.2.0/24",), **(limits | given))  # type: ignore[arg-type]
    return Checks(settings, Admission(settings), lambda: world)


async def until(done: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        # what is waited for may be in another thread
        while not done():  # noqa: ASYNC110
            await anyio.sleep(0.01)


def loops_beside_this() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "portal" in thread.name]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_check_runs_on_the_configured_loop(backend: str) -> None:
    world = TracedNetwork()
    made = checks(world, backend, resolver_name="192.0.2.53")
    options = made.options({"domain": "example.org"})
    context = RunContext(run_at="2026-11-22T09:00:00Z", seed=1)
    result = await made.run(options, client="198.51.100.1", evidence=EvidenceBudget(), context=context)
    world.servers.expect_end()
    ((loop, thread),) = world.loops
    assert loop == backend
    assert (thread == threading.get_ident()) is (backend == "asyncio")
    assert result.observation.run_at == context.run_at
    assert result.observation.resolver == "192.0.2.53"


@pytest.mark.parametrize("backend", BACKENDS)
async def test_one_after_the_other_and_side_by_side(backend: str) -> None:
    world = TracedNetwork("example.org MX 0 .")
    made = checks(world, backend)
    options = made.options({"domain": "example.org"})
    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(made.run(options, client="198.51.100.1", evidence=EvidenceBudget()))
        assert not loops_beside_this()


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_check_has_so_much_time_and_no_more(backend: str) -> None:
    world = Endless()
    made = checks(world, backend, check_budget=0.05)
    result = await made.run(
        made.options({"domain": "example.org"}), client="198.51.100.1", evidence=EvidenceBudget()
    )
    assert result.observation.mx.status is DnsStatus.CHECK_BUDGET
    assert result.observation.mx.error == "the time for the whole check, 0.05 seconds, ran out"
    assert {finding.outcome for finding in result.findings} == {Outcome.NOT_TESTED}
    assert world.given_up == MX_AND_CONTROLS
    assert not loops_beside_this()


@pytest.mark.parametrize("backend", BACKENDS)
async def test_cancelling_the_caller_cancels_the_check(backend: str) -> None:
    world = Endless()
    made = checks(world, backend, max_checks=1)
    task = asyncio.create_task(
        made.run(made.options({"domain": "example.org"}), client="198.51.100.1", evidence=EvidenceBudget())
    )
    await until(lambda: world.waiting.acquire(blocking=False))
    with pytest.raises(CheckRefused):
        await made.run(
            made.options({"domain": "example.org"}), client="198.51.100.1", evidence=EvidenceBudget()
        )
    assert len(loops_beside_this()) == (backend == "trio")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert world.given_up == MX_AND_CONTROLS
    assert not loops_beside_this()
    # and its place is free again
    again = asyncio.create_task(
        made.run(made.options({"domain": "example.org"}), client="198.51.100.1", evidence=EvidenceBudget())
    )
    await until(lambda: world.waiting.acquire(blocking=False))
    again.cancel()
    with suppress(asyncio.CancelledError):
        await again


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_resolver_that_answers_nothing(backend: str) -> None:
    world = TracedNetwork()
    world.resolver = FakeResolver.failing(DnsStatus.TIMEOUT)
    made = checks(world, backend)
    with pytest.raises(ResolverError):
        await made.run(
            made.options({"domain": "example.org"}), client="198.51.100.1", evidence=EvidenceBudget()
        )


@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_steps_are_reported_while_it_runs(backend: str) -> None:
    noted: list[tuple[str, str]] = []
    threads: set[int] = set()

    def note(subject: str, step: str) -> None:
        noted.append((subject, step))
        threads.add(threading.get_ident())

    made = checks(TracedNetwork(), backend)
    await made.run(
        made.options({"domain": "example.org"}),
        client="198.51.100.1",
        evidence=EvidenceBudget(),
        on_progress=note,
    )
    assert threads == {threading.get_ident()}
    assert [step for subject, step in noted if subject == "MX example.org"] == ["DNS", ""]
    # the names of control questions would puzzle a reader
    assert not any(".invalid" in subject for subject, _ in noted)
    assert [step for subject, step in noted if subject == "192.0.2.7:25"] == [
        "connecting",
        "waiting for the greeting",
        "EHLO mx-checker.happydomain.org",
        "QUIT",
        "",
    ]
    begun = [subject for subject, step in noted if step]
    ended = [subject for subject, step in noted if not step]
    assert set(begun) == set(ended)


async def test_another_backend_is_used_where_one_is_given() -> None:
    given, other = TracedNetwork(), TracedNetwork()
    made = checks(other)
    await made.run(
        made.options({"domain": "example.org"}),
        client="198.51.100.1",
        evidence=EvidenceBudget(),
        backend=given,
    )
    assert given.names.asked
    assert not other.names.asked


async def test_the_addresses_of_this_machine_are_in_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    world = TracedNetwork()
    monkeypatch.setattr("checker_smtp.service.checks.RestrictedNetwork", lambda *_, **__: world)
    monkeypatch.setattr("checker_smtp.backends.local_addresses._source_towards", lambda _: "9.9.9.10")
    settings = ServiceSettings(resolver=("192.0.2.53", 53), allow_targets=("192.0.2.0/24",))
    made = Checks(settings, Admission(settings))
    result = await made.run(
        made.options({"domain": "example.org"}), client="198.51.100.1", evidence=EvidenceBudget()
    )
    assert result.observation.settings.source_addresses == ("9.9.9.10",)


async def test_the_network_of_the_service_is_pinned() -> None:
    settings = ServiceSettings(resolver=("192.0.2.53", 5353), allow_targets=("192.0.2.0/24",))
    network = Checks(settings, Admission(settings)).network(Options(domain="example.org"))
    resolver = network.resolver  # type: ignore[attr-defined]
    assert (resolver.servers, resolver.port) == (("192.0.2.53",), 5353)
    assert type(network).__name__ == "RestrictedNetwork"


@pytest.mark.parametrize(
    ("given", "max_timeout", "seconds"),
    [({}, 30, 5), ({}, 8, 5), ({"timeout": 20}, 30, 20), ({"timeout": 3}, 8, 3)],
)
async def test_the_timeout_of_a_request_is_that_of_dns(
    given: dict[str, float], max_timeout: float, seconds: float
) -> None:
    settings = ServiceSettings(resolver=("192.0.2.53", 53), max_timeout=max_timeout)
    made = Checks(settings, Admission(settings))
    network = made.network(made.options({"domain": "example.org", **given}))
    assert network.resolver.timeout == seconds  # type: ignore[attr-defined]


async def test_options_are_those_of_a_check() -> None:
    settings = ServiceSettings(port=2525, allow_targets=("192.0.2.0/24",), max_timeout=20)
    made = Checks(settings, Admission(settings)).options({"domain": "example.org", "timeout": 20})
    assert made == Options(
        domain="example.org",
        timeout=20.0,
        port=2525,
        allow_targets=("192.0.2.0/24",),
        check_budget=settings.check_budget,
    )


class Tarpit(TracedNetwork):
    """Every address takes a connection and keeps it until `freed`."""

    def __init__(self) -> None:
        super().__init__()
        self.held = self.most = 0
        self.freed = asyncio.Event()

    async def run(self, script: Script[T]) -> T:
        self.held += 1
        self.most = max(self.most, self.held)
        try:
            await self.freed.wait()
        finally:
            self.held -= 1
            script.close()
        raise ResolverError("enough")


async def test_a_server_that_many_domains_share_is_not_crowded() -> None:
    world = Tarpit()
    made = checks(world)

    async def one() -> None:
        with suppress(ExceptionGroup):
            await made.run(
                made.options({"domain": "example.org"}),
                client="198.51.100.1",
                evidence=EvidenceBudget(),
                is_host=True,
            )

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(one())
        await until(lambda: world.held == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        world.freed.set()
    assert world.most == 2


async def test_a_document_does_not_wait_for_the_end_of_another_one() -> None:
    made = checks(TracedNetwork())
    first, second = threading.Event(), threading.Event()

    def meet(own: threading.Event, other: threading.Event) -> bool:
        own.set()
        return other.wait(20)

    # each ends when the other one has begun
    met = await asyncio.gather(
        made.evaluate(lambda _: meet(first, second), b"", client="10.0.0.1"),
        made.evaluate(lambda _: meet(second, first), b"", client="10.0.0.2"),
    )
    assert met == [True, True]
