"""The last stage of a scan: from a domain whose servers were probed to its result line."""

from dataclasses import replace
from functools import partial
from math import inf
from typing import NamedTuple

import anyio

from checker_smtp.probes.check import FindSources, ResolvedDomain, build_observation
from checker_smtp.probes.dns import resolve_reverse_dns
from checker_smtp.probes.options import Options
from checker_smtp.probes.policy import FindingPolicy, decide_one
from checker_smtp.probes.ports import Runner
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.probes.selftest import probe_control
from checker_smtp.report.document import NOT_CHECKED, dump_line, dump_not_checked

from .domain_scan import DomainScan
from .politeness.limiter import PolitenessLimiter, RateLimitedRunner

__all__ = ["ControlProbes", "DomainEvaluator", "NumberedLine"]


class NumberedLine(NamedTuple):
    """A result line without line end, the number of its domain in the list, and the status in it."""

    number: int
    octets: bytes
    status: str


class ControlProbes:
    """Probes control hosts within the limits; an outcome is kept for `ttl` seconds, for all domains."""

    def __init__(self, limiter: PolitenessLimiter, runner: Runner, ttl: float) -> None:
        self._limiter = limiter
        self._runner = runner
        self._ttl = ttl
        self._lock = anyio.Lock()
        self._outcomes: dict[str, tuple[float, str]] = {}

    async def probe(self, options: Options, address: str) -> str:
        """Return the outcome of a connection to a control host."""
        async with self._lock:
            expires_at, outcome = self._outcomes.get(address, (-inf, ""))
            if expires_at < anyio.current_time():
                runner = RateLimitedRunner(self._limiter, self._runner, address, address, is_control=True)
                outcome = await runner.run(probe_control(address, options))
                self._outcomes[address] = anyio.current_time() + self._ttl, outcome
        return outcome


class DomainEvaluator:
    """Evaluates domains under `policy`; `controls` are probed where a server does not answer.

    `find_sources` is that of the network of the probes, where it is of this process.
    """

    def __init__(
        self,
        controls: ControlProbes,
        resolver_name: str,
        policy: FindingPolicy,
        find_sources: FindSources | None = None,
    ) -> None:
        self._controls = controls
        self._resolver_name = resolver_name
        self._policy = policy
        self._find_sources = find_sources

    async def evaluate(self, domain: DomainScan) -> NumberedLine:
        """Return the line of a domain: its result, or why it has none."""
        if domain.resolved is not None and not domain.not_checked:
            try:
                result = await self._result(domain, domain.resolved)
                return NumberedLine(domain.number, dump_line(result), result.status)
            except Exception as error:  # noqa: BLE001 - no domain may end the scan of the others
                domain.fail(error)
        line = dump_not_checked(domain.name, domain.not_checked, domain.reason)
        return NumberedLine(domain.number, line, NOT_CHECKED)

    async def _result(self, domain: DomainScan, resolved: ResolvedDomain) -> Result:
        names = {
            e.address: await resolve_reverse_dns(resolved.lookups, e.address, e.targets)
            for e in resolved.endpoints
        }
        observation = await build_observation(
            resolved,
            domain.sessions,
            names,
            partial(self._controls.probe, resolved.options),
            run_at=domain.run_at,
            resolver_name=self._resolver_name,
            find_sources=self._find_sources,
        )
        seconds = round(anyio.current_time() - domain.started_at, 3)
        return decide_one(evaluate(replace(observation, seconds=seconds)), self._policy)
