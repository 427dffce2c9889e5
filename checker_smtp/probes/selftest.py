"""The self-test of this machine: how far its own network and names explain what a check finds.

Where port 25 is blocked here, every server seems dead; where this machine's address has no name, many servers
reject it. The self-test looks for: a route for each address family, connections on port 25 to the control
hosts that the caller names (and to no other host), a name of this machine's address that resolves back to it,
and an EHLO name that resolves to that address.

A control counts as reached once TCP connects: that shows that port 25 is open. The session then waits for the
greeting and sends QUIT, as a polite client does.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from smtp_sansio import Dialogue, Failed, Script, SessionAborted

from .addresses import why_not_public
from .dns import Lookups, Soundness, parse_addresses, resolve_reverse_dns
from .dns.together import run_together
from .limits import ConnectionLimits
from .observation import Control, ReverseDns
from .options import Options
from .ports import DnsStatus, Runner

__all__ = [
    "AMBIGUOUS",
    "ControlProbe",
    "FamilyView",
    "SelfTest",
    "probe_control",
    "probe_controls",
    "run_selftest",
]

# Failures to connect that either side may be the cause of.
AMBIGUOUS = ("timeout", "host-unreachable")

ControlProbe: TypeAlias = Callable[[str], Awaitable[str]]
"""Connects to the control host at an address; returns `connected` or the kind of failure."""

# Addresses tried of one control host and family: two, so that one dead address is not decisive.
_MAX_ADDRESSES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyView:
    """One address family as seen from this machine: `address` is its own, empty where there is no route.

    `not_public` names the kind of address where the Internet sees another one (behind NAT); `reverse` is None
    then, because the name that counts is the other address's.
    """

    family: int
    address: str = ""
    not_public: str = ""
    reverse: ReverseDns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """The result: address families, the resolver, the EHLO name and its addresses, each control's outcome."""

    families: tuple[FamilyView, ...]
    resolver: Soundness
    helo_name: str
    helo_status: DnsStatus
    helo_addresses: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()


async def run_selftest(
    options: Options, lookups: Lookups, runner: Runner, local_addresses: dict[int, str]
) -> SelfTest:
    """Resolve this machine's names and connect to the controls; only the resolver is tested where it is dead.

    `local_addresses` are this machine's own, by address family (4, 6), empty where there is no route.
    """
    limits = ConnectionLimits()

    async def probe(address: str) -> str:
        async with limits.connection(address):
            return await runner.run(probe_control(address, options))

    soundness = await lookups.soundness()
    if not soundness.is_alive:
        return SelfTest(
            families=(), resolver=soundness, helo_name=options.helo_name, helo_status=DnsStatus.UNUSABLE
        )
    families = tuple([await _view(lookups, family, local_addresses[family]) for family in (4, 6)])
    answers = [await lookups.ask(options.helo_name, rdtype) for rdtype in ("A", "AAAA")]
    return SelfTest(
        families=families,
        resolver=soundness,
        helo_name=options.helo_name,
        helo_status=max(answers, key=lambda answer: answer.status is DnsStatus.ANSWER).status,
        helo_addresses=tuple(address for answer in answers for address in parse_addresses(answer)),
        controls=await probe_controls(options, lookups, probe, (4, 6)),
    )


async def _view(lookups: Lookups, family: int, address: str) -> FamilyView:
    if not address:
        return FamilyView(family=family)
    if not_public := why_not_public(address):
        return FamilyView(family=family, address=address, not_public=not_public)
    return FamilyView(family=family, address=address, reverse=await resolve_reverse_dns(lookups, address))


async def probe_controls(
    options: Options, lookups: Lookups, probe: ControlProbe, families: tuple[int, ...]
) -> tuple[Control, ...]:
    """Connect to the control hosts over these address families; return the outcomes in the order given."""

    async def one(host: str, address: str, reason: str) -> Control:
        outcome = await probe(address) if address else reason
        return Control(host=host, address=address, port=options.port, outcome=outcome)

    jobs: list[partial[Coroutine[object, object, Control]]] = []
    for host in options.controls if families else ():
        addresses, reason = await _control_addresses(options, lookups, host, families)
        jobs += [partial(one, host, address, reason) for address in addresses or [""]]
    return tuple(await run_together(jobs))


async def _control_addresses(
    options: Options, lookups: Lookups, host: str, families: tuple[int, ...]
) -> tuple[list[str], str]:
    """Return the addresses of a control host to connect to, and in words why there is none."""
    answers = [await lookups.ask(host, "A" if family == 4 else "AAAA") for family in families]
    found = [parse_addresses(answer) for answer in answers]
    allowed = [
        [address for address in addresses if not why_not_public(address, options.allow_targets)]
        for addresses in found
    ]
    wanted = [address for addresses in allowed for address in addresses[:_MAX_ADDRESSES]]
    if any(found):
        return wanted, "its addresses are not public"
    failed = next((answer.detail for answer in answers if not answer.status.known), "")
    return wanted, f"it has no address ({failed or answers[0].status.upper()})"


def probe_control(address: str, options: Options) -> Script[str]:
    """Connect, wait for the greeting and quit; return `connected` or the kind of failure."""
    dialogue = Dialogue(timeout=options.timeout, budget=options.budget)
    try:
        yield from dialogue.connect(address, options.port)
    except SessionAborted as aborted:
        return str(aborted.cause.kind) if isinstance(aborted.cause, Failed) else "other"
    try:
        yield from dialogue.greet()
        yield from dialogue.quit()
    except SessionAborted:
        pass  # the connection is the result
    return "connected"
