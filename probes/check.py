"""One check of one domain: DNS first, then every address at the same time, then what was seen.

The rules are not here. `check` gives the observation; `probes.rules.judge` says what it means.
"""

import anyio

from .endpoint import probe_endpoint
from .limits import ConnectionLimits
from .lookups import (
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
from .vantage import AMBIGUOUS, visit_controls

__all__ = ["ResolverError", "check"]

# Endpoints visited for one domain. Large providers publish ten to twenty; a zone that lists hundreds would
# make this a tool for bothering strangers.
MAX_ENDPOINTS = 32

_UNTESTABLE = ("network-unreachable", "not-permitted")


async def check(
    options: Options,
    resolver: Resolver,
    runner: Runner,
    *,
    run_at: str,
    seed: int,
    resolver_name: str = "",
    limits: ConnectionLimits | None = None,
) -> Observation:
    """Look up and visit everything that receives the domain's mail.

    `run_at` (RFC 3339) is kept as it is; `seed` decides what is random. Raises `ResolverError` where the
    resolver answers nothing at all.
    """
    limits = limits or ConnectionLimits()
    lookups = Lookups(resolver)
    mx = await look_up_mx(lookups, options)
    wanted = _endpoints(mx, options)
    visited: dict[str, tuple[Session, ...]] = {}
    reversed_: dict[str, ReverseDns] = {}

    async def visit(endpoint: Endpoint) -> None:
        async with limits.connection(endpoint.address):
            visited[endpoint.address] = await probe_endpoint(
                options, runner, endpoint.address, _server_name(endpoint), seed
            )

    async def look_back(address: str) -> None:
        reversed_[address] = await look_up_reverse(lookups, address)

    async with anyio.create_task_group() as group:
        for endpoint in wanted[:MAX_ENDPOINTS]:
            group.start_soon(visit, endpoint)
            group.start_soon(look_back, endpoint.address)
    endpoints = tuple(
        Endpoint(
            address=e.address,
            port=e.port,
            targets=e.targets,
            reverse=reversed_[e.address],
            sessions=visited[e.address],
        )
        for e in wanted[:MAX_ENDPOINTS]
    )
    return Observation(
        domain=options.domain,
        run_at=run_at,
        settings=_settings(options),
        mx=mx,
        endpoints=endpoints,
        coverage=Coverage(ipv4=_coverage(endpoints, 4), ipv6=_coverage(endpoints, 6)),
        probe_hosts=await _probe_hosts(lookups, options, endpoints),
        controls=await visit_controls(options, lookups, runner, limits, _silent(endpoints)),
        dns=lookups.answers,
        resolver=resolver_name,
        skipped=tuple(e.subject for e in wanted[MAX_ENDPOINTS:]),
    )


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


def _server_name(endpoint: Endpoint) -> str:
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
