"""The check of one domain: DNS first, then all addresses concurrently, then the observation.

`resolve_domain` and `build_observation` are the first and the last stage on their own, for a scan that probes
the addresses of many domains in between. Rules are not evaluated here: `probes.rules` does that.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, replace
from math import inf
from typing import TypeAlias

import anyio

from .bounded import BoundedResolver, BoundedRunner, TimeBudget
from .dns import (
    LookupCache,
    Lookups,
    ResolverError,
    parse_addresses,
    parse_literal,
    parse_mx,
    resolve_mx,
    resolve_reverse_dns,
)
from .endpoint import EndpointProbe
from .evidence_budget import EvidenceBudget, dns_limit, endpoint_limit
from .limits import ConnectionLimits
from .observation import (
    Coverage,
    Endpoint,
    FamilyCoverage,
    Mx,
    Observation,
    ReverseDns,
    Session,
    Settings,
)
from .options import OptionError, Options, host_name
from .ports import Resolver, Runner
from .requirements import NOT_HELD, Requirements
from .retry import is_deferred, merge_retry, retry_options
from .selftest import AMBIGUOUS, ControlProbe, probe_control, probe_controls

__all__ = [
    "FindSources",
    "ResolvedDomain",
    "ResolverError",
    "build_observation",
    "check",
    "resolve_domain",
    "server_name",
]

# from endpoints that were probed to the public addresses of this machine that those connections began at
FindSources: TypeAlias = Callable[[tuple[Endpoint, ...]], tuple[str, ...]]

# Endpoints probed for one domain. Large providers publish ten to twenty; a hostile zone that lists hundreds
# would aim this program at servers that have nothing to do with it.
MAX_ENDPOINTS = 32

_UNLIMITED = 1 << 62

_UNTESTABLE = ("network-unreachable", "not-permitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedDomain:
    """A domain after the DNS stage: where its mail goes, and the endpoints to probe.

    The endpoints have no sessions and no reverse DNS yet; `skipped` are those beyond `MAX_ENDPOINTS`.
    """

    options: Options
    requirements: Requirements
    lookups: Lookups
    mx: Mx
    endpoints: tuple[Endpoint, ...]
    skipped: tuple[str, ...]


async def resolve_domain(
    options: Options, lookups: Lookups, rules: frozenset[str] | None = None
) -> ResolvedDomain:
    """Resolve where the domain's mail goes. Raises `ResolverError`.

    `lookups` is the domain's own view of the DNS, `rules` the names of those to be evaluated, None for all.
    """
    requirements = Requirements.of(rules)
    options = requirements.restrict(options)
    mx = await resolve_mx(lookups, options)
    wanted = _endpoints(mx, options)
    return ResolvedDomain(
        options=options,
        requirements=requirements,
        lookups=lookups,
        mx=mx,
        endpoints=tuple(wanted[:MAX_ENDPOINTS]),
        skipped=tuple(e.subject for e in wanted[MAX_ENDPOINTS:]),
    )


async def build_observation(
    resolved: ResolvedDomain,
    sessions: Mapping[str, tuple[Session, ...]],
    names: Mapping[str, ReverseDns],
    probe: ControlProbe,
    *,
    run_at: str,
    resolver_name: str = "",
    find_sources: FindSources | None = None,
) -> Observation:
    """Return the observation of a domain whose endpoints were probed (`sessions`) and resolved (`names`).

    Both are by address; an address without sessions was not to be probed. `probe` connects to a control host.
    Without `find_sources` the addresses of this machine are those of the options, as in a replay.
    """
    options, lookups = resolved.options, resolved.lookups
    endpoints = tuple(
        replace(e, reverse=names.get(e.address), sessions=sessions.get(e.address, (NOT_HELD,)))
        for e in resolved.endpoints
    )
    settings = Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)})
    if find_sources is not None:
        settings = replace(settings, source_addresses=find_sources(endpoints))
    return Observation(
        domain=options.domain,
        run_at=run_at,
        settings=settings,
        mx=resolved.mx,
        endpoints=endpoints,
        coverage=Coverage(ipv4=_coverage(endpoints, 4), ipv6=_coverage(endpoints, 6)),
        probe_hosts=await _probe_hosts(lookups, options, endpoints),
        controls=await probe_controls(options, lookups, probe, _silent(endpoints)),
        dns=lookups.answers,
        resolver=resolver_name,
        skipped=resolved.skipped,
        rules=resolved.requirements.rules,
    )


async def check(
    options: Options,
    resolver: Resolver,
    runner: Runner,
    *,
    run_at: str,
    seed: int,
    resolver_name: str = "",
    limits: ConnectionLimits | None = None,
    rules: frozenset[str] | None = None,
    pause: Callable[[float], Awaitable[None]] = anyio.sleep,
    admit: Callable[[tuple[Endpoint, ...]], Awaitable[None]] | None = None,
    evidence: EvidenceBudget | None = None,
    find_sources: FindSources | None = None,
    repeat_all: bool = False,
) -> Observation:
    """Resolve the domain and probe everything that receives its mail.

    `run_at` (RFC 3339) is kept as it is; `seed` decides what is random. `rules` names those to be evaluated,
    None for all: work that no rule needs is skipped. `pause` waits for a retry, in seconds, which do not
    count as time of the check. `admit` gets the endpoints before the first connection; an exception that it
    raises ends the check. `evidence` bounds what is kept; without it, as in a replay, neither that nor the
    time is bounded. `find_sources` is that of `build_observation`. With `repeat_all` a retry asks everything
    again. Raises `ResolverError` where the resolver answers nothing at all.
    """
    limits = limits or ConnectionLimits()
    time = TimeBudget(options.check_budget if evidence is not None else inf)
    evidence = evidence or EvidenceBudget(_UNLIMITED)
    dns_evidence = evidence.share(dns_limit(evidence.limit))
    lookups = LookupCache(BoundedResolver(resolver, dns_evidence, time), seed=seed).view()
    resolved = await resolve_domain(options, lookups, rules)
    if admit is not None:
        await admit(resolved.endpoints)
    most = endpoint_limit(len(resolved.endpoints), evidence.limit)
    sessions: dict[str, tuple[Session, ...]] = {}
    names: dict[str, ReverseDns] = {}

    async def probe_address(endpoint: Endpoint) -> None:
        bounded = BoundedRunner(runner, evidence.share(most), time)
        first = await run_sessions(endpoint, bounded, "main", resolved.options)
        if options.retry_deferred and is_deferred(first):
            left = time.left
            await pause(60 * options.retry_deferred)
            time.extend_to(left)
            again = resolved.options if repeat_all else retry_options(resolved.options, first)
            first = merge_retry(first, await run_sessions(endpoint, bounded, "revisit", again))
        sessions[endpoint.address] = first

    async def run_sessions(
        endpoint: Endpoint, runner: Runner, purpose: str, asked: Options
    ) -> tuple[Session, ...]:
        probe = EndpointProbe(
            runner,
            asked,
            endpoint.address,
            server_name(endpoint),
            seed,
            purpose=purpose,
            starttls=resolved.requirements.starttls,
            translated=endpoint.translated,
        )
        async with time.hold(limits.connection(endpoint.address)):
            return (await probe.run([asked]))[options.domain]

    async def resolve_ptr(endpoint: Endpoint) -> None:
        names[endpoint.address] = await resolve_reverse_dns(
            resolved.lookups, endpoint.address, endpoint.targets
        )

    async def probe_control_host(address: str) -> str:
        bounded = BoundedRunner(runner, evidence.share(evidence.limit), time)
        async with time.hold(limits.connection(address)):
            return await bounded.run(probe_control(address, options))

    async with anyio.create_task_group() as group:
        for endpoint in resolved.endpoints:
            if resolved.requirements.sessions:
                group.start_soon(probe_address, endpoint)
            if resolved.requirements.reverse:
                group.start_soon(resolve_ptr, endpoint)
    return await build_observation(
        resolved,
        sessions,
        names,
        probe_control_host,
        run_at=run_at,
        resolver_name=resolver_name,
        find_sources=find_sources,
    )


def _silent(endpoints: tuple[Endpoint, ...]) -> tuple[int, ...]:
    """Return the address families in which an endpoint did not answer, which may be either side's fault."""
    unreached = [(e.family, e.main.end) for e in endpoints if not e.connected]
    return tuple(sorted({family for family, end in unreached if end is not None and end.kind in AMBIGUOUS}))


