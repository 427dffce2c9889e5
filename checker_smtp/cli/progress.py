"""The progress of a check on a terminal: one line for each lookup and session in progress.

The lines are redrawn by a clock, not by events: a step that takes no time is never shown.
"""

from time import monotonic

import anyio
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from checker_smtp.api import Backend
from checker_smtp.backends.tracing import TracingBackend

__all__ = ["Progress"]

_REFRESH_RATE = 4  # times a second


class Progress(TracingBackend):
    """A backend that shows the lookups and sessions in progress, and passes them to the one it wraps."""

    def __init__(self, backend: Backend, console: Console) -> None:
        super().__init__(backend, self._show_step)
        # by subject: the step in progress, and its start (seconds, monotonic)
        self._steps: dict[str, tuple[str, float]] = {}
        self._live = Live(
            console=console, transient=True, refresh_per_second=_REFRESH_RATE, get_renderable=self._table
        )

    def __enter__(self) -> "Progress":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    async def pause(self, seconds: float) -> None:
        """Wait before a retry, and show that."""
        self._show_step("deferred", f"waiting {seconds / 60:g} min to retry")
        await anyio.sleep(seconds)
        self._show_step("deferred", "")

    def _show_step(self, subject: str, step: str) -> None:
        if step:
            self._steps[subject] = (step, monotonic())
        else:
            self._steps.pop(subject, None)

    def _table(self) -> Table:
        """Return the lines; rich calls this in its own thread, so they are made from a copy."""
        table = Table.grid(padding=(0, 2))
        for _ in range(3):
            table.add_column(no_wrap=True, overflow="ellipsis")
        now = monotonic()
        for subject, (step, since) in list(self._steps.items()):
            table.add_row(Text(subject), Text(step), Text(f"{now - since:.0f} s", "dim"))
        return table
