"""One check of one domain: DNS first, then every address at the same time, then what was seen.

`resolve_domain` and `observe` are its two ends, for whoever visits the addresses of many domains in between.
The rules are not here. `check` gives the observation; `probes.rules.judge` says what it means.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import anyio

from .endpoint import EndpointProbe
from .limits import ConnectionLimits
from .lookups import (
    Hosts,
    Lookups,
    ResolverError,
    addresses_of,
    literal_of,
    look_up_mx,
    look_up_reverse,
    mx_rows,
)
from .observation import (
    Coverage,
    Endpoint,
    FamilyCoverage,
    Mx,
    MxTarget,
    Observation,
    ReverseDns,
    Session,
    Settings,
)
from .options import OptionError, Options, host_name
from .ports import Resolver, Runner
from .requirements import NOT_HELD, Scope
from .retry import is_deferred, merge_retry
from .selftest import AMBIGUOUS, ControlProbe, probe_control, visit_controls

__all__ = ["ResolvedDomain", "ResolverError", "check", "observe", "resolve_domain", "server_name"]

# Endpoints visited for one domain. Large providers publish ten to twenty; a zone that lists hundreds would
# make this a tool for bothering strangers.
MAX_ENDPOINTS = 32

_UNTESTABLE = ("network-unreachable", "not-permitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedDomain:
    """A domain before anybody was visited: where its mail goes, and whom there is to ask.

    The endpoints have no sessions and no names yet; `skipped` are those left alone because there are too
    many.
    """

    options: Options
    scope: Scope
    lookups: Lookups
    mx: Mx
    endpoints: tuple[Endpoint, ...]
    skipped: tuple[str, ...]


async def resolve_domain(
    options: Options,
    resolver: Resolver,
    rules: frozenset[str] | None = None,
    hosts: Hosts | None = None,
) -> ResolvedDomain:
    """Ask the DNS where the domain's mail goes. Raises `ResolverError`.

    `hosts` are those that other domains have asked for as well.
    """
    scope = Scope.of(rules)
    options = scope.narrowed(options)
    lookups = Lookups(resolver, hosts)
    mx = await look_up_mx(lookups, options)
    wanted = _endpoints(mx, options)
    return ResolvedDomain(
        options=options,
        scope=scope,
        lookups=lookups,
        mx=mx,
        endpoints=tuple(wanted[:MAX_ENDPOINTS]),
        skipped=tuple(e.subject for e in wanted[MAX_ENDPOINTS:]),
    )


async def observe(
    prospect: ResolvedDomain,
    sessions: Mapping[str, tuple[Session, ...]],
    names: Mapping[str, ReverseDns],
    knock: ControlProbe,
    *,
    run_at: str,
    resolver_name: str = "",
) -> Observation:
    """What was seen of a domain whose endpoints were visited (`sessions`) and looked up (`names`).

    Both go by address; whoever is not in `sessions` was not to be visited. `knock` visits a control.
    """
    options, lookups = prospect.options, prospect.lookups
    endpoints = tuple(
        replace(e, reverse=names.get(e.address), sessions=sessions.get(e.address, (NOT_HELD,)))
        for e in prospect.endpoints
    )
    return Observation(
        domain=options.domain,
        run_at=run_at,
        settings=_settings(options),
        mx=prospect.mx,
        endpoints=endpoints,
        coverage=Coverage(ipv4=_coverage(endpoints, 4), ipv6=_coverage(endpoints, 6)),
        probe_hosts=await _probe_hosts(lookups, options, endpoints),
        controls=await visit_controls(options, lookups, knock, _silent(endpoints)),
        dns=lookups.answers,
        resolver=resolver_name,
        skipped=prospect.skipped,
        rules=prospect.scope.rules,
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
) -> Observation:
    """Look up and visit everything that receives the domain's mail.

    `run_at` (RFC 3339) is kept as it is; `seed` decides what is random. Where `rules` names those that will
    judge, the work that only others need is left out. `pause` is how to wait for a second visit, in seconds.
    Raises `ResolverError` where the resolver answers nothing at all.
    """
    limits = limits or ConnectionLimits()
    prospect = await resolve_domain(options, resolver, rules)
    sessions: dict[str, tuple[Session, ...]] = {}
    names: dict[str, ReverseDns] = {}

    async def visit(endpoint: Endpoint) -> None:
        held = await hold(endpoint, "main")
        if options.retry_deferred and is_deferred(held):
            await pause(60 * options.retry_deferred)
            held = merge_retry(held, await hold(endpoint, "revisit"))
        sessions[endpoint.address] = held

    async def hold(endpoint: Endpoint, purpose: str) -> tuple[Session, ...]:
        asker = EndpointProbe(
            runner,
            prospect.options,
            endpoint.address,
            server_name(endpoint),
            seed,
            purpose=purpose,
            starttls=prospect.scope.starttls,
        )
        async with limits.connection(endpoint.address):
            return (await asker.ask([prospect.options]))[options.domain]

    async def resolve_ptr(address: str) -> None:
        names[address] = await look_up_reverse(prospect.lookups, address)

    async def knock(address: str) -> str:
        async with limits.connection(address):
            return await runner.run(probe_control(address, options))

    async with anyio.create_task_group() as group:
        for endpoint in prospect.endpoints:
            if prospect.scope.visit:
                group.start_soon(visit, endpoint)
            if prospect.scope.reverse:
                group.start_soon(resolve_ptr, endpoint.address)
    return await observe(prospect, sessions, names, knock, run_at=run_at, resolver_name=resolver_name)


def _silent(endpoints: tuple[Endpoint, ...]) -> tuple[int, ...]:
    """The address families in which an endpoint did not answer, which may be either side's fault."""
    unreached = [(e.family, e.main.end) for e in endpoints if not e.connected]
    return tuple(sorted({family for family, end in unreached if end is not None and end.kind in AMBIGUOUS}))


