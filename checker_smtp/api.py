"""The functions of the public API for one domain: check it, evaluate it again, render its result.

They run under asyncio and trio, whichever is running, and give the same `Result`. The parts are wired
together here and nowhere else: options to probes, probes to a backend, an observation to the rules.
"""

import secrets
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal, TypeAlias

import anyio

from checker_smtp.backends.local_addresses import local_addresses
from checker_smtp.probes import check as probing
from checker_smtp.probes.check import FindSources
from checker_smtp.probes.dns import LookupCache
from checker_smtp.probes.evidence_budget import CHECK_LIMIT, EvidenceBudget
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.observation import Endpoint
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import Backend, Resolver, Runner
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.rules import Rule, add_extra, require_rule_options
from checker_smtp.probes.selftest import SelfTest, run_selftest
from checker_smtp.ungrouped import ungrouped

if TYPE_CHECKING:
    from checker_smtp.backends.network import Network

__all__ = [
    "Backend",
    "Format",
    "RunContext",
    "check",
    "check_blocking",
    "check_with",
    "now",
    "render",
    "replay",
    "selftest",
]

Format: TypeAlias = Literal["html", "json", "jsonl", "junit", "nagios", "prometheus", "text"]
"""The formats of `render`, as in the option `--format`."""


def now() -> str:
    """Return the current time in UTC as RFC 3339 text, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The inputs of a check that differ in each run: its time and the seed of its random values.

    `run_at` is a time as RFC 3339 text, by default the current one in UTC. `seed` is a random number by
    default. A check with the same context and the same replies has the same result.
    """

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
    extra_rules: Collection[Rule] = (),
    pause: Callable[[float], Awaitable[None]] = anyio.sleep,
    evidence: EvidenceBudget | None = None,
    find_sources: FindSources | None = None,
) -> Result:
    """Check one domain and return its result, with every problem of the domain as a finding.

    `backend` resolves names and runs sessions, by default a `Network` with the system's resolvers;
    `resolver_name` is its name in reports. `limits` bounds the connections, by default 10 at a time and 2 to
    one address. `rules` are the names of the rules to evaluate, None for all; work that only other rules need
    is skipped. `extra_rules` are evaluated as well, although they are not installed (`checker_smtp.rules`).
    `pause` waits before a retry (`Options.retry_deferred`), for the given number of seconds.
    `evidence` bounds what is kept of the answers of others, by default to 8 MiB; a caller that gives its own
    closes it when it is done with the result. `find_sources` is the method of the `Network` below `backend`,
    by default of the default backend: a server that is this machine may relay for it.

    The session follows RFC 5321 §3 and stops before DATA. Raises `ResolverError` if the resolver answers no
    query at all, `ResolverUnavailable` if the system has no resolver, `RegistryError` if the name or a code
    of an extra rule is taken, and `OptionError` for a rule option that no rule has.
    """
    if backend is None:
        backend = network = _network()
        find_sources = find_sources or network.find_sources
    return await check_with(
        options,
        backend,
        backend,
        resolver_name=resolver_name,
        context=context,
        limits=limits,
        rules=rules,
        extra_rules=extra_rules,
        pause=pause,
        evidence=evidence,
        find_sources=find_sources,
    )


async def check_with(
    options: Options,
    resolver: Resolver,
    runner: Runner,
    *,
    resolver_name: str = "",
    context: RunContext | None = None,
    limits: ConnectionLimits | None = None,
    rules: frozenset[str] | None = None,
    extra_rules: Collection[Rule] = (),
    pause: Callable[[float], Awaitable[None]] = anyio.sleep,
    admit: Callable[[tuple[Endpoint, ...]], Awaitable[None]] | None = None,
    evidence: EvidenceBudget | None = None,
    find_sources: FindSources | None = None,
) -> Result:
    """Check one domain with a resolver and a runner that need not be one object; see `check`.

    `admit` gets the endpoints before the first connection; an exception that it raises ends the check.
    """
    context = context or RunContext()
    add_extra(extra_rules)
    require_rule_options(options.rule_options)
    if rules is not None:
        rules |= {rule.name for rule in extra_rules}
    started_at = monotonic()
    observation = await probing.check(
        options,
        resolver,
        runner,
        run_at=context.run_at,
        seed=context.seed,
        resolver_name=resolver_name,
        limits=limits,
        rules=rules,
        pause=pause,
        admit=admit,
        evidence=evidence or EvidenceBudget(CHECK_LIMIT),
        find_sources=find_sources,
    )
    return evaluate(replace(observation, seconds=round(monotonic() - started_at, 3)), extra_rules)


