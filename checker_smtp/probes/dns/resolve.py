"""The domain's mail hosts and their names, resolved.

Special cases are kept as facts: a null MX (`.`), the implicit MX (only where the answer to MX was NODATA),
targets that are IP literals in any spelling that `inet_aton` accepts, alias chains with loops and dead ends.
"""

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial

from checker_smtp.probes.addresses import why_not_public
from checker_smtp.probes.observation import Mx, MxTarget
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus

from .given import address_target, given_answer, require_addresses
from .lookups import Lookups
from .records import (
    count_omitted,
    has_alias_beside,
    parse_addresses,
    parse_aliases,
    parse_literal,
    parse_mx,
)
from .soundness import UNTRUE, ResolverError, Soundness, leaves_out_aaaa
from .together import run_together
from .translation import find_translated

__all__ = ["MAX_TARGETS", "resolve_mx"]

# More MX targets than any mail provider publishes; a hostile zone may have thousands.
MAX_TARGETS = 50


async def resolve_mx(lookups: Lookups, options: Options) -> Mx:
    """Return the domain's MX set with the addresses and aliases of its targets.

    Raises `ResolverError` where the MX question failed and the resolver answers no other either, and where
    the result rests on an untrue answer of the resolver: the fault is then on this side. Raises
    `OptionError` where a server of `options.mx` has no address.
    """
    if options.mx:
        return await _resolve_given(lookups, options)
    questions: tuple[Callable[[], Coroutine[object, object, object]], ...]
    questions = partial(lookups.ask, options.domain, "MX"), lookups.soundness
    await run_together(questions)
    answer, soundness = await lookups.ask(options.domain, "MX"), await lookups.soundness()
    if answer.status.is_limit:
        return await _failed(lookups, answer)
    if not answer.status.known:
        soundness = await lookups.soundness_now()
        soundness.require_life()
        lookups.add(soundness.answers)
        return await _failed(lookups, answer)
    mx = await _resolve_set(lookups, options, answer)
    await _require_truth(lookups, soundness, mx)
    return mx


async def _resolve_given(lookups: Lookups, options: Options) -> Mx:
    """Return the servers that the options name as an MX set; the MX records are not asked for."""
    lookups.add([given_answer(options)])
    soundness = await lookups.soundness()
    targets = [
        address_target(options, server) or await _resolve_host(lookups, options, server)
        for server in options.mx
    ]
    mx = Mx(status=DnsStatus.ANSWER, records=tuple(targets))
    if any(not (target.ipv4 or target.ipv6) for target in targets):
        soundness.require_life()
    await _require_truth(lookups, soundness, mx)
    for target in targets:
        require_addresses(target)
    return mx


async def _failed(lookups: Lookups, answer: DnsAnswer) -> Mx:
    return Mx(
        status=await _status(lookups, answer),
        error=answer.detail or str(answer.status),
        aliases=parse_aliases(answer).names,
        bogus=await _is_bogus(lookups, answer),
    )


async def _is_bogus(lookups: Lookups, *answers: DnsAnswer) -> bool:
    """Return whether a question that failed is answered where DNSSEC signatures are not checked."""
    for answer in answers:
        if answer.status is DnsStatus.SERVFAIL:
            unvalidated = await lookups.ask(answer.name, answer.rdtype, unvalidated=True)
            if unvalidated.status.known:
                return True
    return False


async def _resolve_set(lookups: Lookups, options: Options, answer: DnsAnswer) -> Mx:
    rows = parse_mx(answer)
    if not rows and answer.status is DnsStatus.ANSWER:
        return Mx(status=DnsStatus.UNUSABLE, error="an answer that holds no MX record")
    if not rows:
        return await _resolve_implicit(lookups, options, answer)
    null = tuple(preference for preference, target, _ in rows if target == ".")
    named = [row for row in rows if row[1] != "."]
    return Mx(
        status=answer.status,
        records=await _resolve_targets(lookups, options, named[:MAX_TARGETS]),
        null_mx=not named,
        null_preferences=null,
        aliases=parse_aliases(answer).names,
        has_alias_beside=has_alias_beside(answer),
        omitted=len(named[MAX_TARGETS:]) + count_omitted(answer),
    )


