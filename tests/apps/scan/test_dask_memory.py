"""The memory of a worker of a cluster: its tasks, called without a cluster, beside hostile servers."""

import gc
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.observation import Session
from checker_smtp.probes.policy import FindingPolicy
from checker_smtp.scan.dask import tasks
from checker_smtp.scan.dask.messages import DnsFacts, Packer, Part, ProbeResults, Unpacker
from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.evaluate import ControlProbes, DomainEvaluator
from checker_smtp.scan.politeness.exclusions import Exclusions
from checker_smtp.scan.politeness.limiter import PolitenessLimiter
from checker_smtp.scan.resolve import DomainResolver
from checker_smtp.scan.stats import ScanStats
from checker_smtp.scan.waiting_evidence import WAITING_LIMIT, WaitingEvidence
from checker_smtp.testing import FakeResolver, RuleServer
from tests.apps.scan.fake_internet import FakeInternet, settings, shared, zone

TALKS, OTHER = "192.0.2.7", "198.51.100.8"
NUMBER = 60
LIMIT = 256 * 1024

SHUFFLED = Random(1)  # noqa: S311


def long_reply(code: int) -> str:
    lines = ("".join(SHUFFLED.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=480)) for _ in range(60))
    return f"{code}-" + f"\r\n{code}-".join(lines) + f"\r\n{code} end"


class OfflineWorker(SimpleNamespace):
    """What a task uses of its worker, over a fake internet and without a scheduler."""

    def __init__(self, internet: FakeInternet) -> None:
        scan_settings = settings(concurrency=4, per_session=4)
        evidence = WaitingEvidence(EvidenceBudget(WAITING_LIMIT))
        limiter = PolitenessLimiter(scan_settings, ScanStats())
        super().__init__(
            settings=scan_settings,
            config=SimpleNamespace(exclusions=Exclusions(())),
            resolver=internet,
            runner=internet,
            seed=7,
            evidence=evidence,
            domain_resolver=DomainResolver(scan_settings, internet, 7, evidence),
            evaluator=DomainEvaluator(ControlProbes(limiter, internet, 60), "", FindingPolicy()),
        )

    def run(self, function: Callable[..., Awaitable[Any]], *args: object) -> Any:
        return anyio.run(partial(function, *args))

    @asynccontextmanager
    async def reserve_files(self, _: int) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def report_sessions_of(self, *_: object) -> AsyncIterator[None]:
        yield


@pytest.fixture
def internet() -> FakeInternet:
    """Domains with two servers; the replies of the first one are long, and different for each domain."""
    records = zone(shared(NUMBER, "talks.test"), {"talks.test": TALKS, "other.test": OTHER})
    records += "".join(f"\n{name} MX 20 other.test." for name in shared(NUMBER))
    talks = RuleServer(rcpt_replies={f"postmaster@{name}": long_reply(250) for name in shared(NUMBER)})
    return FakeInternet(FakeResolver(records), {TALKS: talks, OTHER: RuleServer()}, seconds=0)


@pytest.fixture
def worker(internet: FakeInternet, monkeypatch: pytest.MonkeyPatch) -> OfflineWorker:
    offline = OfflineWorker(internet)
    monkeypatch.setattr(tasks, "worker_scan", lambda _: offline)
    monkeypatch.setattr(tasks, "_MAX_PACKED", LIMIT)
    return offline


def listed(numbers: Iterable[int] = range(NUMBER)) -> Part:
    return [DomainScan(number=number, name=f"d{number}.test") for number in numbers]


def probed(resolved: tasks.ResolvedPart, address: str) -> list[tuple[int, bytes]]:
    """Probe the server at `address`, as the partition of its network."""
    items = [(0, item) for item in resolved.endpoints if item.endpoint.address == address]
    return tasks.probe_partition("scan", [(0, items)], 4, {}, 1)


def scanned(part: Part) -> tuple[list[str], list[int], int]:
    """Scan a part; return the domains that have a line, the others, and the octets of packed results."""
    resolved = tasks.resolve_part("scan", 0, part)
    results = [pair for address in (TALKS, OTHER) for pair in probed(resolved, address)]
    evaluated = tasks.evaluate_part("scan", resolved, [(0, results)], ".jsonl.gz")
    lines = [json.loads(line) for line in gzip.decompress(evaluated.lines).splitlines()]
    domains = [line["observation"]["domain"] for line in lines]
    return domains, evaluated.unfinished, sum(len(packed) for _, packed in results)