def _endpoints(mx: Mx, options: Options) -> list[Endpoint]:
    """The addresses to visit, each once, in the order in which a sender would try them."""
    targets: dict[str, list[str]] = {}
    for record in mx.records:
        private = [address for address, _ in record.not_public]
        public = (address for address in _families(record, options) if address not in private)
        for address in public:
            names = targets.setdefault(address, [])
            if record.target not in names:
                names.append(record.target)
    return [
        Endpoint(address=address, port=options.port, targets=tuple(names), reverse=None)
        for address, names in targets.items()
    ]


def _families(record: MxTarget, options: Options) -> tuple[str, ...]:
    return (record.ipv4 if options.ipv4 else ()) + (record.ipv6 if options.ipv6 else ())


def server_name(endpoint: Endpoint) -> str:
    """The SNI: the MX target, or none where it is no host name."""
    try:
        return host_name("target", endpoint.targets[0])
    except OptionError:
        return ""


def _coverage(endpoints: tuple[Endpoint, ...], family: int) -> FamilyCoverage:
    ours = [e for e in endpoints if e.family == family]
    ends = [e.main.end.kind for e in ours if e.main.end is not None and not e.connected]
    return FamilyCoverage(
        published=len(ours),
        connected=sum(e.connected for e in ours),
        untestable=sum(kind in _UNTESTABLE for kind in ends),
    )


async def _probe_hosts(
    lookups: Lookups, options: Options, endpoints: tuple[Endpoint, ...]
) -> tuple[str, ...]:
    """Names and addresses that serve the relay probe's domain, where any endpoint took the probe."""
    relay = [e.asked("relay") for e in endpoints]
    if not any(t is not None and t.verdict is not None and t.verdict.positive for t in relay):
        return ()
    domain = options.probe_address.rpartition("@")[2]
    targets = {target for _, target, _ in mx_rows(await lookups.ask(domain, "MX"))} - {"."}
    hosts = set(sorted(targets)[:10] or [domain])
    for name in sorted(hosts):
        if not literal_of(name):
            for rdtype in ("A", "AAAA"):
                hosts.update(addresses_of(await lookups.ask(name, rdtype)))
    return tuple(sorted(hosts))


def _settings(options: Options) -> Settings:
    return Settings(
        timeout=options.timeout,
        helo_name=options.helo_name,
        sender=options.sender,
        probe_address=options.probe_address,
        test_null_sender=options.test_null_sender,
        test_postmaster=options.test_postmaster,
        test_open_relay=options.test_open_relay,
        port=options.port,
        ipv4=options.ipv4,
        ipv6=options.ipv6,
        allow_targets=options.allow_targets,
    )