async def _resolve_implicit(lookups: Lookups, options: Options, answer: DnsAnswer) -> Mx:
    aliases = parse_aliases(answer).names
    if answer.status is DnsStatus.NXDOMAIN:
        # RFC 8020: a name that does not exist has no address either; name servers that deny the MX only are
        # the fault then
        address = await lookups.ask(options.domain, "A")
        return Mx(status=answer.status, aliases=aliases, address_status=(address.status,))
    (target,) = await _resolve_targets(lookups, options, [(0, options.domain, 0)])
    statuses = tuple(s for s in (target.ipv4_status, target.ipv6_status) if s is not None)
    found = bool(target.ipv4 or target.ipv6)
    return Mx(
        status=DnsStatus.NODATA,
        records=(target,) if found else (),
        implicit_mx=found,
        address_status=statuses,
        aliases=aliases or target.aliases,
        bogus=target.bogus,
    )


async def _require_truth(lookups: Lookups, soundness: Soundness, mx: Mx) -> None:
    """Raise `ResolverError` where the result rests on what the resolver denies or invents."""
    named = {target.target for target in mx.records} | {"." for _ in mx.null_preferences}
    addresses = {address for target in mx.records for address in (*target.ipv4, *target.ipv6)}
    is_missing = mx.status is not DnsStatus.ANSWER or any(
        not (target.literal or target.ipv4 or target.ipv6) for target in mx.records
    )
    rests_on_invention = (named | addresses) & soundness.invented
    if rests_on_invention or is_missing:
        soundness.require_truth()
    if mx.status is DnsStatus.NXDOMAIN and not set(mx.address_status).isdisjoint(
        (DnsStatus.ANSWER, DnsStatus.NODATA)
    ):
        # names that exist without an MX, on the Internet and in a network with a root of its own
        controls = [await lookups.ask(name, "MX") for name in (".", "com")]
        if all(control.status is DnsStatus.NXDOMAIN for control in controls):
            raise ResolverError("it says that a name that has no MX record does not exist", UNTRUE)


async def _resolve_targets(
    lookups: Lookups, options: Options, rows: Iterable[tuple[int, str, int]]
) -> tuple[MxTarget, ...]:
    async def one(preference: int, target: str, ttl: int) -> MxTarget:
        host = await _resolve_host(lookups, options, target)
        return replace(host, preference=preference, ttl=ttl)

    return tuple(await run_together([partial(one, *row) for row in rows]))


async def _resolve_host(lookups: Lookups, options: Options, target: str) -> MxTarget:
    return await lookups.resolve_host(f"MX target {target}", partial(_resolve_target, options, target))


async def _resolve_target(options: Options, target: str, lookups: Lookups) -> MxTarget:
    """Return the facts of a target, without the preference and TTL that differ by domain."""
    if literal := parse_literal(target):
        return MxTarget(preference=0, target=target, literal=literal)
    a, aaaa = await run_together([partial(lookups.ask, target, rdtype) for rdtype in ("A", "AAAA")])
    ipv4, ipv6 = parse_addresses(a), parse_addresses(aaaa)
    if a.status is aaaa.status is DnsStatus.NODATA and await leaves_out_aaaa(lookups.ask):
        aaaa = replace(aaaa, status=DnsStatus.UNUSABLE)
    chain = max(parse_aliases(a), parse_aliases(aaaa), key=lambda chain: len(chain.names))
    is_dangling = bool(chain.names) and not (ipv4 or ipv6) and a.status.known and aaaa.status.known
    translated = await find_translated(lookups, ipv4, ipv6)
    published = tuple(address for address in ipv6 if address not in dict(translated))
    return MxTarget(
        preference=0,
        target=target,
        ipv4=ipv4,
        ipv6=published,
        translated=translated,
        ipv4_status=await _status(lookups, a),
        ipv6_status=await _status(lookups, aaaa),
        aliases=chain.names,
        alias_problem=chain.problem or ("dangling" if is_dangling else ""),
        has_alias_beside=has_alias_beside(a) or has_alias_beside(aaaa),
        not_public=tuple(
            (ip, reason) for ip in ipv4 + published if (reason := why_not_public(ip, options.allow_targets))
        ),
        omitted=count_omitted(a) + count_omitted(aaaa),
        bogus=await _is_bogus(lookups, a, aaaa),
    )


async def _status(lookups: Lookups, answer: DnsAnswer) -> DnsStatus:
    """Return the status of an answer; where the resolver fails whatever the name, the failure is ours."""
    if answer.status.known or answer.status.is_limit:
        return answer.status
    soundness = await lookups.soundness_now()
    is_ours = soundness.explains(answer) or not soundness.is_alive
    return DnsStatus.UNUSABLE if is_ours else answer.status
