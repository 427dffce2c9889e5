"""The DNS part: from a domain to its MX targets, their addresses, and the names of those addresses.

Each question is asked once a run, however many targets share it. What an answer's records say is read off
their presentation format here; whether that is good or bad is for the rules.

Special cases, all kept as facts: a null MX (`.`), the implicit MX (only where the answer to MX was NODATA),
targets that are IP literals in any spelling `inet_aton` knows, alias chains with their loops and dead ends.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

import anyio

from .addresses import Address, why_not_public
from .observation import Mx, MxTarget, ReverseDns
from .options import Options
from .ports import DnsAnswer, DnsStatus, Resolver

__all__ = [
    "Hosts",
    "Lookups",
    "ResolverError",
    "addresses_of",
    "literal_of",
    "look_up_mx",
    "look_up_reverse",
    "mx_rows",
]

_T = TypeVar("_T")
_Answers: TypeAlias = dict[tuple[str, str], DnsAnswer]

# Exim and Postfix follow chains far shorter; dnspython stops at 16 as well.
_MAX_ALIASES = 16
# More MX targets than any mail provider publishes; a hostile zone may have thousands.
_MAX_TARGETS = 50
# semantics of RFC 8601 §3 (iprev): a limit on names is allowed; ten is opendkim's and SPF's.
_MAX_PTR_NAMES = 10
_escape = re.compile(r"\\(?:([0-9]{3})|(.))", re.DOTALL)
_is_number = re.compile(r"[0-9]{1,10}").fullmatch


class ResolverError(Exception):
    """The resolver answers nothing at all, so nothing can be said of the domain.

    `detail` is the last thing it or the network said.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(f"the resolver does not answer: {detail}")
        self.detail = detail


class Hosts:
    """What was found out about hosts that many domains share; `holds` is for how many seconds.

    At most `most` are kept, and none of which a question stayed open.
    """

    def __init__(self, holds: float, clock: Callable[[], float], most: int = 5000) -> None:
        self._holds = holds
        self._clock = clock
        self._most = most
        self._kept: dict[str, tuple[float, object, _Answers]] = {}

    async def find(self, key: str, find: Callable[["Lookups"], Awaitable[_T]], lookups: "Lookups") -> _T:
        """What `find` gives, or gave for this `key` before; its answers become those of `lookups`."""
        until, found, answers = self._kept.get(key, (0.0, None, {}))
        now = self._clock()
        if until <= now:
            apart = lookups.apart()
            found = await find(apart)
            answers = apart.answered
            if all(answer.status.known for answer in answers.values()):
                self._keep(key, (now + self._holds, found, answers))
        lookups.answered.update(answers)
        return cast("_T", found)

    def _keep(self, key: str, what: tuple[float, object, _Answers]) -> None:
        self._kept.pop(key, None)
        self._kept[key] = what
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]


class Lookups:
    """A resolver that is asked each question once; `answers` tells all of them.

    `hosts` are shared with the lookups for other domains, where there are any.
    """

    def __init__(self, resolver: Resolver, hosts: Hosts | None = None) -> None:
        self._resolver = resolver
        self._hosts = hosts
        self._locks: dict[tuple[str, str], anyio.Lock] = {}
        self.answered: _Answers = {}

    async def ask(self, name: str, rdtype: str) -> DnsAnswer:
        key = (name.lower(), rdtype)
        if key not in self.answered:
            async with self._locks.setdefault(key, anyio.Lock()):
                self.answered[key] = self.answered.get(key) or await self._resolver.resolve(*key)
            self._locks.pop(key, None)
        return self.answered[key]

    async def once(self, key: str, find: Callable[["Lookups"], Awaitable[_T]]) -> _T:
        """What `find` gives; where hosts are shared, what it gave for `key` before."""
        return await (find(self) if self._hosts is None else self._hosts.find(key, find, self))

    def apart(self) -> "Lookups":
        """Lookups by the same resolver that have asked nothing yet."""
        return Lookups(self._resolver)

    @property
    def answers(self) -> tuple[DnsAnswer, ...]:
        """Every answer so far, sorted by name and type."""
        return tuple(self.answered[key] for key in sorted(self.answered))