def _endpoints(mx: Mx, options: Options) -> list[Endpoint]:
    """Return the endpoints to probe, each once, in the order in which a sender would try them."""
    targets: dict[str, list[str]] = {}
    translated = {ipv4: ipv6 for record in mx.records for ipv6, ipv4 in record.translated}
    for record in mx.records:
        private = [address for address, _ in record.not_public]
        published = (record.ipv4 if options.ipv4 else ()) + (record.ipv6 if options.ipv6 else ())
        for address in published:
            if address in private:
                continue
            names = targets.setdefault(address, [])
            if record.target not in names:
                names.append(record.target)
    return [
        Endpoint(
            address=address,
            port=options.port,
            targets=tuple(names),
            reverse=None,
            translated=translated.get(address, ""),
        )
        for address, names in targets.items()
    ]


def server_name(endpoint: Endpoint) -> str:
    """Return the SNI for an endpoint: the MX target, or empty where that is not a host name."""
    try:
        return host_name("target", endpoint.targets[0])
    except OptionError:
        return ""


def _coverage(endpoints: tuple[Endpoint, ...], family: int) -> FamilyCoverage:
    published = [e for e in endpoints if e.family == family]
    ends = [e.main.end.kind for e in published if e.main.end is not None and not e.connected]
    return FamilyCoverage(
        published=len(published),
        connected=sum(e.connected for e in published),
        untestable=sum(kind in _UNTESTABLE for kind in ends),
    )


async def _probe_hosts(
    lookups: Lookups, options: Options, endpoints: tuple[Endpoint, ...]
) -> tuple[str, ...]:
    """Return the hosts and addresses of the relay probe's domain, where an endpoint accepted the probe."""
    relay = [e.asked("relay") for e in endpoints]
    if not any(t is not None and t.verdict is not None and t.verdict.positive for t in relay):
        return ()
    domain = options.probe_address.rpartition("@")[2]
    targets = {target for _, target, _ in parse_mx(await lookups.ask(domain, "MX"))} - {"."}
    hosts = set(sorted(targets)[:10] or [domain])
    for name in sorted(hosts):
        if not parse_literal(name):
            for rdtype in ("A", "AAAA"):
                hosts.update(parse_addresses(await lookups.ask(name, rdtype)))
    return tuple(sorted(hosts))
