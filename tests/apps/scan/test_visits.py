"""Whom a scan visits, how often, and what it does where it is not welcome."""

import anyio
import anyio.lowlevel
import pytest

from checker_smtp.probes.endpoint import control_address
from checker_smtp.scan.domain_list import Entry
from checker_smtp.scan.scan import Scan
from checker_smtp.scan.server_queue import MAX_BACKOFFS
from tests.apps.scan.fake_internet import BUSY, Town, scanned, settings, shared, zone
from tests.probes.hosts import Host
from tests.probes.world import Names

pytestmark = pytest.mark.anyio

HERE = "192.0.2.7"
RELAY = "RCPT TO:<postmaster@example.com>"


def town(number: int = 5, host: Host | list[Host] | None = None, **more: float) -> Town:
    """So many domains with one server."""
    names = Names(zone(shared(number), {"mx.host.test": HERE}))
    return Town(names, {HERE: host or Host()}, **more)


async def test_one_visit_for_all_domains_of_a_server() -> None:
    here = town(20)
    found = await scanned(here, shared(20))
    (host,) = here.hosts.values()
    assert here.connections(HERE) == 1
    assert host.times(RELAY) == 1
    for domain in shared(20):
        assert host.times(f"RCPT TO:<postmaster@{domain}>") == 2
        assert found.of(domain).status in ("ok", "info")
    assert found.scan.stats.connections == 1


async def test_a_session_takes_so_many_domains_and_no_more() -> None:
    here = town(50)
    await scanned(here, shared(50), settings(per_session=20))
    assert here.connections(HERE) == 3


@pytest.mark.parametrize("batch_size", [1, 7, 100])
async def test_a_later_window_uses_what_is_known(batch_size: int) -> None:
    here = town(30)
    found = await scanned(here, shared(30), settings(batch_size=batch_size))
    (host,) = here.hosts.values()
    # a first domain that comes alone has its relay probe for itself
    assert host.times(RELAY) == (3 if batch_size == 1 else 1)
    assert all(found.codes(domain) == found.codes("d0.test") for domain in shared(30))


async def test_what_is_known_is_asked_for_again_when_it_is_too_old() -> None:
    """However often the server was visited meanwhile: that makes what was found out at first no younger."""
    here = town(120, seconds=10)
    await scanned(here, shared(120), settings(per_session=2, per_address=1, server_cache_ttl=100))
    (host,) = here.hosts.values()
    # sessions begin at 0, 10, ... 590
    assert host.times(RELAY) == 6


async def test_without_sharing_every_domain_has_visits_of_its_own() -> None:
    here = town(12)
    found = await scanned(here, shared(12), settings(reuse=False, batch_size=5))
    (host,) = here.hosts.values()
    assert (here.connections(HERE), host.times(RELAY)) == (12, 12)
    assert found.scan.stats.connections == 12


async def test_a_domain_is_done_when_the_last_of_its_servers_is() -> None:
    records = zone(shared(4, "a.host.test") | {"both.test": "a.host.test"}, {"a.host.test": HERE})
    records += "\nboth.test MX 20 b.host.test.\nb.host.test A 192.0.2.8\nd0.test MX 20 b.host.test."
    here = Town(Names(records), {HERE: Host(), "192.0.2.8": Host(tls=False)})
    found = await scanned(here, [*shared(4), "both.test"])
    assert {a: here.connections(a) for a in here.hosts} == {HERE: 1, "192.0.2.8": 1}
    endpoints = found.of("both.test").observation.endpoints
    assert [(e.address, e.main.tls is not None) for e in endpoints] == [
        (HERE, True),
        ("192.0.2.8", False),
    ]
    assert "smtp.starttls.missing" in found.codes("both.test")
    assert "smtp.starttls.missing" not in found.codes("d1.test")


async def test_the_control_of_an_open_relay_is_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker_smtp.scan.scan.randbits", lambda _: 7)
    opened = {f"postmaster@example.{tld}": "250 2.1.5 ok" for tld in ("com", "net")}
    how = settings(per_session=4)
    control = control_address(how.options, 7)
    here = town(10, Host(rcpt=opened | {control: "250 2.1.5 ok"}))
    found = await scanned(here, shared(10), how)
    (host,) = here.hosts.values()
    assert all("smtp.open_relay" in found.codes(domain) for domain in shared(10))
    assert (host.times(RELAY), host.times(f"RCPT TO:<{control}>")) == (1, 1)


# a server that has no time


@pytest.mark.parametrize(
    "is_throttled", [BUSY, Host(fault="ehlo-421")], ids=["421 at the greeting", "421 at EHLO"]
)
async def test_a_busy_server_is_left_alone_and_asked_again(is_throttled: Host) -> None:
    here = town(30, [is_throttled, is_throttled, Host()])
    found = await scanned(here, shared(30), settings(retry_delay=30, per_session=20))
    assert here.gaps(HERE)[:2] == [30, 60]
    assert all(found.of(domain).status in ("ok", "info") for domain in shared(30))
    assert here.connections(HERE) == 4


async def test_it_is_asked_no_more_than_so_often_and_then_told_what_it_said() -> None:
    here = town(30, BUSY)
    found = await scanned(here, shared(30), settings(retry_delay=30, per_session=20))
    assert here.gaps(HERE) == [30, 60, 120]
    assert len(here.gaps(HERE)) == MAX_BACKOFFS
    assert all("smtp.banner.deferred" in found.codes(domain) for domain in shared(30))


