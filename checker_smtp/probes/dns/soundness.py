"""Control questions, whose answers are known beforehand: they show if the resolver can be relied on.

A resolver that answers nothing makes every domain fail, one that denies everything makes every domain
nonexistent, and one that invents addresses sends a check to a stranger's server. All three are faults of this
side, so they are looked for before anything of a domain is called missing:

* a name under `invalid.`, which does not exist (RFC 6761 §6.4), has an address or an MX: it invents;
* the root and a top-level domain are both denied or empty: it denies. One of them is enough, because an
  internal network may have a root of its own, and some resolvers refuse questions about the root only;
* nothing at all is answered: it is dead.

Where a host seems to have no address at all, more is asked: a resolver that leaves out AAAA records, as some
home routers do, has none either for hosts that are known to have them.
"""

import hashlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from checker_smtp.probes.ports import DnsAnswer, DnsStatus, Resolver

from .records import parse_addresses, parse_mx
from .together import run_together

__all__ = [
    "DUAL_STACK_HOSTS",
    "UNTRUE",
    "Ask",
    "ResolverError",
    "Soundness",
    "ask_controls",
    "is_control",
    "leaves_out_aaaa",
    "require_sound",
]

Ask: TypeAlias = Callable[[str, str], Coroutine[object, object, DnsAnswer]]
"""Asks for a name's records of a type."""

UNTRUE = "gives untrue answers"
"""The problem of a resolver that denies or invents names, as `ResolverError` has it."""

DUAL_STACK_HOSTS = ("a.root-servers.net", "a.gtld-servers.net")
"""Hosts with A and AAAA records; a private root may have one of them with an A record alone."""

_ROOT, _TLD = (".", "NS"), ("com", "NS")
_INVENTED = ("A", "AAAA", "MX")
_UNREAL = ".invalid"


class ResolverError(Exception):
    """The resolver answers nothing at all, or gives untrue answers: nothing is known about the domain.

    `problem` is the fault of the resolver, `detail` what shows it.
    """

    def __init__(self, detail: str, problem: str = "cannot be used") -> None:
        super().__init__(f"the resolver {problem}: {detail}")
        self.problem = problem
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Soundness:
    """The answers of a resolver to the control questions, and their meaning."""

    answers: tuple[DnsAnswer, ...]

    @property
    def is_alive(self) -> bool:
        """True where a control was answered, so that a failure is about the name that was asked for."""
        return any(answer.status.known for answer in self.answers)

    @property
    def failure(self) -> str:
        """The failure of the controls in words."""
        failed = next((answer for answer in self.answers if not answer.status.known), None)
        return (failed.detail or str(failed.status)) if failed is not None else ""

    @property
    def invented(self) -> frozenset[str]:
        """The addresses and MX targets given for a name that does not exist."""
        return frozenset(value for answer in self._unreal for value in _values(answer))

    @property
    def denies(self) -> bool:
        """True where the resolver has neither a root nor a top-level domain."""
        roots = [answer for answer in self.answers if answer.rdtype == "NS"]
        return bool(roots) and all(a.status in (DnsStatus.NXDOMAIN, DnsStatus.NODATA) for a in roots)

    def explains(self, failed: DnsAnswer) -> bool:
        """Return whether the resolver fails so for this type of record whatever the name.

        One that refuses everything under `invalid.` shows nothing of a type; silence there is no refusal.
        """
        controls = {answer.rdtype: answer.status for answer in self._unreal}
        is_of_type = failed.status is DnsStatus.TIMEOUT or any(s.known for s in controls.values())
        return is_of_type and controls.get(failed.rdtype) is failed.status

    @property
    def fault(self) -> str:
        """The untrue answer, as a sentence without its end; empty where there is none."""
        if self.denies:
            return "it says that neither the root of the DNS nor com has name servers"
        for answer in self._unreal:
            if values := _values(answer):
                kind = "an MX record" if answer.rdtype == "MX" else "an address"
                return f"it has {kind} for {answer.name}, which does not exist (RFC 6761 §6.4): {values[0]}"
        return ""

    def require_life(self) -> None:
        """Raise `ResolverError` where no control was answered, and no limit of the check is the reason."""
        if not self.is_alive and not any(answer.status.is_limit for answer in self.answers):
            raise ResolverError(self.failure)

    def require_truth(self) -> None:
        """Raise `ResolverError` where an answer of the resolver is untrue."""
        if self.fault:
            raise ResolverError(self.fault, UNTRUE)

    @property
    def _unreal(self) -> tuple[DnsAnswer, ...]:
        return tuple(answer for answer in self.answers if answer.rdtype in _INVENTED)


def _values(answer: DnsAnswer) -> tuple[str, ...]:
    """Return the addresses or MX targets in an answer."""
    return parse_addresses(answer) or tuple(target for _, target, _ in parse_mx(answer))


def is_control(name: str, rdtype: str) -> bool:
    """Return whether this is a control question; a check asks for no other name servers."""
    return rdtype == "NS" or name.endswith(_UNREAL) or name in DUAL_STACK_HOSTS


async def ask_controls(ask: Ask, seed: int) -> Soundness:
    """Ask the control questions; `seed` decides the name that does not exist."""
    name = f"{hashlib.sha256(f'{seed}'.encode()).hexdigest()[:16]}{_UNREAL}"
    questions = (*((name, rdtype) for rdtype in _INVENTED), _ROOT, _TLD)
    return Soundness(answers=tuple(await run_together([partial(ask, *question) for question in questions])))


async def leaves_out_aaaa(ask: Ask) -> bool:
    """Return whether the resolver has an A record, and no AAAA record, for each host that has both."""
    statuses: dict[tuple[str, str], DnsStatus] = {}

    async def one(name: str, rdtype: str) -> None:
        statuses[name, rdtype] = (await ask(name, rdtype)).status

    questions = [(name, rdtype) for name in DUAL_STACK_HOSTS for rdtype in ("A", "AAAA")]
    await run_together([partial(one, *question) for question in questions])
    wanted = {"A": DnsStatus.ANSWER, "AAAA": DnsStatus.NODATA}
    return all(status is wanted[rdtype] for (_, rdtype), status in statuses.items())


async def require_sound(resolvers: Iterable[Resolver], seed: int) -> None:
    """Raise `ResolverError` where none of these answers, or one gives untrue answers."""
    results = await run_together([partial(ask_controls, resolver.resolve, seed) for resolver in resolvers])
    if not any(soundness.is_alive for soundness in results):
        results[0].require_life()
    for soundness in results:
        soundness.require_truth()
