"""The progress of a scan on standard error: a bar on a terminal, a line a minute elsewhere."""

import sys
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import click

from .stats import ScanStats

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ScanProgress"]

_REFRESH, _LINE = 0.5, 60.0
# Seconds over which the bar averages the rate and the time left.
_RATE_PERIOD = 300.0
_WORDS = ("critical", "warning", "unknown", "info", "ok", "not_checked")


class ScanProgress:
    """Shows the progress of a scan: of `total` names, `done_before` were done in an earlier run."""

    def __init__(self, stats: ScanStats, total: int, done_before: int) -> None:
        self._stats = stats
        self._total = total
        self._done_before = done_before

    async def show(self) -> None:
        """Show the progress until cancelled."""
        # None where the stream was closed before Python started
        if sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console

            await self._bar(Console(stderr=True))
        started_at = anyio.current_time()
        while True:
            await anyio.sleep(_LINE)
            # a reader that is gone must not end the scan
            with suppress(OSError):
                click.echo(self._line(anyio.current_time() - started_at), err=True)

    async def _bar(self, console: "Console") -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f}/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}"),
        )
        with Progress(*columns, console=console, transient=True, speed_estimate_period=_RATE_PERIOD) as bar:
            task = bar.add_task("", total=self._total, completed=self._done_before, rate=0.0, counts="")
            while True:
                done = self._done_before + self._stats.done
                bar.update(task, completed=done, counts=self._counts(), rate=bar.tasks[0].speed or 0.0)
                await anyio.sleep(_REFRESH)

    def _line(self, seconds: float) -> str:
        done = self._stats.done
        rate = done / seconds
        left = max(self._total - self._done_before - done, 0)
        eta = f", {timedelta(seconds=round(left / rate))} left" if rate else ""
        return f"{self._done_before + done} of {self._total} domains, {rate:.1f}/s{eta}; {self._counts()}"

    def _counts(self) -> str:
        stats = self._stats
        statuses = [
            f"{stats.statuses[word]} {word.replace('_', ' ')}" for word in _WORDS if stats.statuses[word]
        ]
        deferred = [f"{stats.deferred} deferred"] if stats.deferred else []
        return ", ".join([*statuses, f"{stats.open_sessions} sessions open", *deferred])
