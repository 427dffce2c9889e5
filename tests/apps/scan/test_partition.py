"""Limits hold across districts by how networks are divided, whatever the world looks like."""

from collections import Counter, defaultdict
from dataclasses import replace
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.probes.options import Options
from checker_smtp.scan.partition import Partition, ServerLoad, partition_networks
from checker_smtp.scan.politeness import network_of
from checker_smtp.scan.settings import ScanSettings

SETTINGS = ScanSettings(
    options=Options(domain="example.com"),
    concurrency=10,
    per_session=4,
    per_address=2,
    per_network=3,
    per_provider=5,
)
addresses = st.builds("192.0.{}.{}".format, st.integers(0, 9), st.integers(1, 6)) | st.builds(
    "2001:db8:{}::{}".format, st.integers(0, 3), st.integers(1, 3)
)
censuses = st.dictionaries(
    st.tuples(addresses, st.sampled_from("abcdef")), st.integers(1, 30), max_size=40
).map(ServerLoad)


@given(censuses, st.integers(1, 12), st.booleans())
def test_no_limit_can_be_exceeded(load: ServerLoad, most: int, sharing: bool) -> None:
    settings = replace(SETTINGS, reuse=sharing)
    partition = partition_networks(load, settings, most)
    assert partition.of.keys() == {network_of(address) for address, _ in load}
    assert set(partition.of.values()) == set(range(len(partition.places)))
    assert len(partition.places) <= most
    assert all(places > 0 for places in partition.places)
    assert sum(partition.places) <= settings.concurrency
    for provider in {provider for _, provider in load}:
        assert at_once(provider, load, partition, settings) <= settings.per_provider


def at_once(provider: str, load: ServerLoad, partition: Partition, settings: ScanSettings) -> int:
    """Sessions that may be open with a provider when every district goes as far as it may."""
    domains: Counter[str] = Counter()
    for (address, _), number in load.items():
        domains[address] += number
    networks: Counter[str] = Counter()
    for address in {address for address, whose in load if whose == provider}:
        sessions = ceil(domains[address] / settings.per_session) if settings.reuse else domains[address]
        networks[network_of(address)] += min(settings.per_address, sessions)
    of_district: Counter[int] = Counter()
    for network, sessions in networks.items():
        of_district[partition.of[network]] += min(settings.per_network, sessions)
    return sum(min(settings.per_provider, sessions) for sessions in of_district.values())


def shops(number: int, each: int = 1) -> ServerLoad:
    """So many networks with a provider of their own."""
    return ServerLoad({(f"192.0.{n}.1", f"p{n}"): each for n in range(number)})


def test_what_need_not_be_together_is_spread() -> None:
    partition = partition_networks(shops(100, each=10), SETTINGS, 4)
    assert sorted(Counter(partition.of.values()).values()) == [25, 25, 25, 25]
    assert partition.places == (2, 2, 2, 2)


def test_the_provider_that_half_the_world_uses_leaves_the_rest_to_others() -> None:
    big = ServerLoad({(f"198.51.{n}.1", "big"): 100 for n in range(20)})
    partition = partition_networks(big + shops(100, each=20), SETTINGS, 4)
    loads: Counter[int] = Counter()
    homes = defaultdict(set)
    for (address, provider), number in (big + shops(100, each=20)).items():
        district = partition.of[network_of(address)]
        loads[district] += number
        homes[provider].add(district)
    assert len(homes["big"]) == 1
    assert max(loads.values()) == 2000
    assert sorted(loads.values())[:3] == [660, 660, 680]


def test_a_provider_that_cannot_reach_its_limit_is_in_nobodys_way() -> None:
    small = ServerLoad({(f"198.51.{n}.1", "small"): 1 for n in range(SETTINGS.per_provider)})
    assert len(partition_networks(small, SETTINGS, 4).places) == 4


def test_nobody_to_be_visited() -> None:
    assert partition_networks(ServerLoad(), SETTINGS, 4) == Partition({}, ())
