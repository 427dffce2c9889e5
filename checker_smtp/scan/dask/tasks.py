"""The tasks of a scan on a cluster; Dask calls each of them in a thread of some worker.

Each of the three stages of a scan is a task of its own. A part of the list is resolved, its domains are sent
to the partitions that their servers are in, each partition is probed once, and the results go back to the
part, whose domains are then evaluated. `count_servers` and `assign_partitions` lie between the first two:
servers can only be partitioned when the number of domains of each is known.

A task runs twice where the worker that holds its result is lost. The DNS may then answer otherwise than
before, so that a domain has a server that no partition probed: it is `unfinished`, and goes into another
batch.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from secrets import randbits
from time import monotonic
from typing import NamedTuple, TypeAlias, TypeVar

import anyio
import msgspec

from checker_smtp.lines import LineWriter
from checker_smtp.probes.addresses import network_of
from checker_smtp.probes.check import server_name
from checker_smtp.probes.dns import LookupCache, ResolverError, require_sound, resolve_reverse_dns
from checker_smtp.probes.observation import Endpoint, Mx
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.registered_domain import provider_of
from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.job import TcpRunner
from checker_smtp.scan.politeness.limiter import PolitenessLimiter
from checker_smtp.scan.schedule import ServerScheduler
from checker_smtp.scan.stages import open_pipeline
from checker_smtp.scan.stats import ScanStats

from .messages import DnsFacts, DomainEndpoint, Part, ProbeResults, pack, unpack
from .partition import ServerLoad
from .worker_plugin import WorkerScan, worker_scan

__all__ = [
    "EvaluatedPart",
    "ResolvedPart",
    "assign_partitions",
    "count_servers",
    "evaluate_part",
    "probe_partition",
    "resolve_part",
    "resolver_failure",
]

_T = TypeVar("_T")
_Shuffled: TypeAlias = list[tuple[int, list[tuple[int, _T]]]]
"""The output of a shuffle: keys, each with its (key, item) pairs."""


class ResolvedPart(NamedTuple):
    """A resolved part: packed `DnsFacts`, and the endpoints to probe."""

    facts: bytes
    endpoints: list[DomainEndpoint]


class EvaluatedPart(NamedTuple):
    """The content of a part's file, and the numbers of the `unfinished` domains, which have no line yet."""

    lines: bytes
    statuses: Counter[str]
    unfinished: list[int]


def resolver_failure(name: str) -> tuple[str, str] | None:
    """Return the arguments of the `ResolverError` if this worker cannot rely on its resolvers."""
    scan = worker_scan(name)
    try:
        scan.run(require_sound, [scan.resolver], randbits(63))
    except ResolverError as error:
        return f"{error.detail} (reported by the worker {scan.worker.address})", error.problem
    return None


def resolve_part(name: str, index: int, part: Part) -> ResolvedPart:
    """Resolve the domains of the part that has this index in its batch."""
    scan = worker_scan(name)
    return scan.run(_resolve_part, scan, index, part)


async def _resolve_part(scan: WorkerScan, index: int, part: Part) -> ResolvedPart:
    async with open_pipeline() as pipeline:
        listed = pipeline.feed(part)
        domains = pipeline.map(scan.domain_resolver.resolve, listed, 2 * scan.settings.concurrency)
        facts = [(domain.number, DnsFacts.from_domain(domain)) async for domain in domains]
    endpoints = [DomainEndpoint(index, number, f.name, e) for number, f in facts for e in f.endpoints]
    return ResolvedPart(pack(facts), endpoints)


def count_servers(part: ResolvedPart) -> ServerLoad:
    """Return the number of the part's domains for each server."""
    endpoints = (item.endpoint for item in part.endpoints)
    return ServerLoad((endpoint.address, provider_of(server_name(endpoint))) for endpoint in endpoints)


def assign_partitions(part: ResolvedPart, partition_of: dict[str, int]) -> list[tuple[int, DomainEndpoint]]:
    """Return the part's endpoints, each with its partition; drop those in a network without one."""
    partitions = (partition_of.get(network_of(item.endpoint.address)) for item in part.endpoints)
    return [(p, item) for p, item in zip(partitions, part.endpoints, strict=True) if p is not None]


