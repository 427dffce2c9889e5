"""The sessions of a scan: how many, with which servers, and after a refusal."""

import anyio
import anyio.lowlevel
import pytest

from checker_smtp.probes.endpoint.follow_ups import control_address
from checker_smtp.scan.politeness.backoff import MAX_BACKOFFS
from checker_smtp.scan.scan import Scan
from checker_smtp.testing import FakeResolver, RuleServer
from tests.apps.scan.fake_internet import BUSY, FakeInternet, Results, listed, scanned, settings, shared, zone

pytestmark = pytest.mark.anyio

HERE = "192.0.2.7"
RELAY = "RCPT TO:<postmaster@example.com>"


def fake_internet(
    number: int = 5, host: RuleServer | list[RuleServer] | None = None, **more: float
) -> FakeInternet:
    """Return `number` domains with one server."""
    names = FakeResolver(zone(shared(number), {"mx.host.test": HERE}))
    return FakeInternet(names, {HERE: host or RuleServer()}, **more)


async def test_one_session_for_all_domains_of_a_server() -> None:
    internet = fake_internet(20)
    found = await scanned(internet, shared(20))
    (host,) = internet.hosts.values()
    assert internet.connections(HERE) == 1
    assert host.count(RELAY) == 1
    for domain in shared(20):
        assert host.count(f"RCPT TO:<postmaster@{domain}>") == 2
        assert found.of(domain).status in ("ok", "info")
    assert found.scan.stats.connections == 1


async def test_a_session_has_at_most_per_session_domains() -> None:
    internet = fake_internet(50)
    await scanned(internet, shared(50), settings(per_session=20))
    assert internet.connections(HERE) == 3


@pytest.mark.parametrize("batch_size", [1, 7, 100])
async def test_a_later_batch_uses_the_cached_facts(batch_size: int) -> None:
    internet = fake_internet(30)
    found = await scanned(internet, shared(30), settings(batch_size=batch_size))
    (host,) = internet.hosts.values()
    # a first domain that is alone when its session begins has a relay probe of its own
    assert host.count(RELAY) in ((1, 3) if batch_size == 1 else (1,))
    assert all(found.codes(domain) == found.codes("d0.test") for domain in shared(30))


async def test_facts_expire() -> None:
    """However often the server was session meanwhile: that makes what was found out at first no younger."""
    internet = fake_internet(120, seconds=10)
    await scanned(internet, shared(120), settings(per_session=2, per_address=1, server_cache_ttl=100))
    (host,) = internet.hosts.values()
    # sessions begin at 0, 10, ... 590
    assert host.count(RELAY) == 6


async def test_without_reuse_every_domain_has_sessions_of_its_own() -> None:
    internet = fake_internet(12)
    found = await scanned(internet, shared(12), settings(reuse=False, batch_size=5))
    (host,) = internet.hosts.values()
    assert (internet.connections(HERE), host.count(RELAY)) == (12, 12)
    assert found.scan.stats.connections == 12


async def test_a_domain_is_done_when_the_last_of_its_servers_is() -> None:
    records = zone(shared(4, "a.host.test") | {"both.test": "a.host.test"}, {"a.host.test": HERE})
    records += "\nboth.test MX 20 b.host.test.\nb.host.test A 192.0.2.8\nd0.test MX 20 b.host.test."
    internet = FakeInternet(
        FakeResolver(records), {HERE: RuleServer(), "192.0.2.8": RuleServer(starttls=False)}
    )
    found = await scanned(internet, [*shared(4), "both.test"])
    assert {a: internet.connections(a) for a in internet.hosts} == {HERE: 1, "192.0.2.8": 1}
    endpoints = found.of("both.test").observation.endpoints
    assert [(e.address, e.main.tls is not None) for e in endpoints] == [
        (HERE, True),
        ("192.0.2.8", False),
    ]
    assert "smtp.starttls.missing" in found.codes("both.test")
    assert "smtp.starttls.missing" not in found.codes("d1.test")


async def test_the_control_of_an_open_relay_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker_smtp.scan.scan.randbits", lambda _: 7)
    opened = {f"postmaster@example.{tld}": "250 2.1.5 ok" for tld in ("com", "net")}
    scan_settings = settings(per_session=4)
    control = control_address(scan_settings.options, 7)
    internet = fake_internet(10, RuleServer(rcpt_replies=opened | {control: "250 2.1.5 ok"}))
    found = await scanned(internet, shared(10), scan_settings)
    (host,) = internet.hosts.values()
    assert all("smtp.open_relay" in found.codes(domain) for domain in shared(10))
    assert (host.count(RELAY), host.count(f"RCPT TO:<{control}>")) == (1, 1)


# a server that is throttling us


@pytest.mark.parametrize(
    "busy", [BUSY, RuleServer(fault="ehlo-421")], ids=["421 at the greeting", "421 at EHLO"]
)
async def test_a_throttled_server_is_retried_after_a_pause(busy: RuleServer) -> None:
    internet = fake_internet(30, [busy, busy, RuleServer()])
    found = await scanned(internet, shared(30), settings(retry_delay=30, per_session=20))
    assert internet.gaps(HERE)[:2] == [30, 60]
    assert all(found.of(domain).status in ("ok", "info") for domain in shared(30))
    assert internet.connections(HERE) == 4


async def test_after_the_last_pause_the_refusal_of_this_client_is_reported() -> None:
    internet = fake_internet(30, BUSY)
    found = await scanned(internet, shared(30), settings(retry_delay=30, per_session=20))
    assert internet.gaps(HERE) == [30, 60, 120]
    assert len(internet.gaps(HERE)) == MAX_BACKOFFS
    assert all("smtp.refused_us" in found.codes(domain) for domain in shared(30))


