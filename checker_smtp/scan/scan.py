"""A scan on one machine: its three stages, joined.

At most two batches of domains are in progress: while the servers of one are probed, the next is resolved.
Each line comes from the code that a single check runs: `probes.check.resolve_domain` before the sessions and
`build_observation` after them, `probes.endpoint.EndpointProbe` in between.
"""

from collections.abc import Iterable
from secrets import randbits

import anyio

from checker_smtp.probes.check import FindSources
from checker_smtp.probes.ports import Resolver, Runner

from .domain_scan import DomainScan
from .evaluate import ControlProbes, DomainEvaluator, NumberedLine
from .output.results_file import ResultsWriter
from .politeness.exclusions import Exclusions
from .politeness.limiter import PolitenessLimiter
from .resolve import DomainResolver
from .schedule import ServerScheduler
from .settings import ScanSettings
from .stages import open_pipeline
from .stats import ScanStats

__all__ = ["Scan"]


class Scan:
    """One scan of one list; `stats` may be read at any time."""

    def __init__(
        self,
        settings: ScanSettings,
        resolver: Resolver,
        runner: Runner,
        *,
        exclusions: Exclusions | None = None,
        resolver_name: str = "",
        find_sources: FindSources | None = None,
    ) -> None:
        seed = randbits(63)
        self.stats = ScanStats()
        self._settings = settings
        self._limiter = PolitenessLimiter(settings, self.stats)
        self._scheduler = ServerScheduler(
            settings=settings,
            runner=runner,
            limiter=self._limiter,
            exclusions=exclusions or Exclusions(),
            seed=seed,
        )
        controls = ControlProbes(self._limiter, runner, settings.server_cache_ttl)
        self._evaluator = DomainEvaluator(controls, resolver_name, settings.policy, find_sources)
        self._evidence = self._scheduler.evidence
        self._resolver = DomainResolver(settings, resolver, seed, self._evidence)
        self._cancel_scope = anyio.CancelScope()
        self._ended = anyio.Event()

    async def run(self, domains: Iterable[DomainScan], results: ResultsWriter) -> None:
        """Scan all of `domains`, and put their lines in order of completion; end early after `stop`."""
        workers = 2 * self._settings.concurrency
        in_progress = anyio.Semaphore(2 * self._settings.batch_size)
        with self._cancel_scope:
            async with open_pipeline() as pipeline:
                listed = pipeline.feed(domains, in_progress)
                resolved = pipeline.map(self._resolver.resolve, listed, workers)
                probed = pipeline.add(self._scheduler.run, resolved)
                async for line in pipeline.map(self._evaluate, probed, workers):
                    results.put(line.number, line.octets)
                    self.stats.done += 1
                    self.stats.statuses[line.status] += 1
                    in_progress.release()
        self._ended.set()

    async def _evaluate(self, domain: DomainScan) -> NumberedLine:
        try:
            async with self._evidence.reverse_lookups() as evidence:
                if domain.resolved is not None:
                    domain.resolved.lookups.keep_within(evidence)
                return await self._evaluator.evaluate(domain)
        finally:
            self._evidence.close(domain)

    async def stop(self, grace: float) -> None:
        """Start no more sessions, and end `run` when the open ones are over, or after `grace` seconds."""
        self._limiter.stopping.set()
        with anyio.move_on_after(grace):
            await self._ended.wait()
        self._cancel_scope.cancel()