def _data(answer: DnsAnswer, rdtype: str) -> tuple[tuple[str, int, str], ...]:
    """(owner, ttl, data) of the records with this type; what is no record is left out."""
    rows = (record.split(maxsplit=4) for record in answer.records)
    return tuple(
        (_bare(row[0]), int(row[1]), row[4])
        for row in rows
        if len(row) == 5 and _is_number(row[1]) and row[3].upper() == rdtype
    )


def _bare(name: str) -> str:
    """The name as it is written here: lower case, no final dot, the root as `.`."""
    name = name.lower()
    return name if name == "." else name.removesuffix(".")


def addresses_of(answer: DnsAnswer) -> tuple[str, ...]:
    """The addresses of an answer to A or AAAA, in numerical order."""
    read = (_address(answer.rdtype, data) for _, _, data in _data(answer, answer.rdtype))
    return tuple(str(ip) for ip in sorted({ip for ip in read if ip is not None}, key=int))


def _address(rdtype: str, data: str) -> Address | None:
    """The address that a record holds; None where that is none, or one of this machine's scopes."""
    try:
        ip = ipaddress.IPv4Address(data) if rdtype == "A" else ipaddress.IPv6Address(data)
    except ValueError:
        return None
    return None if "%" in data else ip


def mx_rows(answer: DnsAnswer) -> list[tuple[int, str, int]]:
    """(preference, target, ttl) of the MX records, the best first."""
    rows = ((data.split(), ttl) for _, ttl, data in _data(answer, "MX"))
    return sorted(
        (int(fields[0]), _bare(fields[1]), ttl)
        for fields, ttl in rows
        if len(fields) == 2 and _is_number(fields[0])
    )


def _aliases(answer: DnsAnswer) -> tuple[tuple[str, ...], bool]:
    """The chain of CNAMEs that leads away from the name asked for, and whether it is a loop."""
    step = {owner: _bare(data) for owner, _, data in _data(answer, "CNAME")}
    chain: list[str] = []
    name = answer.name
    while name in step and len(chain) < _MAX_ALIASES:
        name = step[name]
        if name == answer.name or name in chain:
            return (*chain, name), True
        chain.append(name)
    return tuple(chain), False


def literal_of(target: str) -> str:
    """The IP address that an MX target spells instead of a host name; empty where it is a name.

    Knows dotted, shortened, hexadecimal, octal and plain-number IPv4, IPv6, and both in brackets.
    """
    text = _escape.sub(lambda m: chr(int(m[1])) if m[1] else m[2], target).strip("[]")
    text = text.removeprefix("ipv6:")
    if ":" in text:
        try:
            return str(ipaddress.IPv6Address(text.partition("%")[0]))
        except ValueError:
            return ""
    parts = text.split(".")
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return ""
    if len(parts) > 4:
        return ""
    *head, last = numbers
    if any(n > 255 for n in head) or last >= 256 ** (5 - len(parts)):
        return ""
    high = sum(n << (24 - 8 * i) for i, n in enumerate(head))
    return str(ipaddress.IPv4Address(high + last))


def _number(part: str) -> int:
    if not re.fullmatch(r"[0-9]+|0x[0-9a-f]+", part) or len(part) > 12:
        raise ValueError(part)
    if part.startswith("0x"):
        return int(part, 16)
    return int(part, 8 if part.startswith("0") and part != "0" and not re.search("[89]", part) else 10)


