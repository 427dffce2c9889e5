"""Who in a cluster visits which networks, such that every limit holds though nobody asks anybody.

A limit that workers share could be a counter that all of them ask before each session. That is a question
over the network for every session, and a place that is lost for a while with every worker that dies. So each
limit lies within one place instead. The addresses of a round are divided into districts, each is visited by
one task, and tasks do not touch each other's addresses:

* a network (/24, /48) is in one district, and so is each of its addresses: their limits, the pause and the
  rest after a 421 are that task's own business, as they are on one machine;
* a provider whose servers, each at its own limit, could be more than is allowed at once, has all of its
  networks in one district. The others cannot reach their limit, wherever they are;
* the concurrency is divided among the districts.

The networks that big providers have in common can tie districts together; what is left beside them is
enough to keep other workers busy.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from math import ceil

from .politeness import network_of
from .settings import ScanSettings

__all__ = ["Partition", "ServerLoad", "partition_networks"]

ServerLoad = Counter[tuple[str, str]]
"""How many domains are to be asked about at an address of a provider: (address, provider)."""

# What a session costs beside what is asked in it, in domains: connecting and TLS.
_SESSION = 5


@dataclass(frozen=True, slots=True)
class Partition:
    """In which district a network is, and how many sessions each may hold at once."""

    of: dict[str, int]
    places: tuple[int, ...]


@dataclass(slots=True)
class _Network:
    """What is to be done in a network: `load` in domains, `wanted` sessions that may be open at once."""

    load: int = 0
    wanted: int = 0
    providers: Counter[str] = field(default_factory=Counter)


def partition_networks(load: ServerLoad, settings: ScanSettings, most: int) -> Partition:
    """At most so many districts, about equally much to do in each; none where nobody is to be visited."""
    networks = _networks(load, settings)
    groups = sorted(_bound_together(networks, settings.per_provider), key=lambda g: -_load(networks, g))
    number = min(most, settings.concurrency, len(groups))
    if not number:
        return Partition({}, ())
    of: dict[str, int] = {}
    wanted = [0] * number
    loads = [(0, district) for district in range(number)]
    heapify(loads)
    for group in groups:
        lightest, district = loads[0]
        heapreplace(loads, (lightest + _load(networks, group), district))
        of.update(dict.fromkeys(group, district))
        wanted[district] += sum(networks[name].wanted for name in group)
    spare = settings.concurrency - number
    return Partition(of, tuple(1 + spare * mine // sum(wanted) for mine in wanted))


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
        network.load += number + _SESSION * sessions
        network.wanted += at_once
        for provider in providers[address]:
            network.providers[provider] += at_once
    for network in networks.values():
        network.wanted = min(settings.per_network, network.wanted)
    return networks


def _load(networks: dict[str, _Network], group: Iterable[str]) -> int:
    return sum(networks[name].load for name in group)


def _bound_together(networks: dict[str, _Network], per_provider: int) -> list[list[str]]:
    """The networks in groups that are not to be divided."""
    of_provider = defaultdict(list)
    at_once: Counter[str] = Counter()
    for name, network in networks.items():
        for provider, sessions in network.providers.items():
            of_provider[provider].append(name)
            at_once[provider] += min(sessions, network.wanted)
    head = {name: name for name in networks}

    def head_of(name: str) -> str:
        while head[name] != name:
            head[name] = name = head[head[name]]
        return name

    for provider, sessions in at_once.items():
        if sessions > per_provider:
            first, *others = of_provider[provider]
            for other in others:
                head[head_of(other)] = head_of(first)
    groups = defaultdict(list)
    for name in networks:
        groups[head_of(name)].append(name)
    return list(groups.values())