def test_a_partition_ends_early_and_what_is_left_is_scanned_in_further_batches(
    worker: OfflineWorker, internet: FakeInternet
) -> None:
    left: list[int] = list(range(NUMBER))
    done: list[str] = []
    batches = 0
    while left:
        domains, unfinished, octets = scanned(listed(left))
        # beyond the limit there are the sessions that were open: two, with four domains each
        assert octets <= LIMIT + 2 * 4 * 30 * 1024
        assert domains
        assert set(left) == {*unfinished, *(int(d[1:-5]) for d in domains)}
        done += domains
        left = sorted(unfinished)
        batches += 1
    assert sorted(done) == sorted(shared(NUMBER))
    assert batches > 2
    assert internet.open == []


def test_a_task_that_ended_early_leaves_no_evidence_in_its_worker(worker: OfflineWorker) -> None:
    probed(tasks.resolve_part("scan", 0, listed()), TALKS)
    assert worker.evidence.in_use == 0


def test_a_partition_drops_a_domain_that_has_its_results(
    worker: OfflineWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The domains that follow wait for room meanwhile."""
    monkeypatch.setattr(tasks, "_MAX_PACKED", 64 * LIMIT)
    monkeypatch.setattr(WaitingEvidence, "is_scarce", property(lambda _: True))
    worker.evidence = WaitingEvidence(EvidenceBudget(LIMIT))
    close = worker.evidence.close
    alive: list[int] = []

    def close_and_count(domain: DomainScan) -> None:
        close(domain)
        alive.append(sum(isinstance(one, DomainScan) and bool(one.sessions) for one in gc.get_objects()))

    monkeypatch.setattr(worker.evidence, "close", close_and_count)
    # the objects of other tests are not looked at
    gc.freeze()
    try:
        probed(tasks.resolve_part("scan", 0, listed()), TALKS)
    finally:
        gc.unfreeze()
    assert len(alive) >= NUMBER
    # 33 where a list of the domains keeps them
    assert max(alive) <= 10


def test_usual_results_end_no_task(worker: OfflineWorker, internet: FakeInternet) -> None:
    internet.hosts[TALKS] = RuleServer()
    domains, unfinished, octets = scanned(listed())
    assert (domains, unfinished) == (list(shared(NUMBER)), [])
    assert octets < LIMIT


def test_a_part_that_is_resolved_keeps_no_answers_beside_the_packed_ones(worker: OfflineWorker) -> None:
    part = listed()
    resolved = tasks.resolve_part("scan", 0, part)
    assert len(resolved.endpoints) == 2 * NUMBER
    assert [domain.resolved for domain in part] == [None] * NUMBER


def test_a_part_with_many_answers_is_resolved_in_part(
    worker: OfflineWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_MAX_PACKED", 4096)
    resolved = tasks.resolve_part("scan", 0, listed())
    assert 0 < len(resolved.unresolved) < NUMBER
    facts = Unpacker(resolved.facts)
    assert sorted([*facts.numbers, *resolved.unresolved]) == list(range(NUMBER))
    evaluated = tasks.evaluate_part("scan", resolved, [], ".jsonl.gz")
    assert set(evaluated.unfinished) >= set(resolved.unresolved)


def test_of_many_parts_none_gets_all_that_a_task_may_hold(
    worker: OfflineWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_MAX_PACKED", 4 * LIMIT)
    resolved = tasks.resolve_part("scan", 0, listed())
    items = [(0, item) for item in resolved.endpoints if item.endpoint.address == TALKS]
    ((_, of_few),) = tasks.probe_partition("scan", [(0, items)], 4, {}, 4)
    ((_, of_many),) = tasks.probe_partition("scan", [(0, items)], 4, {}, 100)
    assert len(Unpacker(of_many).numbers) < len(Unpacker(of_few).numbers)


def test_messages_are_packed_one_by_one() -> None:
    """The first one is the dictionary of the others, unless it is longer than that may be."""
    for first in ("x" * 10, "x" * 100_000):
        packer = Packer()
        messages = [ProbeResults({}, (), reason) for reason in (first, "second " * 50, "third " * 50)]
        for number, message in enumerate(messages):
            packer.add(number, message)
        unpacker = Unpacker(packer.pack())
        assert list(unpacker.numbers) == [0, 1, 2]
        assert unpacker.take(1, ProbeResults) == messages[1]
        assert [unpacker.take(number, ProbeResults) for number in (0, 2)] == [messages[0], messages[2]]
        assert list(unpacker.numbers) == []


def test_equal_messages_take_little_beside_the_first() -> None:
    sessions = {"192.0.2.7": (Session.not_made(long_reply(250)),)}
    packer = Packer()
    packer.add(0, ProbeResults(sessions, ()))
    first = packer.octets
    packer.add(1, ProbeResults(sessions, ()))
    assert packer.octets - first < first / 50


def test_facts_of_a_domain_are_packed_as_well() -> None:
    packer = Packer()
    packer.add(7, DnsFacts(name="d.test"))
    assert Unpacker(packer.pack()).take(7, DnsFacts) == DnsFacts(name="d.test")
