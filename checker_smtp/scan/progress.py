"""How far a scan is: a bar on a terminal, a line a minute elsewhere; both on standard error."""

import sys
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import anyio
import click

from .stats import ScanStats

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Progress"]

_REFRESH, _LINE = 0.5, 60.0
# A rate on the bar, and what is left, are told from what the last minutes were like, in seconds.
_LATELY = 300.0
_WORDS = ("critical", "warning", "unknown", "info", "ok", "not_checked")


class _Watched(Protocol):
    """A scan, wherever it is done; `open` is how many sessions are."""

    @property
    def stats(self) -> ScanStats: ...

    @property
    def open(self) -> int: ...


class Progress:
    """Tells of `scan`, whose list has `total` names, of which `before` were done in an earlier run."""

    def __init__(self, scan: _Watched, total: int, before: int) -> None:
        self._scan = scan
        self._total = total
        self._before = before

    async def show(self) -> None:
        """Tell until cancelled."""
        # None is what Python has for a stream that was closed before it started
        if sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console

            await self._bar(Console(stderr=True))
        began = anyio.current_time()
        while True:
            await anyio.sleep(_LINE)
            # nobody may be listening any more, and a scan is not for them alone
            with suppress(OSError):
                click.echo(self._line(anyio.current_time() - began), err=True)

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
            TextColumn("{task.fields[found]}"),
        )
        with Progress(*columns, console=console, transient=True, speed_estimate_period=_LATELY) as bar:
            task = bar.add_task("", total=self._total, completed=self._before, rate=0.0, found="")
            while True:
                done = self._before + self._scan.stats.done
                bar.update(task, completed=done, found=self._found(), rate=bar.tasks[0].speed or 0.0)
                await anyio.sleep(_REFRESH)

    def _line(self, seconds: float) -> str:
        done = self._scan.stats.done
        rate = done / seconds
        left = max(self._total - self._before - done, 0)
        eta = f", {timedelta(seconds=round(left / rate))} left" if rate else ""
        return f"{self._before + done} of {self._total} domains, {rate:.1f}/s{eta}; {self._found()}"

    def _found(self) -> str:
        stats = self._scan.stats
        counted = [
            f"{stats.statuses[word]} {word.replace('_', ' ')}" for word in _WORDS if stats.statuses[word]
        ]
        waiting = [f"{stats.deferred} to be asked again"] if stats.deferred else []
        return ", ".join([*counted, f"{self._scan.open} sessions open", *waiting])