async def look_up_mx(lookups: Lookups, options: Options) -> Mx:
    """The domain's MX set with everything its targets lead to.

    Raises `ResolverError` where the MX question failed and the resolver does not answer for the root
    either: then the fault is on this side.
    """
    answer = await lookups.ask(options.domain, "MX")
    if not answer.status.known:
        control = await lookups.ask(".", "NS")
        if not control.status.known:
            raise ResolverError(control.detail or str(control.status))
        return Mx(status=answer.status, error=answer.detail or str(answer.status))
    rows = mx_rows(answer)[:_MAX_TARGETS]
    if not rows and answer.status is DnsStatus.ANSWER:
        return Mx(status=DnsStatus.ERROR, error="an answer that holds no MX record")
    if not rows:
        return await _look_up_implicit(lookups, options, answer)
    null = tuple(preference for preference, target, _ in rows if target == ".")
    named = [row for row in rows if row[1] != "."]
    return Mx(
        status=answer.status,
        records=await _look_up_targets(lookups, options, named),
        null_mx=not named,
        null_preferences=null,
    )


async def _look_up_implicit(lookups: Lookups, options: Options, answer: DnsAnswer) -> Mx:
    if answer.status is DnsStatus.NXDOMAIN:
        return Mx(status=answer.status)
    (target,) = await _look_up_targets(lookups, options, [(0, options.domain, 0)])
    statuses = tuple(s for s in (target.ipv4_status, target.ipv6_status) if s is not None)
    found = bool(target.ipv4 or target.ipv6)
    return Mx(
        status=DnsStatus.NODATA,
        records=(target,) if found else (),
        implicit_mx=found,
        address_status=statuses,
    )


async def _look_up_targets(
    lookups: Lookups, options: Options, rows: Iterable[tuple[int, str, int]]
) -> tuple[MxTarget, ...]:
    found: dict[int, MxTarget] = {}

    async def one(index: int, preference: int, target: str, ttl: int) -> None:
        host = await lookups.once(f"MX target {target}", partial(_look_up_target, options, target))
        found[index] = replace(host, preference=preference, ttl=ttl)

    await _side_by_side([partial(one, index, *row) for index, row in enumerate(rows)])
    return tuple(found[index] for index in sorted(found))


async def _look_up_target(options: Options, target: str, lookups: Lookups) -> MxTarget:
    """What there is to know of a target; its place in the MX set is left open."""
    if literal := literal_of(target):
        return MxTarget(preference=0, target=target, literal=literal)
    answers: dict[str, DnsAnswer] = {}

    async def ask(rdtype: str) -> None:
        answers[rdtype] = await lookups.ask(target, rdtype)

    await _side_by_side([partial(ask, "A"), partial(ask, "AAAA")])
    a, aaaa = answers["A"], answers["AAAA"]
    ipv4, ipv6 = addresses_of(a), addresses_of(aaaa)
    aliases, loop = max(_aliases(a), _aliases(aaaa), key=lambda chain: len(chain[0]))
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


async def look_up_reverse(lookups: Lookups, address: str) -> ReverseDns:
    """The address's PTR names, at most ten, and which of them resolve back to it (RFC 8601 §3)."""
    return await lookups.once(f"PTR of {address}", partial(_look_up_reverse, address))


async def _look_up_reverse(address: str, lookups: Lookups) -> ReverseDns:
    ip = ipaddress.ip_address(address)
    rdtype = "A" if ip.version == 4 else "AAAA"
    answer = await lookups.ask(ip.reverse_pointer, "PTR")
    names = sorted({_bare(data) for _, _, data in _data(answer, "PTR")})
    forward: dict[str, DnsAnswer] = {}

    async def ask(name: str) -> None:
        forward[name] = await lookups.ask(name, rdtype)

    asked = names[:_MAX_PTR_NAMES]
    await _side_by_side([partial(ask, name) for name in asked])
    return ReverseDns(
        status=answer.status,
        names=tuple(asked),
        total=len(names),
        confirmed_by=tuple(name for name in asked if str(ip) in addresses_of(forward[name])),
        unsettled=tuple(name for name in asked if not forward[name].status.known),
    )


async def _side_by_side(jobs: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Do all of these at the same time."""
    if len(jobs) == 1:
        await jobs[0]()  # what a task costs is felt over a million domains
        return
    async with anyio.create_task_group() as group:
        for job in jobs:
            group.start_soon(job)