async def test_pauses_are_counted_in_a_row() -> None:
    """Three times in a row are the limit, not three times a scan: else a large provider's remaining domains
    would all be reported as deferred after its fourth refusal."""
    hosts = [BUSY, RuleServer()] * 12
    internet = fake_internet(12, hosts)
    found = await scanned(
        internet, shared(12), settings(retry_delay=30, per_session=1, per_address=1, server_cache_ttl=0)
    )
    assert all(found.of(domain).status in ("ok", "info") for domain in shared(12))
    assert internet.gaps(HERE)[::2] == [30] * 12


async def test_domains_answered_before_throttling_are_reported() -> None:
    """A session ends in 421 after a few domains, and the next one does not begin."""
    internet = fake_internet(5, [RuleServer(limit=4), BUSY, RuleServer()])
    found = await scanned(internet, shared(5), settings(retry_delay=30))
    assert internet.gaps(HERE)[:2] == [30, 60]
    assert all(found.of(domain).status in ("ok", "info") for domain in shared(5))


async def test_a_throttled_server_does_not_delay_others() -> None:
    names = FakeResolver(
        zone(shared(3) | shared(3, "b.test", "e"), {"mx.host.test": HERE, "b.test": "192.0.2.8"})
    )
    internet = FakeInternet(names, {HERE: [BUSY, BUSY, RuleServer()], "192.0.2.8": RuleServer()})
    found = await scanned(internet, [*shared(3), *shared(3, prefix="e")], settings(retry_delay=30))
    assert set(found.domains[:3]) == set(shared(3, prefix="e"))
    assert found.of(found.domains[0]).observation.seconds < 10


# a server that does not reply


@pytest.mark.parametrize("fault", ["timeout", "refused", "silent"])
async def test_one_lost_connection_does_not_count_for_every_domain(fault: str) -> None:
    internet = fake_internet(60, [RuleServer(fault=fault), RuleServer()])
    found = await scanned(internet, shared(60), settings(per_session=20))
    statuses = [found.of(domain).status for domain in shared(60)]
    assert statuses.count("ok") + statuses.count("info") == 40


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["timeout", "refused", "silent"])
async def test_a_dead_server_is_cached_the_second_time(fault: str) -> None:
    internet = fake_internet(200, RuleServer(fault=fault))
    found = await scanned(internet, shared(200), settings(per_session=20, batch_size=50))
    assert internet.connections(HERE) == 2
    assert len({frozenset(found.codes(domain)) for domain in shared(200)}) == 1


# greylisting


GREYLISTS = RuleServer(rcpt_replies={f"postmaster@d{n}.test": "450 4.2.0 greylisted" for n in (1, 3)})


async def test_a_deferred_domain_is_retried() -> None:
    internet = fake_internet(5, [GREYLISTS, RuleServer()])
    found = await scanned(internet, shared(5), settings(given={"retry_deferred": 5.0}))
    (gap,) = internet.gaps(HERE)
    assert gap == 300
    assert set(found.domains[-2:]) == {"d1.test", "d3.test"}
    for domain in shared(5):
        assert "smtp.postmaster.deferred" not in found.codes(domain)
    assert [s.purpose for s in found.sessions("d1.test")] == ["main", "revisit"]
    asked = {t.purpose for t in found.sessions("d1.test")[-1].transactions}
    assert asked == {"null-sender", "postmaster"}
    assert [s.purpose for s in found.sessions("d0.test")] == ["main"]


async def test_without_a_retry_the_line_is_written_at_once() -> None:
    internet = fake_internet(5, GREYLISTS)
    found = await scanned(internet, shared(5))
    assert internet.connections(HERE) == 1
    assert "smtp.postmaster.deferred" in found.codes("d1.test")


async def test_a_retry_is_the_last() -> None:
    internet = fake_internet(5, GREYLISTS)
    found = await scanned(internet, shared(5), settings(given={"retry_deferred": 5.0}))
    assert internet.connections(HERE) == 2
    assert "smtp.postmaster.deferred" in found.codes("d3.test")


# stopping


async def test_stopping_finishes_open_sessions_and_starts_none() -> None:
    internet = fake_internet(50, seconds=5)
    lines: list[int] = []
    scan = Scan(settings(per_session=10, per_address=1), internet, internet)
    async with anyio.create_task_group() as group:
        results = Results(lambda number, _: lines.append(number))
        group.start_soon(scan.run, list(listed(shared(50))), results)
        await anyio.sleep(7)
        await scan.stop(10)
    assert len(lines) == len(set(lines)) == 20
    assert internet.connections(HERE) == 2
    assert internet.sessions[-1].ended == 10


async def test_stopping_waits_for_the_grace_period_only() -> None:
    internet = fake_internet(50, seconds=50)
    scan = Scan(settings(), internet, internet)
    async with anyio.create_task_group() as group:
        group.start_soon(scan.run, list(listed(shared(50))), Results())
        await anyio.sleep(7)
        await scan.stop(3)
        assert anyio.current_time() == pytest.approx(10)
    assert not internet.open


async def test_stopping_while_names_are_resolved() -> None:
    internet = fake_internet(500)
    scan = Scan(settings(concurrency=1), internet, internet)
    async with anyio.create_task_group() as group:
        group.start_soon(scan.run, list(listed(shared(500))), Results())
        await anyio.lowlevel.checkpoint()
        await scan.stop(10)
    assert not internet.sessions
