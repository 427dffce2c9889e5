"""Limits hold across partitions by how networks are divided, whatever the world looks like."""

from collections import Counter, defaultdict
from dataclasses import replace
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.probes.addresses import network_of
from checker_smtp.probes.options import Options
from checker_smtp.scan.dask.partition import Partitioning, ServerLoad, partition_networks
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
server_loads = st.dictionaries(
    st.tuples(addresses, st.sampled_from("abcdef")), st.integers(1, 30), max_size=40
).map(ServerLoad)


@given(server_loads, st.integers(1, 12), st.booleans())
def test_no_limit_can_be_exceeded(load: ServerLoad, max_partitions: int, sharing: bool) -> None:
    settings = replace(SETTINGS, reuse=sharing)
    partitioning = partition_networks(load, settings, max_partitions)
    assert partitioning.partition_of.keys() == {network_of(address) for address, _ in load}
    assert set(partitioning.partition_of.values()) == set(range(len(partitioning.slots)))
    assert len(partitioning.slots) <= max_partitions
    assert all(slots > 0 for slots in partitioning.slots)
    assert sum(partitioning.slots) <= settings.concurrency
    for provider in {provider for _, provider in load}:
        assert at_once(provider, load, partitioning, settings) <= settings.per_provider


def at_once(provider: str, load: ServerLoad, partitioning: Partitioning, settings: ScanSettings) -> int:
    """Return the sessions open with a provider when every partition uses its limits up."""
    domains: Counter[str] = Counter()
    for (address, _), number in load.items():
        domains[address] += number
    networks: Counter[str] = Counter()
    for address in {address for address, owner in load if owner == provider}:
        sessions = ceil(domains[address] / settings.per_session) if settings.reuse else domains[address]
        networks[network_of(address)] += min(settings.per_address, sessions)
    of_partition: Counter[int] = Counter()
    for network, sessions in networks.items():
        of_partition[partitioning.partition_of[network]] += min(settings.per_network, sessions)
    return sum(min(settings.per_provider, sessions) for sessions in of_partition.values())


def small_networks(number: int, each: int = 1) -> ServerLoad:
    """Return the load of `number` networks, each with a provider of its own."""
    return ServerLoad({(f"192.0.{n}.1", f"p{n}"): each for n in range(number)})


def test_independent_networks_are_spread() -> None:
    partitioning = partition_networks(small_networks(100, each=10), SETTINGS, 4)
    assert sorted(Counter(partitioning.partition_of.values()).values()) == [25, 25, 25, 25]
    assert partitioning.slots == (2, 2, 2, 2)


def test_a_large_provider_leaves_the_rest_to_other_partitions() -> None:
    big = ServerLoad({(f"198.51.{n}.1", "big"): 100 for n in range(20)})
    partitioning = partition_networks(big + small_networks(100, each=20), SETTINGS, 4)
    loads: Counter[int] = Counter()
    homes = defaultdict(set)
    for (address, provider), number in (big + small_networks(100, each=20)).items():
        partition = partitioning.partition_of[network_of(address)]
        loads[partition] += number
        homes[provider].add(partition)
    assert len(homes["big"]) == 1
    assert max(loads.values()) == 2000
    assert sorted(loads.values())[:3] == [660, 660, 680]


def test_a_provider_below_its_limit_is_split() -> None:
    small = ServerLoad({(f"198.51.{n}.1", "small"): 1 for n in range(SETTINGS.per_provider)})
    assert len(partition_networks(small, SETTINGS, 4).slots) == 4


def test_an_empty_load() -> None:
    assert partition_networks(ServerLoad(), SETTINGS, 4) == Partitioning({}, ())
