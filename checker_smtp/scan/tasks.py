"""What a cluster does for a scan, task by task; each is called by Dask, in a thread of some worker.

A part of the list is looked up, its domains are sent to the districts where their servers are, each district
is visited once, and what was said goes back to the part, whose lines are then made. `counted` and `addressed`
lie between the first two: only when it is known how many domains have which server can it be decided who
visits whom.

A task is done twice where the worker that has its result is lost. The DNS may then say something else than
before, so that a domain has a server that nobody asked: it is `left` for another round.
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
from checker_smtp.probes.dns import LookupCache, resolve_reverse_dns
from checker_smtp.probes.observation import Endpoint, Mx
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus, Resolver
from checker_smtp.probes.requirements import Requirements
from checker_smtp.report.document import NOT_CHECKED
from checker_smtp.report.summary.providers import provider_of

from .domain_scan import DomainScan
from .job import SharedNetwork
from .messages import DnsFacts, Guest, Part, ProbeResults, pack, unpack
from .partition import ServerLoad
from .politeness import network_of
from .scan import Scan
from .worker_plugin import ScanWorkerPlugin, plugin_of

__all__ = [
    "EvaluatedPart",
    "Found",
    "addressed",
    "counted",
    "evaluate_part",
    "resolve_domain",
    "visit",
    "why_no_answers",
]

_T = TypeVar("_T")
_Grouped: TypeAlias = list[tuple[int, list[tuple[int, _T]]]]
"""What a shuffle gives: keys, each with its items, which still have the key."""


class Found(NamedTuple):
    """A part that was looked up: its facts, packed; whom to ask; the lines that need nobody to be asked."""

    facts: bytes
    guests: list[Guest]
    lines: dict[int, bytes]


class EvaluatedPart(NamedTuple):
    """The lines of a part, as they are in their file, and the numbers of the domains that have none yet."""

    lines: bytes
    statuses: Counter[str]
    left: list[int]


def why_no_answers(name: str) -> str:
    """What happens where no resolver answers this worker anything; empty where one does."""
    plugin = plugin_of(name)
    answer = plugin.do(plugin.resolver.resolve, ".", "NS")
    said = "" if answer.status.known else answer.detail or str(answer.status)
    return said and f"{said} (so the worker {plugin.worker.address})"


def resolve_domain(name: str, number: int, part: Part) -> Found:
    """Look up the domains of a part, which has this number in its round."""
    plugin = plugin_of(name)
    return plugin.do(_look_up, plugin, number, part)


async def _look_up(plugin: ScanWorkerPlugin, number: int, part: Part) -> Found:
    domains = await plugin.scan.resolve_domain(part)
    guests = [
        Guest(number, domain.number, domain.name, endpoint)
        for domain in domains
        for endpoint in domain.prospect.endpoints
    ]
    lines = {n: plugin.lines.pop(n) for n, _ in part if n in plugin.lines}
    return Found(pack((domain.number, DnsFacts.of(domain)) for domain in domains), guests, lines)


def counted(found: Found) -> ServerLoad:
    """How many of the part's domains have which server."""
    return ServerLoad(
        (guest.endpoint.address, provider_of(server_name(guest.endpoint))) for guest in found.guests
    )


def addressed(found: Found, district_of: dict[str, int]) -> list[tuple[int, Guest]]:
    """The guests, each with its district; without those that have none."""
    partition = (district_of.get(network_of(guest.endpoint.address)) for guest in found.guests)
    return [(d, guest) for d, guest in zip(partition, found.guests, strict=True) if d is not None]


def visit(name: str, grouped: _Grouped[Guest], places: int) -> list[tuple[int, bytes]]:
    """Ask the servers of a district, `places` at once; what they said, packed, with the part it is for."""
    plugin = plugin_of(name)
    guests = [guest for _, items in grouped for _, guest in items]
    if not guests:
        return []
    return plugin.do(_visit, plugin, guests, places)


async def _visit(plugin: ScanWorkerPlugin, guests: list[Guest], places: int) -> list[tuple[int, bytes]]:
    world = SharedNetwork(plugin.resolver)
    settings = replace(plugin.settings, concurrency=places)
    scan = Scan(settings, world, lambda *_: None, exclusions=plugin.errand.exclusions)
    domains = _at_the_door(guests, settings.options, world)
    names: dict[str, tuple[DnsAnswer, ...]] = {}
    todo = iter({guest.endpoint.address for guest in guests})

    async def resolve_ptr() -> None:
        for address in todo:
            lookups = LookupCache(world).view()
            await resolve_reverse_dns(lookups, address)
            names[address] = lookups.answers

    async with plugin.places_for(places), plugin.telling(scan):
        # whoever was here before, if only in vain, may have left this very moment
        await anyio.sleep(settings.delay)
        async with anyio.create_task_group() as group:
            for _ in range(2 * places):
                group.start_soon(resolve_ptr)
            group.start_soon(scan.visit, list(domains.values()))
    parts = {guest.number: guest.part for guest in guests}
    said: dict[int, list[tuple[int, ProbeResults]]] = defaultdict(list)
    for number, domain in domains.items():
        dns = tuple(answer for e in domain.prospect.endpoints for answer in names[e.address])
        said[parts[number]].append((number, ProbeResults(domain.sessions, dns, domain.failed)))
    return [(part, pack(things)) for part, things in said.items()]


def _at_the_door(guests: Iterable[Guest], options: Options, resolver: Resolver) -> dict[int, DomainScan]:
    """The domains, as far as one can see them here: with those of their servers that are to be visited."""
    endpoints: dict[int, list[Endpoint]] = defaultdict(list)
    names = {}
    for guest in guests:
        endpoints[guest.number].append(guest.endpoint)
        names[guest.number] = guest.domain
    # in the order of the list, as they would be visited by one machine
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
            began=0.0,
        )
        for number in sorted(names)
    }


def evaluate_part(name: str, found: Found, grouped: _Grouped[bytes], suffix: str) -> EvaluatedPart:
    """Make the lines of a part, in the order of the list; `suffix` is that of their file."""
    plugin = plugin_of(name)
    pieces = [unpack(packed) for _, items in grouped for _, packed in items]
    return plugin.do(_evaluate_part, plugin, found, pieces, suffix)


async def _evaluate_part(
    plugin: ScanWorkerPlugin, found: Found, pieces: list[dict[int, msgspec.Raw]], suffix: str
) -> EvaluatedPart:
    facts = unpack(found.facts)
    statuses = Counter([NOT_CHECKED] * len(found.lines))
    left: list[int] = []
    with TemporaryDirectory(prefix="checker-smtp-") as folder:
        path = Path(folder) / f"part{suffix}"
        with LineWriter(path) as writer:
            for number in sorted((*facts, *found.lines)):
                if number in found.lines:
                    writer.write(found.lines[number])
                    continue
                known = msgspec.msgpack.decode(facts.pop(number), type=DnsFacts)
                domain = known.at(number, plugin.settings.options, plugin.resolver)
                for piece in pieces:
                    if number in piece:
                        msgspec.msgpack.decode(piece.pop(number), type=ProbeResults).add_to(domain)
                if not domain.failed and any(e.address not in domain.sessions for e in known.endpoints):
                    left.append(number)
                    continue
                line, status = await plugin.scan.line_of(domain)
                writer.write(line)
                statuses[status] += 1
                # other tasks have their turn as well
                await anyio.lowlevel.checkpoint()
        return EvaluatedPart(path.read_bytes(), statuses, left)
