"""Simultaneous sessions, the delay between two, and excluded hosts."""

import json
from itertools import combinations

import anyio
import pytest

from checker_smtp.probes.addresses import network_of
from checker_smtp.probes.options import OptionError
from checker_smtp.scan.politeness.exclusions import Exclusions
from checker_smtp.scan.politeness.limiter import PolitenessLimiter
from checker_smtp.scan.stats import ScanStats
from checker_smtp.testing import FakeResolver, RuleServer
from tests.apps.scan.fake_internet import FakeInternet, FakeSession, scanned, settings, shared, zone

pytestmark = pytest.mark.anyio


def many_servers(servers: int, each: int) -> tuple[FakeInternet, list[str]]:
    """Return servers with `each` domains: in 192.0.2.0/24, and every third one in 198.51.100.0/24."""
    mx: dict[str, str] = {}
    addresses: dict[str, str] = {}
    for n in range(servers):
        host = f"mx{n}.provider{n % 2}.test"
        addresses[host] = f"{'198.51.100' if n % 3 == 2 else '192.0.2'}.{n + 1}"
        mx |= shared(each, host, f"s{n}d")
    return FakeInternet(
        FakeResolver(zone(mx, addresses)), {a: RuleServer() for a in addresses.values()}
    ), list(mx)


def most_at_once(sessions: list[FakeSession]) -> int:
    return max(sum(s.began <= session.began < s.ended for s in sessions) for session in sessions)


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["concurrency", "per_address", "per_network", "per_provider"])
@pytest.mark.parametrize("slots", [1, 2])
async def test_never_more_than_allowed_and_no_fewer(limit: str, slots: int) -> None:
    internet, names = many_servers(6, 8)
    await scanned(internet, names, settings(per_session=2, **{"per_address": 4} | {limit: slots}))
    provider = {address: n % 2 for n, address in enumerate(internet.hosts)}
    groups: dict[str, list[list[FakeSession]]] = {
        "concurrency": [internet.sessions],
        "per_address": [[s for s in internet.sessions if s.address == address] for address in internet.hosts],
        "per_network": [
            [s for s in internet.sessions if network_of(s.address) == network]
            for network in ("192.0.2.0/24", "198.51.100.0/24")
        ],
        "per_provider": [[s for s in internet.sessions if provider[s.address] == n] for n in (0, 1)],
    }
    assert {most_at_once(group) for group in groups[limit]} == {slots}
    assert len(internet.sessions) == 6 * 4


async def test_a_delay_lies_between_two_sessions_with_one_address() -> None:
    internet, names = many_servers(3, 20)
    await scanned(internet, names, settings(per_session=2, per_address=1, delay=7))
    for address in internet.hosts:
        assert internet.gaps(address) == [7] * 9


@pytest.mark.slow
@pytest.mark.parametrize("per_network", [1, 2, 8])
async def test_no_session_starts_within_the_delay_of_another(per_network: int) -> None:
    """Also where two workers probe an address, and both have to wait for something else."""
    internet, names = many_servers(6, 20)
    await scanned(internet, names, settings(per_session=2, per_address=2, per_network=per_network, delay=7))
    for address in internet.hosts:
        visits = [s for s in internet.sessions if s.address == address]
        assert not any(
            s.ended <= w.began < s.ended + 7 or w.ended <= s.began < w.ended + 7
            for s, w in combinations(visits, 2)
        )


async def test_cooldowns_that_are_over_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker_smtp.scan.politeness.limiter._MAX_COOLDOWNS", 100)
    politeness = PolitenessLimiter(settings(delay=1), ScanStats())
    for n in range(250):
        async with politeness.session(f"192.0.2.{n}", "p"):
            await anyio.sleep(0.1)
    assert len(politeness._next_allowed) < 110
    assert politeness.stats.open_sessions == 0


