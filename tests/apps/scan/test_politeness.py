"""How many sessions at once, how long between two, and whom never."""

import json
from itertools import combinations

import anyio
import pytest

from checker_smtp.probes.options import OptionError
from checker_smtp.scan.politeness import Exclusions, PolitenessLimiter, network_of
from tests.apps.scan.fake_internet import Town, Visited, scanned, settings, shared, zone
from tests.probes.hosts import Host
from tests.probes.world import Names

pytestmark = pytest.mark.anyio


def crowd(servers: int, each: int) -> tuple[Town, list[str]]:
    """Servers with so many domains each: in 192.0.2.0/24, and every third one in 198.51.100.0/24."""
    mx: dict[str, str] = {}
    addresses: dict[str, str] = {}
    for n in range(servers):
        host = f"mx{n}.provider{n % 2}.test"
        addresses[host] = f"{'198.51.100' if n % 3 == 2 else '192.0.2'}.{n + 1}"
        mx |= shared(each, host, f"s{n}d")
    return Town(Names(zone(mx, addresses)), {a: Host() for a in addresses.values()}), list(mx)


def most_at_once(visits: list[Visited]) -> int:
    return max(sum(v.began <= visit.began < v.ended for v in visits) for visit in visits)


@pytest.mark.parametrize("limit", ["concurrency", "per_address", "per_network", "per_provider"])
@pytest.mark.parametrize("places", [1, 2])
async def test_never_more_than_allowed_and_no_fewer(limit: str, places: int) -> None:
    here, names = crowd(6, 20)
    await scanned(here, names, settings(per_session=2, **{"per_address": 4} | {limit: places}))
    provider = {address: n % 2 for n, address in enumerate(here.hosts)}
    groups: dict[str, list[list[Visited]]] = {
        "concurrency": [here.visits],
        "per_address": [[v for v in here.visits if v.address == address] for address in here.hosts],
        "per_network": [
            [v for v in here.visits if network_of(v.address) == network]
            for network in ("192.0.2.0/24", "198.51.100.0/24")
        ],
        "per_provider": [[v for v in here.visits if provider[v.address] == n] for n in (0, 1)],
    }
    assert {most_at_once(group) for group in groups[limit]} == {places}
    assert len(here.visits) == 6 * 10


async def test_a_pause_lies_between_two_sessions_with_one_address() -> None:
    here, names = crowd(3, 20)
    await scanned(here, names, settings(per_session=2, per_address=1, delay=7))
    for address in here.hosts:
        assert here.gaps(address) == [7] * 9


@pytest.mark.parametrize("per_network", [1, 2, 8])
async def test_no_session_begins_before_the_pause_after_another_is_over(per_network: int) -> None:
    """Also where two lanes lead to an address, and both have to wait for something else."""
    here, names = crowd(6, 20)
    await scanned(here, names, settings(per_session=2, per_address=2, per_network=per_network, delay=7))
    for address in here.hosts:
        visits = [v for v in here.visits if v.address == address]
        assert not any(
            v.ended <= w.began < v.ended + 7 or w.ended <= v.began < w.ended + 7
            for v, w in combinations(visits, 2)
        )


async def test_pauses_that_are_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker_smtp.scan.politeness._MAX_COOLDOWNS", 100)
    politeness = PolitenessLimiter(settings(delay=1))
    for n in range(250):
        async with politeness.session(f"192.0.2.{n}", "p"):
            await anyio.sleep(0.1)
    assert len(politeness._next_allowed) < 110
    assert politeness.open_sessions == 0


async def test_the_controls_are_knocked_at_with_manners() -> None:
    mx = {f"d{n}.test": f"mx{n}.host.test" for n in range(5)}
    dead = {f"mx{n}.host.test": f"192.0.2.{n + 1}" for n in range(5)}
    records = zone(mx, dead) + "\ncontrol.test A 198.51.100.9"
    hosts: dict[str, Host] = {address: Host(fault="timeout") for address in dead.values()}
    here = Town(Names(records), hosts | {"198.51.100.9": Host()})
    found = await scanned(here, mx, settings(given={"controls": ("control.test",)}))
    assert here.connections("198.51.100.9") == 1
    assert found.scan.stats.connections == 6
    for domain in mx:
        (control,) = found.of(domain).observation.controls
        assert control.outcome == "connected"


# exclusions


async def test_what_is_on_the_stop_list_is_never_dialled() -> None:
    mx = shared(2) | shared(2, "mx.stopped.test", "s") | shared(2, "mx.net.test", "n")
    mx |= {"d.stopped.test": "mx.host.test", "stopped.test": "mx.host.test"}
    addresses = {"mx.host.test": "192.0.2.7", "mx.stopped.test": "192.0.2.8", "mx.net.test": "198.51.100.9"}
    here = Town(Names(zone(mx, addresses)), {"192.0.2.7": Host()})
    found = await scanned(here, mx, stop=["stopped.test", "198.51.100.0/24"])
    assert {v.address for v in here.visits} == {"192.0.2.7"}
    for domain in ("stopped.test", "d.stopped.test"):
        assert json.loads(found.line(domain)) == {
            "version": 1,
            "domain": domain,
            "not_checked": "stop-list",
            "reason": f"{domain} is on the stop list of this scan",
        }
        assert (domain, "MX") not in here.names.asked
    for domain in ("s0.test", "s1.test", "n0.test", "n1.test"):
        (session,) = found.sessions(domain)
        assert session.end is not None
        assert session.end.detail == "on the stop list of this scan"
        assert found.of(domain).status == "unknown"
        assert not any(finding.severity == "crit" for finding in found.of(domain).findings)
    assert found.of("d0.test").status in ("ok", "info")


async def test_a_server_is_stopped_under_any_of_its_names() -> None:
    records = zone({"a.test": "mx.host.test"}, {"mx.host.test": "192.0.2.7"})
    records += "\na.test MX 20 mx.stopped.test.\nmx.stopped.test A 192.0.2.7\nmx.stopped.test A 192.0.2.8"
    here = Town(Names(records), {})
    found = await scanned(here, ["a.test"], stop=["stopped.test"])
    assert not here.visits
    assert len(found.of("a.test").observation.endpoints) == 2


async def test_a_stopped_server_takes_nothing_from_the_others_of_a_domain() -> None:
    records = zone({"a.test": "mx.host.test"}, {"mx.host.test": "192.0.2.7"})
    records += "\na.test MX 20 mx.stopped.test.\nmx.stopped.test A 192.0.2.8"
    here = Town(Names(records), {"192.0.2.7": Host(tls=False)})
    found = await scanned(here, ["a.test"], stop=["192.0.2.8"])
    assert "smtp.all_no_starttls" in found.codes("a.test")


@pytest.mark.parametrize("entry", ["a b", "http://a.test", "192.0.2.0/99", "@", "*"])
def test_an_entry_that_is_none(entry: str) -> None:
    with pytest.raises(OptionError, match=r"is neither a domain nor a network\. Give one entry a line"):
        Exclusions([entry])


def test_networks_of_both_families() -> None:
    stop = Exclusions(["192.0.2.0/25", "2001:db8::/32", "198.51.100.7"])
    covered = [
        stop.has_address(a)
        for a in ("192.0.2.1", "192.0.2.200", "2001:db8::1", "2001:db9::1", "198.51.100.7")
    ]
    assert covered == [True, False, True, False, True]
    assert (network_of("192.0.2.200"), network_of("2001:db8:1:2::3")) == ("192.0.2.0/24", "2001:db8:1::/48")
