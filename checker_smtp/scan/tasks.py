"""The tasks of a scan on a cluster; Dask calls each of them in a thread of some worker.

A part of the list is resolved, its domains are sent to the partitions that their servers are in, each
partition is probed once, and the results go back to the part, whose lines are then rendered. `count_servers`
and `assign_partitions` lie between the first two: servers can only be partitioned when the number of domains
of each is known.

A task runs twice where the worker that holds its result is lost. The DNS may then answer otherwise than
before, so that a domain has a server that no partition probed: it is `unfinished`, and goes into another
batch.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeAlias, TypeVar

import anyio
import anyio.lowlevel
import msgspec

from checker_smtp.lines import LineWriter
from checker_smtp.probes.check import ResolvedDomain, server_name
from checker_smtp.probes.dns import LookupCache, ResolverError, require_sound, resolve_reverse_dns
from checker_smtp.probes.observation import Endpoint, Mx
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus, Resolver
from checker_smtp.probes.requirements import Requirements
from checker_smtp.report.document import NOT_CHECKED
from checker_smtp.report.summary.providers import provider_of

from .domain_scan import DomainScan
from .job import SharedNetwork
from .messages import DnsFacts, DomainEndpoint, Part, ProbeResults, pack, unpack
from .partition import ServerLoad
from .politeness import network_of
from .scan import Scan
from .worker_plugin import ScanWorkerPlugin, plugin_of

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
    """A resolved part: packed `DnsFacts`, the endpoints to probe, and the lines of skipped entries."""

    facts: bytes
    endpoints: list[DomainEndpoint]
    lines: dict[int, bytes]


class EvaluatedPart(NamedTuple):
    """The content of a part's file, and the numbers of the `unfinished` domains, which have no line yet."""

    lines: bytes
    statuses: Counter[str]
    unfinished: list[int]


def resolver_failure(name: str) -> tuple[str, str] | None:
    """Return the arguments of the `ResolverError` if this worker cannot rely on its resolvers."""
    plugin = plugin_of(name)
    try:
        plugin.run(require_sound, [plugin.resolver])
    except ResolverError as error:
        return f"{error.detail} (reported by the worker {plugin.worker.address})", error.problem
    return None


def resolve_part(name: str, index: int, part: Part) -> ResolvedPart:
    """Resolve the domains of the part that has this index in its batch."""
    plugin = plugin_of(name)
    return plugin.run(_resolve_part, plugin, index, part)


async def _resolve_part(plugin: ScanWorkerPlugin, index: int, part: Part) -> ResolvedPart:
    domains = await plugin.scan.resolve_batch(part)
    endpoints = [
        DomainEndpoint(index, domain.number, domain.name, endpoint)
        for domain in domains
        for endpoint in domain.resolved.endpoints
    ]
    lines = {n: plugin.lines.pop(n) for n, _ in part if n in plugin.lines}
    facts = pack((domain.number, DnsFacts.from_domain(domain)) for domain in domains)
    return ResolvedPart(facts, endpoints, lines)


def count_servers(part: ResolvedPart) -> ServerLoad:
    """Return the number of the part's domains for each server."""
    endpoints = (item.endpoint for item in part.endpoints)
    return ServerLoad((endpoint.address, provider_of(server_name(endpoint))) for endpoint in endpoints)


def assign_partitions(part: ResolvedPart, partition_of: dict[str, int]) -> list[tuple[int, DomainEndpoint]]:
    """Return the part's endpoints, each with its partition; drop those in a network without one."""
    partitions = (partition_of.get(network_of(item.endpoint.address)) for item in part.endpoints)
    return [(p, item) for p, item in zip(partitions, part.endpoints, strict=True) if p is not None]


def probe_partition(name: str, shuffled: _Shuffled[DomainEndpoint], slots: int) -> list[tuple[int, bytes]]:
    """Probe the servers of a partition, `slots` at once; return packed results with their part's index."""
    plugin = plugin_of(name)
    endpoints = [item for _, pairs in shuffled for _, item in pairs]
    if not endpoints:
        return []
    return plugin.run(_probe_partition, plugin, endpoints, slots)