async def test_control_hosts_are_probed_within_the_limits() -> None:
    mx = {f"d{n}.test": f"mx{n}.host.test" for n in range(5)}
    dead = {f"mx{n}.host.test": f"192.0.2.{n + 1}" for n in range(5)}
    records = zone(mx, dead) + "\ncontrol.test A 198.51.100.9"
    hosts: dict[str, RuleServer] = {address: RuleServer(fault="timeout") for address in dead.values()}
    internet = FakeInternet(FakeResolver(records), hosts | {"198.51.100.9": RuleServer()})
    found = await scanned(internet, mx, settings(given={"controls": ("control.test",)}))
    assert internet.connections("198.51.100.9") == 1
    assert found.scan.stats.connections == 6
    for domain in mx:
        (control,) = found.of(domain).observation.controls
        assert control.outcome == "connected"


# exclusions


async def test_an_excluded_host_is_never_contacted() -> None:
    mx = shared(2) | shared(2, "mx.excluded.test", "s") | shared(2, "mx.net.test", "n")
    mx |= {"d.excluded.test": "mx.host.test", "excluded.test": "mx.host.test"}
    addresses = {"mx.host.test": "192.0.2.7", "mx.excluded.test": "192.0.2.8", "mx.net.test": "198.51.100.9"}
    internet = FakeInternet(FakeResolver(zone(mx, addresses)), {"192.0.2.7": RuleServer()})
    found = await scanned(internet, mx, stop=["excluded.test", "198.51.100.0/24"])
    assert {s.address for s in internet.sessions} == {"192.0.2.7"}
    for domain in ("excluded.test", "d.excluded.test"):
        assert json.loads(found.line(domain)) == {
            "version": 2,
            "domain": domain,
            "not_checked": "stop-list",
            "reason": f"{domain} is on the stop list of this scan",
        }
        assert (domain, "MX") not in internet.names.asked
    for domain in ("s0.test", "s1.test", "n0.test", "n1.test"):
        (session,) = found.sessions(domain)
        assert session.end is not None
        assert session.end.detail == "on the stop list of this scan"
        assert found.of(domain).status == "unknown"
        assert not any(finding.severity == "crit" for finding in found.of(domain).findings)
    assert found.of("d0.test").status in ("ok", "info")


async def test_a_server_is_excluded_under_any_of_its_names() -> None:
    records = zone({"a.test": "mx.host.test"}, {"mx.host.test": "192.0.2.7"})
    records += "\na.test MX 20 mx.excluded.test.\nmx.excluded.test A 192.0.2.7\nmx.excluded.test A 192.0.2.8"
    internet = FakeInternet(FakeResolver(records), {})
    found = await scanned(internet, ["a.test"], stop=["excluded.test"])
    assert not internet.sessions
    assert len(found.of("a.test").observation.endpoints) == 2


async def test_an_excluded_server_does_not_affect_the_others_of_a_domain() -> None:
    records = zone({"a.test": "mx.host.test"}, {"mx.host.test": "192.0.2.7"})
    records += "\na.test MX 20 mx.excluded.test.\nmx.excluded.test A 192.0.2.8"
    internet = FakeInternet(FakeResolver(records), {"192.0.2.7": RuleServer(starttls=False)})
    found = await scanned(internet, ["a.test"], stop=["192.0.2.8"])
    assert "smtp.all_no_starttls" in found.codes("a.test")


@pytest.mark.parametrize("entry", ["a b", "http://a.test", "192.0.2.0/99", "@", "*"])
def test_an_invalid_entry(entry: str) -> None:
    with pytest.raises(OptionError, match=r"is neither a domain nor a network\. Give one entry a line"):
        Exclusions([entry])


def test_networks_of_both_families() -> None:
    exclusions = Exclusions(["192.0.2.0/25", "2001:db8::/32", "198.51.100.7"])
    covered = [
        exclusions.has_address(a)
        for a in ("192.0.2.1", "192.0.2.200", "2001:db8::1", "2001:db9::1", "198.51.100.7")
    ]
    assert covered == [True, False, True, False, True]
    assert (network_of("192.0.2.200"), network_of("2001:db8:1:2::3")) == ("192.0.2.0/24", "2001:db8:1::/48")
