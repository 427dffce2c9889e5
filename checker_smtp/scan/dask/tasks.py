"""The tasks of a scan on a cluster; Dask calls each of them in a thread of some worker.

Each of the three stages of a scan is a task of its own. A part of the list is resolved, its domains are sent
to the partitions that their servers are in, each partition is probed once, and the results go back to the
part, whose domains are then evaluated. `count_servers` and `assign_partitions` lie between the first two:
servers can only be partitioned when the number of domains of each is known.

A task runs twice where the worker that holds its result is lost. The DNS may then answer otherwise than
before, so that a domain has a server that no partition probed: it is `unfinished`, and goes into another
batch. So does each domain that is left when a task holds as many results as it may: what others send must not
fill the memory of a worker. A task in progress has domains within the evidence of its worker, and packed
results of the others; a part that was evaluated is compressed lines.
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

from checker_smtp.lines import LineWriter
from checker_smtp.probes.addresses import network_of
from checker_smtp.probes.check import server_name
from checker_smtp.probes.dns import LookupCache, ResolverError, require_sound, resolve_reverse_dns
from checker_smtp.probes.observation import Endpoint, Mx
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.registered_domain import provider_of
from checker_smtp.scan.domain_scan import DomainScan
from checker_smtp.scan.politeness.limiter import PolitenessLimiter
from checker_smtp.scan.schedule import ServerScheduler
from checker_smtp.scan.stages import open_pipeline
from checker_smtp.scan.stats import ScanStats

from .messages import DnsFacts, DomainEndpoint, Packer, Part, ProbeResults, Unpacker
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

# Octets of packed facts or results that a task holds: those of 100,000 usual domains.
_MAX_PACKED = 32 * 1024 * 1024
# Parts whose results may be all that a task has; of more parts each has less, so that no part has too many.
_MAX_FULL_PARTS = 4
# Octets that an endpoint takes on its way to a partition, beside the names of its MX hosts.
_PER_ENDPOINT = 256

_Shuffled: TypeAlias = list[tuple[int, list[tuple[int, _T]]]]
"""The output of a shuffle: keys, each with its (key, item) pairs."""


class ResolvedPart(NamedTuple):
    """A resolved part: packed `DnsFacts`, the endpoints to probe, and the domains that were left out."""

    facts: bytes
    endpoints: list[DomainEndpoint]
    unresolved: list[int]


class EvaluatedPart(NamedTuple):
    """The lines of a part, compressed, and the numbers of the `unfinished` domains, which have none yet."""

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
    packer = Packer()
    endpoints: list[DomainEndpoint] = []
    octets = 0

    def listed() -> Iterator[DomainScan]:
        for domain in part:
            if packer.octets + octets < _MAX_PACKED:
                yield replace(domain)  # the part would keep all answers of the DNS until the task ends

    async def add_facts(domain: DomainScan) -> None:
        nonlocal octets
        await scan.domain_resolver.resolve(domain)
        packer.add(domain.number, DnsFacts.from_domain(domain))
        scan.evidence.close(domain)
        endpoints.extend(DomainEndpoint(index, domain.number, domain.name, e) for e in domain.endpoints)
        octets += sum(_PER_ENDPOINT + sum(map(len, e.targets)) for e in domain.endpoints)

    async with open_pipeline() as pipeline:
        workers = 2 * scan.settings.concurrency
        async for _ in pipeline.map(add_facts, pipeline.feed(listed()), workers):
            pass
    unresolved = [domain.number for domain in part if domain.number not in packer.numbers]
    return ResolvedPart(packer.pack(), endpoints, unresolved)


def count_servers(part: ResolvedPart) -> ServerLoad:
    """Return the number of the part's domains for each server."""
    endpoints = (item.endpoint for item in part.endpoints)
    return ServerLoad((endpoint.address, provider_of(server_name(endpoint))) for endpoint in endpoints)