async def _probe_partition(
    plugin: ScanWorkerPlugin, endpoints: list[DomainEndpoint], slots: int
) -> list[tuple[int, bytes]]:
    network = SharedNetwork(plugin.resolver)
    settings = replace(plugin.settings, concurrency=slots)
    scan = Scan(settings, network, lambda *_: None, exclusions=plugin.config.exclusions)
    domains = _domains_of(endpoints, settings.options, network)
    answers: dict[str, tuple[DnsAnswer, ...]] = {}
    remaining = iter({item.endpoint.address: item.endpoint for item in endpoints}.values())

    async def resolve_ptr() -> None:
        for endpoint in remaining:
            lookups = LookupCache(network).view()
            await resolve_reverse_dns(lookups, endpoint.address, endpoint.targets)
            answers[endpoint.address] = lookups.answers

    async with plugin.reserve_files(slots), plugin.report_sessions_of(scan):
        # a task that ran before, even if it failed, may have ended its last session this very moment
        await anyio.sleep(settings.delay)
        async with anyio.create_task_group() as group:
            for _ in range(2 * slots):
                group.start_soon(resolve_ptr)
            group.start_soon(scan.probe, list(domains.values()))
    part_of = {item.number: item.part for item in endpoints}
    results: dict[int, list[tuple[int, ProbeResults]]] = defaultdict(list)
    for number, domain in domains.items():
        dns = tuple(answer for e in domain.resolved.endpoints for answer in answers[e.address])
        results[part_of[number]].append((number, ProbeResults(domain.sessions, dns, domain.failed)))
    return [(part, pack(of_part)) for part, of_part in results.items()]


def _domains_of(
    items: Iterable[DomainEndpoint], options: Options, resolver: Resolver
) -> dict[int, DomainScan]:
    """Return the domains by number, each with only those endpoints that are in this partition."""
    endpoints: dict[int, list[Endpoint]] = defaultdict(list)
    names = {}
    for item in items:
        endpoints[item.number].append(item.endpoint)
        names[item.number] = item.domain
    # in the order of the list, as one machine would probe them
    return {
        number: DomainScan(
            number,
            ResolvedDomain(
                options=options.about(names[number]),
                requirements=Requirements.of(None),
                lookups=LookupCache(resolver).view(),
                mx=Mx(status=DnsStatus.ANSWER),
                endpoints=tuple(endpoints[number]),
                skipped=(),
            ),
            run_at="",
            started_at=0.0,
        )
        for number in sorted(names)
    }


def evaluate_part(name: str, part: ResolvedPart, shuffled: _Shuffled[bytes], suffix: str) -> EvaluatedPart:
    """Evaluate the domains of a part; return their lines in list order, compressed for `suffix`."""
    plugin = plugin_of(name)
    results = [unpack(packed) for _, pairs in shuffled for _, packed in pairs]
    return plugin.run(_evaluate_part, plugin, part, results, suffix)


async def _evaluate_part(
    plugin: ScanWorkerPlugin, part: ResolvedPart, results: list[dict[int, msgspec.Raw]], suffix: str
) -> EvaluatedPart:
    facts = unpack(part.facts)
    statuses = Counter([NOT_CHECKED] * len(part.lines))
    unfinished: list[int] = []
    with TemporaryDirectory(prefix="checker-smtp-") as folder:
        path = Path(folder) / f"part{suffix}"
        with LineWriter(path) as writer:
            for number in sorted((*facts, *part.lines)):
                if number in part.lines:
                    writer.write(part.lines[number])
                    continue
                dns_facts = msgspec.msgpack.decode(facts.pop(number), type=DnsFacts)
                domain = dns_facts.to_domain(number, plugin.settings.options, plugin.resolver)
                for of_partition in results:
                    if number in of_partition:
                        msgspec.msgpack.decode(of_partition.pop(number), type=ProbeResults).add_to(domain)
                if not domain.failed and any(e.address not in domain.sessions for e in dns_facts.endpoints):
                    unfinished.append(number)
                    continue
                line, status = await plugin.scan.render_line(domain)
                writer.write(line)
                statuses[status] += 1
                # let other tasks of this worker run
                await anyio.lowlevel.checkpoint()
        return EvaluatedPart(path.read_bytes(), statuses, unfinished)
