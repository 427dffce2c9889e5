"""The memory of a scan: sessions that wait for those of another server of the same domain."""

import anyio
import anyio.lowlevel
import pytest

from checker_smtp.probes.evidence_budget import EvidenceBudget, octets_of
from checker_smtp.probes.observation import Endpoint
from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.scan import Scan
from checker_smtp.scan.server_queue import ServerQueue
from checker_smtp.scan.waiting_evidence import LEAST, WaitingEvidence
from checker_smtp.testing import FakeResolver, RuleServer
from tests.apps.scan.fake_internet import FakeInternet, Results, listed, scanned, settings, shared, zone
from tests.probes.dialogues import ASKED, PLAIN, held

pytestmark = pytest.mark.anyio

TALKS, SILENT = "192.0.2.7", "192.0.2.8"
LONG = "250-" + "\r\n250-".join(["x" * 480] * 60) + "\r\n250 end"
NUMBER = 60


def internet() -> FakeInternet:
    """Return domains with two servers each: one with long replies, one that never replies to MAIL."""
    records = zone(shared(NUMBER, "talks.test"), {"talks.test": TALKS, "silent.test": SILENT})
    records += "".join(f"\n{name} MX 20 silent.test." for name in shared(NUMBER))
    talks = RuleServer(rcpt_replies={f"postmaster@{name}": LONG for name in shared(NUMBER)})
    silent = RuleServer(limit=0, ending="timeout")
    return FakeInternet(FakeResolver(records), {TALKS: talks, SILENT: silent})


async def test_open_domains_stay_within_the_budget_and_all_are_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = 512 * 1024
    monkeypatch.setattr("checker_smtp.scan.schedule.WAITING_LIMIT", limit)
    world = internet()
    waiting: list[int] = []
    done: list[int] = []
    talks = world.hosts[TALKS]
    assert isinstance(talks, RuleServer)

    def put(number: int, _: bytes) -> None:
        done.append(number)
        asked = {line for lines in talks.received for line in lines if "TO:<postmaster@d" in line}
        waiting.append(len(asked) - len(done))

    scan = Scan(settings(batch_size=25), world, world)
    await scan.run(listed(shared(NUMBER)), Results(put))
    assert sorted(done) == list(range(NUMBER))
    # 60 KiB a domain: eight fill the budget, and the first session was for twenty
    assert max(waiting[NUMBER // 2 :]) <= 10
    assert max(waiting) <= 20


async def test_without_a_limit_all_of_them_would_wait() -> None:
    world = internet()
    talks = world.hosts[TALKS]
    assert isinstance(talks, RuleServer)
    waiting: list[int] = []

    def put(*_: object) -> None:
        asked = {line for lines in talks.received for line in lines if "TO:<postmaster@d" in line}
        waiting.append(len(asked) - len(waiting))

    await Scan(settings(), world, world).run(listed(shared(NUMBER)), Results(put))
    assert max(waiting) > NUMBER // 2


async def test_a_line_comes_after_the_first_connection_that_answered_nothing() -> None:
    world = internet()
    sessions: list[int] = []
    scan = Scan(settings(), world, world)
    await scan.run(listed(shared(NUMBER)), Results(lambda *_: sessions.append(world.connections(SILENT))))
    # not after those for all of the twenty domains of the first one
    assert sessions[0] <= 4
    assert world.connections(SILENT) <= NUMBER + 2  # where two are left, relaying is asked about once more


def domain(name: str = "d0.test") -> DomainScan:
    return DomainScan(number=0, name=name)


async def test_a_domain_takes_what_its_sessions_have() -> None:
    budget = EvidenceBudget(4 * LEAST)
    evidence, one = WaitingEvidence(budget), domain()
    assert evidence.open(one)
    assert budget.in_use == one.evidence > 0
    assert evidence.open(one)
    assert budget.in_use == one.evidence
    session = held(PLAIN + ASKED)
    one.sessions["192.0.2.7"] = (session,)
    evidence.measure(one)
    assert budget.in_use == one.evidence == octets_of([session]) > len(session.transcript) * 512
    evidence.close(one)
    assert (budget.in_use, one.evidence) == (0, 0)


async def test_what_is_over_the_budget_is_not_counted_and_opens_no_other_domain() -> None:
    budget = EvidenceBudget(LEAST)
    evidence, one = WaitingEvidence(budget), domain()
    assert evidence.open(one)
    one.sessions["192.0.2.7"] = (held(PLAIN + ASKED),) * 10
    evidence.measure(one)
    assert budget.in_use == one.evidence == LEAST
    assert not evidence.open(domain("d1.test"))
    evidence.close(one)
    assert evidence.open(domain("d1.test"))


def test_the_lengths_of_sessions_are_kept_of_the_latest_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker_smtp.scan.server_queue.MAX_LENGTHS", 2)
    lengths: dict[str, int] = {}
    for number in range(4):
        endpoint = Endpoint(address=f"192.0.2.{number}", port=25, targets=("mx.test",), reverse=None)
        ServerQueue(endpoint, settings(), lengths, WaitingEvidence(EvidenceBudget(LEAST))).learn_max_domains(
            3
        )
    assert lengths == {"192.0.2.2": 3, "192.0.2.3": 3}
    ServerQueue(endpoint, settings(), lengths, WaitingEvidence(EvidenceBudget(LEAST))).learn_max_domains(7)
    assert lengths["192.0.2.3"] == 3


async def test_lookups_wait_while_the_answers_of_others_take_all_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("checker_smtp.scan.waiting_evidence._RESOLVED_LIMIT", 128 * 1024)
    evidence, first = WaitingEvidence(EvidenceBudget(LEAST)), domain()
    async with evidence.lookups() as part:
        first.dns_evidence = part
        assert part.take(100 * 1024)
    # what is beyond the usual counts until the domain is closed
    assert evidence.in_use == 92 * 1024
    assert evidence.is_scarce
    with anyio.move_on_after(0) as waiting:
        async with evidence.lookups():
            pass
    assert waiting.cancelled_caught
    evidence.close(first)
    async with evidence.lookups() as part:
        assert part.take(4 * 1024)
    assert not evidence.is_scarce
    assert evidence.in_use == 0


async def test_a_lookup_that_was_cancelled_leaves_nothing_in_use() -> None:
    evidence = WaitingEvidence(EvidenceBudget(LEAST))
    with anyio.CancelScope() as scope:
        async with evidence.lookups() as part:
            assert part.take(100 * 1024)
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    assert evidence.in_use == 0


async def test_a_scan_of_domains_with_long_answers_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of them fill the room, and the batch is larger."""
    monkeypatch.setattr("checker_smtp.scan.waiting_evidence._RESOLVED_LIMIT", 192 * 1024)
    names = list(shared(12))
    hosts = [f"mx{number}.{'x' * 60}.test" for number in range(50)]
    records = "\n".join(f"{name} MX 10 {host}." for name in names for host in hosts)
    records += "\n" + "\n".join(f"{host} A {TALKS}" for host in hosts)
    world = FakeInternet(FakeResolver(records), {TALKS: RuleServer()})
    found = await scanned(world, names, settings(concurrency=2))
    assert sorted(found.domains) == sorted(names)
    assert found.scan._evidence.in_use == 0