def assign_partitions(part: ResolvedPart, partition_of: dict[str, int]) -> list[tuple[int, DomainEndpoint]]:
    """Return the part's endpoints, each with its partition; drop those in a network without one."""
    partitions = (partition_of.get(network_of(item.endpoint.address)) for item in part.endpoints)
    return [(p, item) for p, item in zip(partitions, part.endpoints, strict=True) if p is not None]


def probe_partition(
    name: str, shuffled: _Shuffled[DomainEndpoint], slots: int, lengths: dict[str, int], parts: int
) -> list[tuple[int, bytes]]:
    """Probe the servers of a partition, `slots` at once; return packed results with their part's index.

    `lengths` are the lengths of sessions learned in earlier batches, as the scheduler of servers has them;
    `parts` is the number of parts in the batch.
    """
    scan = worker_scan(name)
    endpoints = [item for _, pairs in shuffled for _, item in pairs]
    if not endpoints:
        return []
    return scan.run(_probe_partition, scan, endpoints, slots, dict(lengths), parts)


async def _probe_partition(
    scan: WorkerScan, endpoints: list[DomainEndpoint], slots: int, lengths: dict[str, int], parts: int
) -> list[tuple[int, bytes]]:
    part_of = {item.number: item.part for item in endpoints}
    # one batch, so that a server has all of its domains in its queue when its first session begins
    settings = replace(scan.settings, concurrency=slots, batch_size=len(part_of))
    lookups = LookupCache(scan.resolver, settings.server_cache_ttl if settings.reuse else 0, monotonic)
    stats = ScanStats()
    limiter = PolitenessLimiter(settings, stats)
    scheduler = ServerScheduler(
        settings=settings,
        runner=scan.runner,
        limiter=limiter,
        exclusions=scan.config.exclusions,
        seed=scan.seed,
        session_lengths=lengths,
        evidence=scan.evidence,
    )

    packers: dict[int, Packer] = defaultdict(Packer)
    domains = {domain.number: domain for domain in _domains_of(scan, endpoints)}
    of_each = min(_MAX_PACKED, max(_MAX_FULL_PARTS * _MAX_PACKED // parts, _MAX_PACKED // 32))

    async def add_results(domain: DomainScan) -> None:
        try:
            async with scan.evidence.reverse_lookups() as evidence:
                view = lookups.view(evidence)
                for endpoint in domain.endpoints:
                    await resolve_reverse_dns(view, endpoint.address, endpoint.targets)
                packer = packers[part_of[domain.number]]
                packer.add(domain.number, ProbeResults(domain.sessions, view.answers, domain.reason))
        finally:
            scan.evidence.close(domains.pop(domain.number))
        if packer.octets > of_each or sum(p.octets for p in packers.values()) > _MAX_PACKED:
            limiter.stopping.set()

    async with scan.reserve_files(slots), scan.report_sessions_of(stats, lengths):
        # a task that ran before, even if it failed, may have ended its last session this very moment
        await anyio.sleep(settings.delay)
        try:
            async with open_pipeline() as pipeline:
                probed = pipeline.add(
                    scheduler.run, pipeline.feed(domains[number] for number in list(domains))
                )
                async for _ in pipeline.map(add_results, probed, 2 * slots):
                    pass
        finally:
            for domain in domains.values():
                scan.evidence.close(domain)
    return [(part, packer.pack()) for part, packer in packers.items()]


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
    results = [Unpacker(packed) for _, pairs in shuffled for _, packed in pairs]
    return scan.run(_evaluate_part, scan, part, results, suffix)


async def _evaluate_part(
    scan: WorkerScan, part: ResolvedPart, results: list[Unpacker], suffix: str
) -> EvaluatedPart:
    facts = Unpacker(part.facts)
    statuses: Counter[str] = Counter()
    unfinished = list(part.unresolved)

    def probed() -> Iterator[DomainScan]:
        for number in sorted(facts.numbers):
            domain = facts.take(number, DnsFacts).to_domain(number, scan.settings.options, scan.resolver)
            for of_partition in results:
                if number in of_partition.numbers:
                    of_partition.take(number, ProbeResults).add_to(domain)
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
