"""What can be seen from here, asked before anybody is blamed.

A checker that cannot get out on port 25 finds every server dead; one without a name finds every server
rude. So: is there a route for each address family, does port 25 leave (only towards the control hosts that
the caller names, nobody is dialled unasked), has this machine's address a name that leads back to it, and
does the name said in EHLO lead to that address.

A control counts as reached once TCP connects: that shows that the port leaves. It is greeted and left with
QUIT, as any server is.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import anyio

from smtp_sansio import Dialogue, Failed, Script, SessionAborted

from .addresses import why_not_public
from .limits import ConnectionLimits
from .lookups import Lookups, addresses_of, look_up_reverse
from .observation import Control, ReverseDns
from .options import Options
from .ports import DnsStatus, Runner

__all__ = [
    "AMBIGUOUS",
    "ControlProbe",
    "FamilyView",
    "SelfTest",
    "probe_control",
    "run_selftest",
    "visit_controls",
]

# Failures to connect that may be the other side's fault or this one's.
AMBIGUOUS = ("timeout", "host-unreachable")

ControlProbe: TypeAlias = Callable[[str], Awaitable[str]]
"""Visits the control at an address; `connected`, or why not."""

# Addresses of one control host that are tried for each family: enough to survive one dead one.
_MAX_ADDRESSES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyView:
    """One address family from here: `address` is this machine's own, empty where there is no route.

    `not_public` says what kind of address it is where the Internet sees another one (behind NAT); then
    `reverse` is None, because the name that counts is the other one's.
    """

    family: int
    address: str = ""
    not_public: str = ""
    reverse: ReverseDns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """Where this machine stands: its families, its EHLO name, and the controls it could reach."""

    families: tuple[FamilyView, ...]
    helo_name: str
    helo_status: DnsStatus
    helo_addresses: tuple[str, ...]
    controls: tuple[Control, ...] = ()


async def run_selftest(
    options: Options, lookups: Lookups, runner: Runner, local_addresses: dict[int, str]
) -> SelfTest:
    """Look from `local_addresses` (by family, empty where there is no route) at names and controls."""
    limits = ConnectionLimits()

    async def knock(address: str) -> str:
        async with limits.connection(address):
            return await runner.run(probe_control(address, options))

    families = tuple([await _view(lookups, family, local_addresses[family]) for family in (4, 6)])
    answers = [await lookups.ask(options.helo_name, rdtype) for rdtype in ("A", "AAAA")]
    return SelfTest(
        families=families,
        helo_name=options.helo_name,
        helo_status=max(answers, key=lambda answer: answer.status is DnsStatus.ANSWER).status,
        helo_addresses=tuple(address for answer in answers for address in addresses_of(answer)),
        controls=await visit_controls(options, lookups, knock, (4, 6)),
    )


async def _view(lookups: Lookups, family: int, address: str) -> FamilyView:
    if not address:
        return FamilyView(family=family)
    if not_public := why_not_public(address):
        return FamilyView(family=family, address=address, not_public=not_public)
    return FamilyView(family=family, address=address, reverse=await look_up_reverse(lookups, address))


async def visit_controls(
    options: Options, lookups: Lookups, knock: ControlProbe, families: tuple[int, ...]
) -> tuple[Control, ...]:
    """Knock at the control hosts over these address families; in the order given."""
    wanted: list[tuple[str, str]] = []
    for host in options.controls:
        for family in families:
            addresses = addresses_of(await lookups.ask(host, "A" if family == 4 else "AAAA"))
            dialled = [a for a in addresses if not why_not_public(a, options.allow_targets)]
            wanted += [(host, address) for address in dialled[:_MAX_ADDRESSES]]
    if not wanted:
        return ()
    seen: dict[tuple[str, str], str] = {}

    async def one(host: str, address: str) -> None:
        seen[host, address] = await knock(address)

    async with anyio.create_task_group() as group:
        for host, address in wanted:
            group.start_soon(one, host, address)
    return tuple(Control(host=h, address=a, port=options.port, outcome=seen[h, a]) for h, a in wanted)


def probe_control(address: str, options: Options) -> Script[str]:
    """`connected`, or why not."""
    dialogue = Dialogue(timeout=options.timeout, budget=options.budget)
    try:
        yield from dialogue.connect(address, options.port)
    except SessionAborted as interrupted:
        return str(interrupted.cause.kind) if isinstance(interrupted.cause, Failed) else "other"
    try:
        yield from dialogue.greet()
        yield from dialogue.quit()
    except SessionAborted:
        pass  # connected is all that was asked
    return "connected"
