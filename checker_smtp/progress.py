"""What is being waited for now, on a terminal: one line for each lookup and each session, until it is over.

The lines are redrawn by a clock, not by events: what takes no time is never shown.
"""

from time import monotonic
from types import TracebackType

import anyio
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from checker_smtp.backends.tracing import TracingBackend

from .api import Backend

__all__ = ["Progress"]

_REDRAWN = 4  # times a second


class Progress(TracingBackend):
    """A backend that shows what passes through it, and is otherwise the one it wraps."""

    def __init__(self, backend: Backend, console: Console) -> None:
        super().__init__(backend, self._waits)
        # what is waited for where, since when
        self._waiting: dict[str, tuple[str, float]] = {}
        self._live = Live(
            console=console, transient=True, refresh_per_second=_REDRAWN, get_renderable=self._table
        )

    def __enter__(self) -> "Progress":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._live.stop()

    async def pause(self, seconds: float) -> None:
        """Wait for a second visit, and show that."""
        self._waits("put off", f"waiting {seconds / 60:g} min to ask once more")
        await anyio.sleep(seconds)
        self._waits("put off", "")

    def _waits(self, subject: str, step: str) -> None:
        if step:
            self._waiting[subject] = (step, monotonic())
        else:
            self._waiting.pop(subject, None)

    def _table(self) -> Table:
        """Called from rich's thread, so from a copy."""
        table = Table.grid(padding=(0, 2))
        for _ in range(3):
            table.add_column(no_wrap=True, overflow="ellipsis")
        now = monotonic()
        for subject, (step, since) in list(self._waiting.items()):
            table.add_row(Text(subject), Text(step), Text(f"{now - since:.0f} s", "dim"))
        return table