def probe_partition(
    name: str, shuffled: _Shuffled[DomainEndpoint], slots: int, lengths: dict[str, int]
) -> list[tuple[int, bytes]]:
    """Probe the servers of a partition, `slots` at once; return packed results with their part's index.

    `lengths` are the lengths of sessions learned in earlier batches, as the scheduler of servers has them.
    """
    scan = worker_scan(name)
    endpoints = [item for _, pairs in shuffled for _, item in pairs]
    if not endpoints:
        return []
    return scan.run(_probe_partition, scan, endpoints, slots, dict(lengths))


async def _probe_partition(
    scan: WorkerScan, endpoints: list[DomainEndpoint], slots: int, lengths: dict[str, int]
) -> list[tuple[int, bytes]]:
    part_of = {item.number: item.part for item in endpoints}
    # one batch, so that a server has all of its domains in its queue when its first session begins
    settings = replace(scan.settings, concurrency=slots, batch_size=len(part_of))
    lookups = LookupCache(scan.resolver, settings.server_cache_ttl if settings.reuse else 0, monotonic)
    stats = ScanStats()
    scheduler = ServerScheduler(
        settings=settings,
        runner=TcpRunner(),
        limiter=PolitenessLimiter(settings, stats),
        exclusions=scan.config.exclusions,
        seed=scan.seed,
        session_lengths=lengths,
    )

    async def results_of(domain: DomainScan) -> tuple[int, ProbeResults]:
        view = lookups.view()
        for endpoint in domain.endpoints:
            await resolve_reverse_dns(view, endpoint.address, endpoint.targets)
        scheduler.evidence.close(domain)
        return domain.number, ProbeResults(domain.sessions, view.answers, domain.reason)

    results: dict[int, list[tuple[int, ProbeResults]]] = defaultdict(list)
    async with scan.reserve_files(slots), scan.report_sessions_of(stats, lengths):
        # a task that ran before, even if it failed, may have ended its last session this very moment
        await anyio.sleep(settings.delay)
        async with open_pipeline() as pipeline:
            probed = pipeline.add(scheduler.run, pipeline.feed(_domains_of(scan, endpoints)))
            async for number, found in pipeline.map(results_of, probed, 2 * slots):
                results[part_of[number]].append((number, found))
    return [(part, pack(of_part)) for part, of_part in results.items()]


def _domains_of(scan: WorkerScan, items: Iterable[DomainEndpoint]) -> Iterator[DomainScan]:
    """Yield the domains in list order, each with only those endpoints that are in this partition."""
    endpoints: dict[int, list[Endpoint]] = defaultdict(list)
    names = {}
    for item in items:
        endpoints[item.number].append(item.endpoint)
        names[item.number] = item.domain
    mx = Mx(status=DnsStatus.ANSWER)
    for number in sorted(names):
        facts = DnsFacts(name=names[number], mx=mx, endpoints=tuple(endpoints[number]))
        yield facts.to_domain(number, scan.settings.options, scan.resolver)


def evaluate_part(name: str, part: ResolvedPart, shuffled: _Shuffled[bytes], suffix: str) -> EvaluatedPart:
    """Evaluate the domains of a part; return their lines in list order, compressed for `suffix`."""
    scan = worker_scan(name)
    results = [unpack(packed) for _, pairs in shuffled for _, packed in pairs]
    return scan.run(_evaluate_part, scan, part, results, suffix)


async def _evaluate_part(
    scan: WorkerScan, part: ResolvedPart, results: list[dict[int, msgspec.Raw]], suffix: str
) -> EvaluatedPart:
    facts = unpack(part.facts)
    statuses: Counter[str] = Counter()
    unfinished: list[int] = []

    def probed() -> Iterator[DomainScan]:
        for number in sorted(facts):
            dns_facts = msgspec.msgpack.decode(facts.pop(number), type=DnsFacts)
            domain = dns_facts.to_domain(number, scan.settings.options, scan.resolver)
            for of_partition in results:
                if number in of_partition:
                    msgspec.msgpack.decode(of_partition.pop(number), type=ProbeResults).add_to(domain)
            if domain.not_checked or all(e.address in domain.sessions for e in domain.endpoints):
                yield domain
            else:
                unfinished.append(number)

    content = BytesIO()
    async with open_pipeline() as pipeline:
        with LineWriter(content, Path(f"part{suffix}")) as writer:
            # one worker keeps the order
            async for line in pipeline.map(scan.evaluator.evaluate, pipeline.feed(probed())):
                writer.write(line.octets)
                statuses[line.status] += 1
    return EvaluatedPart(content.getvalue(), statuses, unfinished)
