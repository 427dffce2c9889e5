"""What a program calls: check a domain, or judge a recorded check again.

Both run under whichever event loop is running, asyncio or trio, and give the same `Result`. Here and
nowhere else the parts are wired together: options to probes, probes to a backend, observation to rules.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TypeVar

import anyio

from checker_smtp.backends.local_addresses import local_addresses
from checker_smtp.backends.recording.record_backend import Backend
from checker_smtp.probes import check as probing
from checker_smtp.probes.dns import LookupCache
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.selftest import SelfTest, run_selftest

__all__ = ["Backend", "RunContext", "check", "now", "replay", "selftest"]

_E = TypeVar("_E", bound=BaseException)


def now() -> str:
    """The time, as RFC 3339 writes it, in UTC and seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What differs from run to run: when it was (RFC 3339), and the seed of what is random in it."""

    run_at: str = field(default_factory=now)
    seed: int = field(default_factory=lambda: secrets.randbits(63))


async def check(
    options: Options,
    backend: Backend | None = None,
    *,
    resolver_name: str = "",
    context: RunContext | None = None,
    limits: ConnectionLimits | None = None,
    rules: frozenset[str] | None = None,
    pause: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> Result:
    """Check one domain.

    `backend` reaches the world (by default the system's resolver and network), `limits` bounds connections
    and may be shared by checks that run together. Where `rules` names those that are to judge, the work that
    only others need is left out. `pause` waits for a second visit, so many seconds. Raises `ResolverError`
    where the resolver answers nothing at all; whatever is wrong with the domain is in the result.
    """
    context = context or RunContext()
    backend = backend or _network()
    began = monotonic()
    observation = await probing.check(
        options,
        backend,
        backend,
        run_at=context.run_at,
        seed=context.seed,
        resolver_name=resolver_name,
        limits=limits,
        rules=rules,
        pause=pause,
    )
    return evaluate(replace(observation, seconds=round(monotonic() - began, 3)))


async def selftest(options: Options, backend: Backend | None = None) -> SelfTest:
    """What can be seen from this machine: routes, its names, and whether `options.controls` answer."""
    backend = backend or _network()
    return await run_selftest(options, LookupCache(backend).view(), backend, local_addresses())


def _network() -> Backend:
    # late: a replay can do without sockets and DNS, and a third of the time it takes to start
    from checker_smtp.backends.network import Network

    return Network()


async def replay(folder: Path) -> Result:
    """Judge a recorded check again, without any network.

    Raises `CaseError` where the folder is no case, `ReplayMismatch` where this program would have asked
    something else than was asked then.
    """
    from checker_smtp.backends.recording.case import read_case
    from checker_smtp.backends.recording.player import ReplayMismatch
    from checker_smtp.backends.recording.replay_backend import Replay

    case = read_case(folder)
    backend = Replay(case)
    context = RunContext(run_at=case.run_at, seed=case.seed)
    try:
        result = await check(
            case.options, backend, resolver_name=case.resolver, context=context, pause=_no_pause
        )
    except ExceptionGroup as group:
        # sessions and lookups are held side by side, so that is how their exceptions arrive
        if (mismatch := _first(group, ReplayMismatch)) is None:
            raise
        raise mismatch from None
    if unused := backend.unused():
        raise ReplayMismatch(f"{folder}: recorded and not asked for any more: {', '.join(unused)}")
    return replace(result, observation=replace(result.observation, seconds=case.seconds))


async def _no_pause(_: float) -> None:
    """What was waited for then need not be waited for again."""


def _first(group: BaseExceptionGroup[BaseException], kind: type[_E]) -> _E | None:
    """One exception of this kind out of a group, however deep."""
    for error in group.exceptions:
        found = _first(error, kind) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, kind):
            return found
    return None
