"""The checks of a command: all domains together, under one set of limits, with progress and recordings."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import anyio
import click

from checker_smtp import api
from checker_smtp.backends.recording.case import CaseError, require_empty
from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.evidence_budget import CHECK_LIMIT, EvidenceBudget
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.ungrouped import ungrouped

from .finished_results import FinishedResults
from .learnt import WatchedCheck
from .output import is_terminal

Pause: TypeAlias = Callable[[float], Awaitable[None]]

if TYPE_CHECKING:
    from checker_smtp.api import Backend
    from checker_smtp.probes.check import FindSources
    from checker_smtp.probes.options import Options

__all__ = ["CheckRun"]

# Domains at a time; their connections share the limits of a single check.
_MAX_CHECKS = 20


@dataclass(kw_only=True)
class CheckRun:
    """The checks of `options`, one for each domain, over `backend`.

    `record` is the folder for the recording of the only check, or of a folder for each domain; it must be
    empty. `find_sources` is that of the network below the backend. `helo_name` returns an EHLO name, or empty
    text for that of the options, and the reason in words. All checks share one budget of evidence, and each
    waits until there is room for it: those that have finished, and are not reported yet, keep little of it.
    Raises `CaseError`.
    """

    options: "Sequence[Options]"
    backend: "Backend"
    resolver_name: str = ""
    record: Path | None = None
    find_sources: "FindSources | None" = None
    helo_name: Callable[[], Awaitable[tuple[str, str]]] | None = None
    results: FinishedResults = field(init=False)
    running: dict[str, WatchedCheck] = field(default_factory=dict)
    # a check that cannot be recorded is reported all the same
    unrecorded: CaseError | None = None

    def __post_init__(self) -> None:
        self.results = FinishedResults([one.domain for one in self.options], CHECK_LIMIT)
        for options in self.options if self.record else ():
            require_empty(self._folder(options))

    @property
    def unfinished(self) -> list[str]:
        """A line for each check that has begun and not finished: the domain, and what was learnt of it."""
        return [
            f"{domain} was not checked to the end: {running.describe()}"
            for domain, running in self.running.items()
        ]

    def run(self, loop: str) -> bool:
        """Run all checks under the event loop `loop`, and return False after an interrupt.

        Raise `click.UsageError` where the resolver fails.
        """
        with ExitStack() as stack:
            pause: Pause = anyio.sleep
            if is_terminal(sys.stderr):
                from rich.console import Console

                from .progress import Progress

                progress = stack.enter_context(Progress(self.backend, Console(stderr=True)))
                self.backend, pause = progress, progress.pause
            try:
                with ungrouped(KeyboardInterrupt, Exception):
                    anyio.run(partial(self._check_all, pause), backend=loop)
            except KeyboardInterrupt:
                return False
            except ResolverError as error:
                resolver = self.resolver_name or "of this system"
                raise click.UsageError(
                    f"the resolver {resolver} {error.problem} ({error.detail}): "
                    "give another one with --resolver ADDR[:PORT]"
                ) from None
        return True

    async def _check_all(self, pause: Pause) -> None:
        if self.helo_name is not None:
            name, reason = await self.helo_name()
            self.options = [
                replace(one, helo_name=name or one.helo_name, helo_reason=reason) for one in self.options
            ]
        limits, limiter = ConnectionLimits(), anyio.CapacityLimiter(_MAX_CHECKS)
        budget = EvidenceBudget()

        async def check(options: "Options") -> None:
            async with limiter:
                await self._check(options, limits, pause, await budget.wait_for_part())

        async with anyio.create_task_group() as group:
            for options in self.options:
                group.start_soon(check, options)

    async def _check(
        self, options: "Options", limits: ConnectionLimits, pause: Pause, evidence: EvidenceBudget
    ) -> None:
        context = api.RunContext()
        watched = self.running[options.domain] = WatchedCheck(options.domain, self.backend)
        result = await api.check(
            options,
            watched,
            resolver_name=self.resolver_name,
            context=context,
            limits=limits,
            pause=pause,
            evidence=evidence,
            find_sources=self.find_sources,
        )
        if self.record is not None:
            try:
                watched.recording.save(self._folder(options), options, result, seed=context.seed)
            except CaseError as error:
                self.unrecorded = error
        self.results.put(result, evidence)
        del self.running[options.domain]

    def _folder(self, options: "Options") -> Path:
        assert self.record is not None  # noqa: S101 - asked for with a recording only
        return self.record if len(self.options) == 1 else self.record / options.domain