async def test_a_server_that_is_busy_now_and_then_is_waited_for_each_time() -> None:
    """Three times in a row are the limit, not three times a scan: else the rest of a large provider's domains
    were told what it said in its fourth bad moment."""
    hosts = [BUSY, Host()] * 12
    here = town(12, hosts)
    found = await scanned(
        here, shared(12), settings(retry_delay=30, per_session=1, per_address=1, server_cache_ttl=0)
    )
    assert all(found.of(domain).status in ("ok", "info") for domain in shared(12))
    assert here.gaps(HERE)[::2] == [30] * 12


async def test_those_who_were_heard_before_it_got_busy_are_told() -> None:
    """A session ends in 421 after a few domains, and the next one does not begin."""
    here = town(5, [Host(limit=4), BUSY, Host()])
    found = await scanned(here, shared(5), settings(retry_delay=30))
    assert [gap for gap in here.gaps(HERE) if gap] == [30]
    assert all(found.of(domain).status in ("ok", "info") for domain in shared(5))


async def test_a_busy_server_keeps_nobody_else_waiting() -> None:
    names = Names(zone(shared(3) | shared(3, "b.test", "e"), {"mx.host.test": HERE, "b.test": "192.0.2.8"}))
    here = Town(names, {HERE: [BUSY, BUSY, Host()], "192.0.2.8": Host()})
    found = await scanned(here, [*shared(3), *shared(3, prefix="e")], settings(retry_delay=30))
    assert set(found.domains[:3]) == set(shared(3, prefix="e"))
    assert found.of(found.domains[0]).observation.seconds < 10


# a server that says nothing


@pytest.mark.parametrize("fault", ["timeout", "refused", "silent"])
async def test_one_lost_connection_is_not_told_of_everybody(fault: str) -> None:
    here = town(60, [Host(fault=fault), Host()])
    found = await scanned(here, shared(60), settings(per_session=20))
    told = [found.of(domain).status for domain in shared(60)]
    assert told.count("ok") + told.count("info") == 40


@pytest.mark.parametrize("fault", ["timeout", "refused", "silent"])
async def test_a_dead_server_is_believed_to_be_dead_the_second_time(fault: str) -> None:
    here = town(200, Host(fault=fault))
    found = await scanned(here, shared(200), settings(per_session=20, batch_size=50))
    assert here.connections(HERE) == 2
    assert len({frozenset(found.codes(domain)) for domain in shared(200)}) == 1


# greylisting


GREYLISTS = Host(rcpt={f"postmaster@d{n}.test": "450 4.2.0 greylisted" for n in (1, 3)})


async def test_a_server_that_put_us_off_gets_a_second_visit() -> None:
    here = town(5, [GREYLISTS, Host()])
    found = await scanned(here, shared(5), settings(given={"retry_deferred": 5.0}))
    (gap,) = here.gaps(HERE)
    assert gap == 300
    assert set(found.domains[-2:]) == {"d1.test", "d3.test"}
    for domain in shared(5):
        assert "smtp.postmaster.deferred" not in found.codes(domain)
    assert [s.purpose for s in found.sessions("d1.test")] == ["main", "revisit"]
    assert [s.purpose for s in found.sessions("d0.test")] == ["main"]


async def test_without_a_retry_the_line_is_written_at_once() -> None:
    here = town(5, GREYLISTS)
    found = await scanned(here, shared(5))
    assert here.connections(HERE) == 1
    assert "smtp.postmaster.deferred" in found.codes("d1.test")


async def test_a_second_visit_is_the_last() -> None:
    here = town(5, GREYLISTS)
    found = await scanned(here, shared(5), settings(given={"retry_deferred": 5.0}))
    assert here.connections(HERE) == 2
    assert "smtp.postmaster.deferred" in found.codes("d3.test")


# the end before the end


async def test_stopping_finishes_what_is_under_way_and_begins_nothing() -> None:
    here = town(50, seconds=5)
    lines: list[int] = []
    scan = Scan(settings(per_session=10, per_address=1), here, lambda number, _: lines.append(number))
    async with anyio.create_task_group() as group:
        group.start_soon(scan.run, list(map(Entry, shared(50))))
        await anyio.sleep(7)
        await scan.stop(10)
    assert len(lines) == len(set(lines)) == 20
    assert here.connections(HERE) == 2
    assert here.visits[-1].ended == 10


async def test_stopping_waits_no_longer_than_it_is_told() -> None:
    here = town(50, seconds=50)
    scan = Scan(settings(), here, lambda *_: None)
    async with anyio.create_task_group() as group:
        group.start_soon(scan.run, list(map(Entry, shared(50))))
        await anyio.sleep(7)
        await scan.stop(3)
        assert anyio.current_time() == pytest.approx(10)
    assert not here.open


async def test_stopping_while_names_are_looked_up() -> None:
    here = town(500)
    scan = Scan(settings(concurrency=1), here, lambda *_: None)
    async with anyio.create_task_group() as group:
        group.start_soon(scan.run, list(map(Entry, shared(500))))
        await anyio.lowlevel.checkpoint()
        await scan.stop(10)
    assert not here.visits
