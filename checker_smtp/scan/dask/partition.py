"""The partition of a batch's servers among the tasks of a cluster, so that every limit holds.

A counter shared by all workers would cost a query over the network for each session, and lose slots with
every worker that dies. So each limit lies within one task instead. The addresses of a batch are split into
partitions, one task probes each of them, and no task contacts an address of another:

* a network (/24, /48) is in one partition, and so is each of its addresses: the task enforces their limits,
  the delay and the backoff after a 421 as a scan on one machine does;
* a provider whose servers, each at its own limit, could exceed the provider's limit has all of its networks
  in one partition. The others cannot reach their limit, wherever their networks are;
* the concurrency is divided among the partitions.

Networks that big providers have in common can tie partitions together; the rest of the batch is enough to
keep the other workers busy.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from math import ceil

from checker_smtp.probes.addresses import network_of
from checker_smtp.scan.settings import ScanSettings

__all__ = ["Partitioning", "ServerLoad", "partition_networks"]

ServerLoad = Counter[tuple[str, str]]
"""The number of domains to probe by (address, provider)."""

# The cost of a session beside its domains, that is connecting and TLS, in domains.
_SESSION_COST = 5


@dataclass(frozen=True, slots=True)
class Partitioning:
    """The partition of each network, and for each partition the `slots`: its sessions at once."""

    partition_of: dict[str, int]
    slots: tuple[int, ...]


@dataclass(slots=True)
class _Network:
    """The work in a network: `load` in domains, and the `sessions` that may be open at once."""

    load: int = 0
    sessions: int = 0
    providers: Counter[str] = field(default_factory=Counter)


def partition_networks(load: ServerLoad, settings: ScanSettings, max_partitions: int) -> Partitioning:
    """Split the networks into at most `max_partitions` with about the same load; none for an empty load."""
    networks = _networks(load, settings)
    groups = sorted(_group_networks(networks, settings.per_provider), key=lambda g: -_load(networks, g))
    number = min(max_partitions, settings.concurrency, len(groups))
    if not number:
        return Partitioning({}, ())
    partition_of: dict[str, int] = {}
    sessions = [0] * number
    loads = [(0, partition) for partition in range(number)]
    heapify(loads)
    for group in groups:
        lightest, partition = loads[0]
        heapreplace(loads, (lightest + _load(networks, group), partition))
        partition_of.update(dict.fromkeys(group, partition))
        sessions[partition] += sum(networks[name].sessions for name in group)
    spare = settings.concurrency - number
    return Partitioning(partition_of, tuple(1 + spare * own // sum(sessions) for own in sessions))


def _networks(load: ServerLoad, settings: ScanSettings) -> dict[str, _Network]:
    domains: Counter[str] = Counter()
    providers = defaultdict(set)
    for (address, provider), number in load.items():
        domains[address] += number
        providers[address].add(provider)
    networks: dict[str, _Network] = defaultdict(_Network)
    for address, number in domains.items():
        network = networks[network_of(address)]
        sessions = ceil(number / settings.per_session) if settings.reuse else number
        at_once = min(settings.per_address, sessions)
        network.load += number + _SESSION_COST * sessions
        network.sessions += at_once
        for provider in providers[address]:
            network.providers[provider] += at_once
    for network in networks.values():
        network.sessions = min(settings.per_network, network.sessions)
    return networks


def _load(networks: dict[str, _Network], group: Iterable[str]) -> int:
    return sum(networks[name].load for name in group)


def _group_networks(networks: dict[str, _Network], per_provider: int) -> list[list[str]]:
    """Return the networks in groups that must not be split (by union-find)."""
    networks_of = defaultdict(list)
    at_once: Counter[str] = Counter()
    for name, network in networks.items():
        for provider, sessions in network.providers.items():
            networks_of[provider].append(name)
            at_once[provider] += min(sessions, network.sessions)
    parent = {name: name for name in networks}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    for provider, sessions in at_once.items():
        if sessions > per_provider:
            first, *others = networks_of[provider]
            for other in others:
                parent[root(other)] = root(first)
    groups = defaultdict(list)
    for name in networks:
        groups[root(name)].append(name)
    return list(groups.values())
