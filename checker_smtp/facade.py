"""What a program calls: check a domain, or judge a recorded check again.

Both run under whichever event loop is running, asyncio or trio, and give the same `Result`. Here and
nowhere else the parts are wired together: options to probes, probes to a backend, observation to rules.
"""

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from backends.network import Network
from backends.recording import Backend
from probes import check as probing
from probes.check import ConnectionLimits
from probes.options import Options
from probes.result import Result, judged

__all__ = ["Backend", "Moment", "check", "replay"]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What differs from run to run: when it was (RFC 3339), and the seed of what is random in it."""

    run_at: str = field(default_factory=_now)
    seed: int = field(default_factory=lambda: secrets.randbits(63))


async def check(
    options: Options,
    backend: Backend | None = None,
    *,
    resolver_name: str = "",
    moment: Moment | None = None,
    limits: ConnectionLimits | None = None,
) -> Result:
    """Check one domain.

    `backend` reaches the world (by default the system's resolver and network), `limits` bounds connections
    and may be shared by checks that run together. Raises `ResolverError` where the resolver answers
    nothing at all; whatever is wrong with the domain is in the result.
    """
    moment = moment or Moment()
    backend = backend or Network()
    began = monotonic()
    observation = await probing.check(
        options,
        backend,
        backend,
        run_at=moment.run_at,
        seed=moment.seed,
        resolver_name=resolver_name,
        limits=limits,
    )
    return judged(replace(observation, seconds=round(monotonic() - began, 3)))


async def replay(folder: Path) -> Result:
    """Judge a recorded check again, without any network.

    Raises `CaseError` where the folder is no case, `ReplayMismatch` where this program would have asked
    something else than was asked then.
    """
    from backends.case import read_case
    from backends.replay import ReplayMismatch
    from backends.replaying import Replay

    case = read_case(folder)
    backend = Replay(case)
    result = await check(
        case.options,
        backend,
        resolver_name=case.resolver,
        moment=Moment(run_at=case.run_at, seed=case.seed),
    )
    if unused := backend.unused():
        raise ReplayMismatch(f"{folder}: recorded and not asked for any more: {', '.join(unused)}")
    return replace(result, observation=replace(result.observation, seconds=case.seconds))