def check_blocking(
    options: Options,
    backend: Backend | None = None,
    *,
    context: RunContext | None = None,
    rules: frozenset[str] | None = None,
    extra_rules: Collection[Rule] = (),
) -> Result:
    """Check one domain from code without an event loop; see `check`.

    The check runs on asyncio: in this thread, or, where an event loop is running in it, in another one, while
    this one, its event loop included, waits. Any number of threads may call it at once, each with a backend
    of its own. Raises what `check` raises.
    """
    start = partial(check, options, backend, context=context, rules=rules, extra_rules=extra_rules)
    if not _is_in_event_loop():
        return anyio.run(start)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(anyio.run, start).result()


def _is_in_event_loop() -> bool:
    try:
        anyio.get_current_task()
    except RuntimeError:
        return False
    return True


def render(result: Result, format: Format = "text") -> str:  # noqa: A002 - as in --format
    """Render a result as `text` or `html` for people, or in a format for programs.

    `json` follows the schema of `checker-smtp schema`, and `jsonl` is the same on one line; `nagios` is the
    output of a monitoring plugin, `prometheus` the text exposition format, `junit` a JUnit XML file. Raises
    `ValueError` for another format.
    """
    from checker_smtp.report.formats import FORMATS
    from checker_smtp.report.formats import render as render_format

    if format not in FORMATS:
        raise ValueError(f"the format {format!r} is unknown: give one of {', '.join(FORMATS)}")
    return render_format(result, format)


async def selftest(options: Options, backend: Backend | None = None) -> SelfTest:
    """Test the network of this machine: its routes, its names, and the connection to `options.controls`."""
    backend = backend or _network()
    return await run_selftest(
        options, LookupCache(backend, seed=RunContext().seed).view(), backend, local_addresses()
    )


def _network() -> "Network":
    # imported late, because sockets and DNS are a third of the start-up time of a replay, which needs neither
    from checker_smtp.backends.network import Network

    return Network()


async def replay(folder: Path, extra_rules: Collection[Rule] = ()) -> Result:
    """Check again from the case recorded in `folder`, without a network; `extra_rules` as in `check`.

    Returns the result of the current rules on the recorded replies. Raises `CaseError` if the folder is not a
    case, and `ReplayMismatch` if this version sends other commands or queries than the recorded ones.
    """
    from checker_smtp.backends.recording.case import read_case
    from checker_smtp.backends.recording.case_files import PARTIAL_RETRIES
    from checker_smtp.backends.recording.player import ReplayMismatch
    from checker_smtp.backends.recording.replay_backend import Replay

    case = read_case(folder)
    backend = Replay(case)
    add_extra(extra_rules)
    with ungrouped(ReplayMismatch):
        observation = await probing.check(
            case.options,
            backend,
            backend,
            run_at=case.run_at,
            seed=case.seed,
            resolver_name=case.resolver,
            pause=_no_pause,
            repeat_all=case.format < PARTIAL_RETRIES,
        )
    if unused := backend.unused():
        raise ReplayMismatch(f"{folder}: recorded, but no longer used: {', '.join(unused)}")
    return evaluate(replace(observation, seconds=case.seconds), extra_rules)


async def _no_pause(_: float) -> None:
    """Return at once, because the recorded check has waited already."""
