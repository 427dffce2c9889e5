"""The rounds of a scan on a cluster: what is decided between its tasks, and what becomes of their results.

A round has as many parts as the cluster has threads. They are looked up; their servers are divided into
districts (see `partition`), at most as many as there are parts; Dask's shuffle brings every domain to the
districts where it has servers, one task visits each, and a second shuffle brings what they said back to the
parts, whose lines are sent here and written. Meanwhile the next round is looked up, but nobody is asked for
it until this one is over: so no two tasks ever meet at a server's door.

A worker that is lost takes with it what it had of this round, and Dask has that done again elsewhere. A part
comes here once and whole, so nothing can be lost or doubled.
"""

from collections.abc import Iterator, Sequence
from itertools import count, islice
from math import ceil
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TypeVar

import anyio.to_thread
import dask.bag
from dask.bag.core import groupby_tasks
from dask.delayed import Delayed, delayed
from distributed import Client, Future, as_completed

from .domain_list import Entry
from .messages import Part
from .partition import ServerLoad, partition_networks
from .parts import put_part, suffix_of
from .politeness import network_of
from .settings import ScanSettings
from .stats import ScanStats
from .tasks import EvaluatedPart, Found, addressed, counted, evaluate_part, resolve_domain, visit

__all__ = ["Batches"]

_T = TypeVar("_T")

_NOT_YET = -1


class _LookedUp(NamedTuple):
    """A part, the number of its file, and what is found out about it."""

    number: int
    part: Part
    found: "Future[Found]"


class Batches:
    """A scan called `name`, round by round; the file of its first part has the number `first`.

    `stats` may be read at any time, and `open`, how many sessions are.
    """

    def __init__(
        self, client: Client, name: str, settings: ScanSettings, stats: ScanStats, first: int
    ) -> None:
        self.stats = stats
        self._client = client
        self._name = name
        self._settings = settings
        self._numbers = count(first)
        self._sessions: dict[str, int] = {}
        self._connections: dict[str, int] = {}
        client.subscribe_topic(name, self._hear)

    @property
    def open(self) -> int:
        return sum(self._sessions.values())

    def _hear(self, event: tuple[float, tuple[str, int, int]]) -> None:
        _, (visit, connections, sessions) = event
        self._connections[visit] = connections
        self._sessions[visit] = sessions
        self.stats.connections = sum(self._connections.values())

    async def run(self, entries: Iterator[tuple[int, Entry]], number: int, folder: Path) -> None:
        """Scan `entries`, of which there are at most this `number`; parts are put into `folder`."""
        ahead = await self._look_up(entries, number)
        while ahead:
            lines = self._visit(ahead, await self._count(ahead), suffix_of(folder))
            # what is free when the first districts are done looks up the next round
            now, ahead = ahead, await self._look_up(entries, number)
            left = await self._collect(now, lines, folder)
            if len(left) == sum(len(one.part) for one in now):
                raise RuntimeError(f"{len(left)} domains are looked up, and nobody is asked about them")
            ahead += await self._look_up(iter(left), number, len(ahead))

    async def _look_up(
        self, entries: Iterator[tuple[int, Entry]], number: int, first: int = 0
    ) -> list[_LookedUp]:
        """Begin to look up a round's parts, of which the `first` ones are there already."""
        threads = sum((await self._client.nthreads()).values()) or 1
        size = min(self._settings.batch_size, ceil(number / threads) or 1)
        parts: list[_LookedUp] = []
        while len(parts) < threads and (part := list(islice(entries, size))):
            place = first + len(parts)
            found = self._client.submit(
                resolve_domain, self._name, place, part, pure=False, priority=_NOT_YET
            )
            parts.append(_LookedUp(next(self._numbers), part, found))
        return parts

    async def _count(self, parts: list[_LookedUp]) -> list[ServerLoad]:
        """How many domains of each part have which server."""
        coming = [self._client.submit(counted, one.found, pure=False) for one in parts]
        return [await load for load in coming]

    def _visit(
        self, parts: list[_LookedUp], counts: list[ServerLoad], suffix: str
    ) -> list["Future[EvaluatedPart]"]:
        """Begin to visit all servers of a round; what comes of it are the lines of its parts."""
        load = ServerLoad()
        for some in counts:
            load.update(some)
        partition = partition_networks(load, self._settings, len(parts))
        guests = []
        for one, some in zip(parts, counts, strict=True):
            networks = {network_of(address) for address, _ in some}
            own = {network: partition.of[network] for network in networks}
            guests.append(self._client.submit(addressed, one.found, own, pure=False))
        # a place for every part, because a shuffle has as many keys as places
        places = partition.places + (0,) * (len(parts) - len(partition.places))
        said = [
            delayed(visit, pure=False)(self._name, at_a_district, number)
            for at_a_district, number in zip(_shuffled(guests), places, strict=True)
        ]
        lines = [
            delayed(evaluate_part, pure=False)(self._name, one.found, back, suffix)
            for one, back in zip(parts, _shuffled(said), strict=True)
        ]
        return list(self._client.compute(lines))

    async def _collect(
        self, parts: list[_LookedUp], lines: list["Future[EvaluatedPart]"], folder: Path
    ) -> Part:
        """Write the parts of a round as they come; the domains that have to be done again."""
        part_of = {future.key: one for one, future in zip(parts, lines, strict=True)}
        left: Part = []
        coming = as_completed(lines)
        # what has been written need not be kept by a worker
        lines.clear()
        async for future in coming:
            part_result = await future
            number, part, _ = part_of[future.key]
            done = sum(part_result.statuses.values())
            if done + len(part_result.left) != len(part):
                raise RuntimeError(f"of {len(part)} domains {done} came back")
            if done:
                await anyio.to_thread.run_sync(put_part, folder, number, part_result.lines)
            self.stats.done += done
            self.stats.statuses.update(part_result.statuses)
            again = set(part_result.left)
            left += [numbered for numbered in part if numbered[0] in again]
        return left


def _shuffled(pieces: Sequence["Future[list[tuple[int, _T]]] | Delayed"]) -> list[Delayed]:
    """Dask's shuffle of lists of (key, item): what has the key n is in the n-th of as many lists."""
    grouped = groupby_tasks(dask.bag.from_delayed(pieces), itemgetter(0), hash=int)
    lists: list[Delayed] = grouped.to_delayed()[: len(pieces)]
    return lists
