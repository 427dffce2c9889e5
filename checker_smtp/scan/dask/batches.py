"""The batches of a scan on a cluster: the order of their tasks, and the writing of their results.

A batch has as many parts as the cluster has threads. They are resolved; their servers are split into at most
as many partitions (see `partition`); Dask's shuffle sends every domain to the partitions that its servers
are in, one task probes each, and a second shuffle sends the results back to the parts, whose lines are sent
here and written. Meanwhile the next batch is resolved, but its servers are not probed before this one is
over: so no two tasks ever contact the same server at once.

When a worker is lost, Dask repeats elsewhere the work of this batch that it held. A part arrives here once
and complete, so nothing is lost or duplicated.

A task ends early where the servers sent more than a worker may hold. Domains that it left are `unfinished`:
they go into the next batch, and batches are no larger than what was finished of the one before, until one is
finished again. The evidence of one domain always fits, so the scan goes on.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice
from math import ceil
from operator import itemgetter
from typing import NamedTuple, TypeVar

import anyio.to_thread
import dask.bag
from dask.bag.core import groupby_tasks
from dask.delayed import Delayed, delayed
from distributed import Client, Future, as_completed

from checker_smtp.probes.addresses import network_of
from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.output.parts_folder import PartsFolder
from checker_smtp.scan.server_queue import MAX_LENGTHS
from checker_smtp.scan.settings import ScanSettings
from checker_smtp.scan.stats import ScanStats

from .messages import Part
from .partition import ServerLoad, partition_networks
from .tasks import (
    EvaluatedPart,
    ResolvedPart,
    assign_partitions,
    count_servers,
    evaluate_part,
    probe_partition,
    resolve_part,
)

__all__ = ["Batches"]

_T = TypeVar("_T")

# Below the other tasks: the next batch is resolved where nothing of the current one is left to start.
_PREFETCH_PRIORITY = -1


class _SubmittedPart(NamedTuple):
    """A part of the list, the number of its file, and its resolution in progress."""

    number: int
    part: Part
    resolved: "Future[ResolvedPart]"


class Batches:
    """The batches of the scan `name`, whose parts are put into `folder`; `stats` may be read at any time."""

    def __init__(
        self, client: Client, name: str, settings: ScanSettings, stats: ScanStats, folder: PartsFolder
    ) -> None:
        self.stats = stats
        self._client = client
        self._name = name
        self._settings = settings
        self._folder = folder
        self._numbers = count(folder.next_number)
        self._sessions: dict[str, int] = {}
        self._connections: dict[str, int] = {}
        self._lengths: dict[str, int] = {}
        self._again: deque[DomainScan] = deque()
        self._most = 0
        client.subscribe_topic(name, self._on_sessions_reported)

    def _on_sessions_reported(self, event: tuple[float, tuple[str, int, int, dict[str, int]]]) -> None:
        _, (source, connections, sessions, lengths) = event
        self._lengths.update(lengths)
        while len(self._lengths) > MAX_LENGTHS:
            del self._lengths[next(iter(self._lengths))]
        self._connections[source] = connections
        self._sessions[source] = sessions
        self.stats.connections = sum(self._connections.values())
        self.stats.open_sessions = sum(self._sessions.values())

    async def run(self, domains: Iterator[DomainScan], max_domains: int) -> None:
        """Scan `domains`, of which there are at most `max_domains`."""
        self._most = max_domains = max(max_domains, 1)
        following = await self._resolve(domains)
        while following:
            lines = self._probe(following, await self._count(following))
            # threads that have no partition left to probe resolve the next batch
            current, following = following, await self._resolve(domains)
            unfinished = await self._collect(current, lines)
            number = sum(len(submitted.part) for submitted in current)
            if len(unfinished) == number == 1:
                raise RuntimeError("a domain was resolved, and none of its servers was probed")
            self._again.extend(unfinished)
            self._most = max(number - len(unfinished), 1) if unfinished else min(2 * self._most, max_domains)
            following = following or await self._resolve(domains)

    async def _resolve(self, domains: Iterator[DomainScan]) -> list[_SubmittedPart]:
        """Start to resolve the parts of a batch: of the domains left from those before, and of `domains`."""
        threads = sum((await self._client.nthreads()).values()) or 1
        size = min(self._settings.batch_size, ceil(self._most / threads) or 1)
        waiting = chain(self._left(), domains)
        parts: list[_SubmittedPart] = []
        while len(parts) < min(threads, self._most) and (part := list(islice(waiting, size))):
            resolved = self._client.submit(
                resolve_part, self._name, len(parts), part, pure=False, priority=_PREFETCH_PRIORITY
            )
            parts.append(_SubmittedPart(next(self._numbers), part, resolved))
        return parts

    def _left(self) -> Iterator[DomainScan]:
        while self._again:
            yield self._again.popleft()

    async def _count(self, parts: list[_SubmittedPart]) -> list[ServerLoad]:
        """Return the number of domains for each server, part by part."""
        loads = [self._client.submit(count_servers, submitted.resolved, pure=False) for submitted in parts]
        return [await load for load in loads]

    def _probe(self, parts: list[_SubmittedPart], loads: list[ServerLoad]) -> list["Future[EvaluatedPart]"]:
        """Start to probe all servers of a batch; return the lines of its parts in progress."""
        total = ServerLoad()
        for load in loads:
            total.update(load)
        partitioning = partition_networks(total, self._settings, len(parts))
        assigned = []
        for submitted, load in zip(parts, loads, strict=True):
            networks = {network_of(address) for address, _ in load}
            own = {network: partitioning.partition_of[network] for network in networks}
            assigned.append(self._client.submit(assign_partitions, submitted.resolved, own, pure=False))
        # one entry for every part, because the output of a shuffle has as many lists as its input
        slots = partitioning.slots + (0,) * (len(parts) - len(partitioning.slots))
        lengths: list[dict[str, int]] = [{} for _ in slots]
        for address in {address for address, _ in total} & self._lengths.keys():
            lengths[partitioning.partition_of[network_of(address)]][address] = self._lengths[address]
        results = [
            delayed(probe_partition, pure=False)(self._name, *arguments, len(parts))
            for arguments in zip(_shuffle(assigned), slots, lengths, strict=True)
        ]
        lines = [
            delayed(evaluate_part, pure=False)(self._name, submitted.resolved, of_part, self._folder.packed)
            for submitted, of_part in zip(parts, _shuffle(results), strict=True)
        ]
        return list(self._client.compute(lines))

    async def _collect(self, parts: list[_SubmittedPart], lines: list["Future[EvaluatedPart]"]) -> Part:
        """Write the parts of a batch as they are completed; return the domains to scan again."""
        part_of = {future.key: submitted for future, submitted in zip(lines, parts, strict=True)}
        again: Part = []
        completed = as_completed(lines)
        # the workers may drop a part as soon as it is written
        lines.clear()
        async for future in completed:
            evaluated = await future
            number, part, _ = part_of[future.key]
            done = sum(evaluated.statuses.values())
            if done + len(evaluated.unfinished) != len(part):
                raise RuntimeError(f"of {len(part)} domains {done} came back")
            if done:
                await anyio.to_thread.run_sync(self._folder.put_part, number, evaluated.lines)
            self.stats.done += done
            self.stats.statuses.update(evaluated.statuses)
            unfinished = set(evaluated.unfinished)
            again += [domain for domain in part if domain.number in unfinished]
        return again


def _shuffle(pieces: Sequence["Future[list[tuple[int, _T]]] | Delayed"]) -> list[Delayed]:
    """Return Dask's shuffle of lists of (key, item): the items with the key n are in the n-th output list."""
    grouped = groupby_tasks(dask.bag.from_delayed(pieces), itemgetter(0), hash=int)
    lists: list[Delayed] = grouped.to_delayed()[: len(pieces)]
    return lists
