"""The domain's mail hosts and their names, resolved.

Special cases are kept as facts: a null MX (`.`), the implicit MX (only where the answer to MX was NODATA),
targets that are IP literals in any spelling that `inet_aton` accepts, alias chains with loops and dead ends.
"""

import ipaddress
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial

import anyio

from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.observation import Mx, MxTarget, ReverseDns
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus

from .lookups import Lookups, ResolverError
from .records import normalize_name, parse_addresses, parse_aliases, parse_literal, parse_mx, parse_records

__all__ = ["resolve_mx", "resolve_reverse_dns"]

# More MX targets than any mail provider publishes; a hostile zone may have thousands.
_MAX_TARGETS = 50
# RFC 8601 §3 (iprev) allows a limit on names; ten is that of opendkim and of SPF.
_MAX_PTR_NAMES = 10


async def resolve_mx(lookups: Lookups, options: Options) -> Mx:
    """Return the domain's MX set with the addresses and aliases of its targets.

    Raises `ResolverError` where the MX question failed and the resolver does not answer for the root
    either: the fault is then on this side.
    """
    answer = await lookups.ask(options.domain, "MX")
    if not answer.status.known:
        control = await lookups.ask(".", "NS")
        if not control.status.known:
            raise ResolverError(control.detail or str(control.status))
        return Mx(status=answer.status, error=answer.detail or str(answer.status))
    rows = parse_mx(answer)[:_MAX_TARGETS]
    if not rows and answer.status is DnsStatus.ANSWER:
        return Mx(status=DnsStatus.ERROR, error="an answer that holds no MX record")
    if not rows:
        return await _resolve_implicit(lookups, options, answer)
    null = tuple(preference for preference, target, _ in rows if target == ".")
    named = [row for row in rows if row[1] != "."]
    return Mx(
        status=answer.status,
        records=await _resolve_targets(lookups, options, named),
        null_mx=not named,
        null_preferences=null,
    )


async def _resolve_implicit(lookups: Lookups, options: Options, answer: DnsAnswer) -> Mx:
    if answer.status is DnsStatus.NXDOMAIN:
        return Mx(status=answer.status)
    (target,) = await _resolve_targets(lookups, options, [(0, options.domain, 0)])
    statuses = tuple(s for s in (target.ipv4_status, target.ipv6_status) if s is not None)
    found = bool(target.ipv4 or target.ipv6)
    return Mx(
        status=DnsStatus.NODATA,
        records=(target,) if found else (),
        implicit_mx=found,
        address_status=statuses,
    )


async def _resolve_targets(
    lookups: Lookups, options: Options, rows: Iterable[tuple[int, str, int]]
) -> tuple[MxTarget, ...]:
    found: dict[int, MxTarget] = {}

    async def one(index: int, preference: int, target: str, ttl: int) -> None:
        host = await lookups.resolve_host(f"MX target {target}", partial(_resolve_target, options, target))
        found[index] = replace(host, preference=preference, ttl=ttl)

    await _run_together([partial(one, index, *row) for index, row in enumerate(rows)])
    return tuple(found[index] for index in sorted(found))


async def _resolve_target(options: Options, target: str, lookups: Lookups) -> MxTarget:
    """Return the facts of a target, without the preference and TTL that differ by domain."""
    if literal := parse_literal(target):
        return MxTarget(preference=0, target=target, literal=literal)
    answers: dict[str, DnsAnswer] = {}

    async def ask(rdtype: str) -> None:
        answers[rdtype] = await lookups.ask(target, rdtype)

    await _run_together([partial(ask, "A"), partial(ask, "AAAA")])
    a, aaaa = answers["A"], answers["AAAA"]
    ipv4, ipv6 = parse_addresses(a), parse_addresses(aaaa)
    aliases, loop = max(parse_aliases(a), parse_aliases(aaaa), key=lambda chain: len(chain[0]))
    dangling = bool(aliases) and not (ipv4 or ipv6) and a.status.known and aaaa.status.known
    return MxTarget(
        preference=0,
        target=target,
        ipv4=ipv4,
        ipv6=ipv6,
        ipv4_status=a.status,
        ipv6_status=aaaa.status,
        aliases=aliases,
        alias_problem="loop" if loop else "dangling" if dangling else "",
        not_public=tuple(
            (ip, reason) for ip in ipv4 + ipv6 if (reason := why_not_public(ip, options.allow_targets))
        ),
    )


async def resolve_reverse_dns(lookups: Lookups, address: str) -> ReverseDns:
    """Return the address's PTR names, at most ten, and those that resolve back to it (RFC 8601 §3)."""
    return await lookups.resolve_host(f"PTR of {address}", partial(_resolve_reverse_dns, address))


async def _resolve_reverse_dns(address: str, lookups: Lookups) -> ReverseDns:
    ip = ipaddress.ip_address(address)
    rdtype = "A" if ip.version == 4 else "AAAA"
    answer = await lookups.ask(ip.reverse_pointer, "PTR")
    names = sorted({normalize_name(data) for _, _, data in parse_records(answer, "PTR")})
    forward: dict[str, DnsAnswer] = {}

    async def ask(name: str) -> None:
        forward[name] = await lookups.ask(name, rdtype)

    asked = names[:_MAX_PTR_NAMES]
    await _run_together([partial(ask, name) for name in asked])
    return ReverseDns(
        status=answer.status,
        names=tuple(asked),
        total=len(names),
        confirmed_by=tuple(name for name in asked if str(ip) in parse_addresses(forward[name])),
        unsettled=tuple(name for name in asked if not forward[name].status.known),
    )


async def _run_together(jobs: Sequence[Callable[[], Coroutine[object, object, None]]]) -> None:
    """Run all of these concurrently."""
    if len(jobs) == 1:
        await jobs[0]()  # spares the task, which shows over a million domains
        return
    async with anyio.create_task_group() as group:
        for job in jobs:
            group.start_soon(job)
