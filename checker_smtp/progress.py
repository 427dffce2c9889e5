"""What is being done now, per endpoint, on a terminal: one line for each session, redrawn as it goes on.

It listens through `tap`, so neither probes nor backends know of it. What it shows is our side of the
conversation only.
"""

from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.table import Table

from probes.observation import subject_of
from probes.ports import DnsAnswer
from smtp_sansio import Connect, Done, Effect, Failed, Outcome, Script, Secured, Send, Upgrade, tap

from .facade import Backend

__all__ = ["Progress"]

_T = TypeVar("_T")


class Progress:
    """A backend that shows what passes through it, and is otherwise the one it wraps."""

    def __init__(self, backend: Backend, console: Console) -> None:
        self._backend = backend
        self._steps: dict[str, str] = {}
        self._live = Live(console=console, transient=True, auto_refresh=False, get_renderable=self._table)

    def __enter__(self) -> "Progress":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._live.stop()

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        self._show("DNS", f"{rdtype} {name}")
        return await self._backend.resolve(name, rdtype)

    async def run(self, script: Script[_T]) -> _T:
        subject = ""

        def note(effect: Effect, outcome: Outcome) -> None:
            nonlocal subject
            if isinstance(effect, Connect):
                subject = subject_of(effect.host, effect.port)
            if step := _step(effect, outcome):
                self._show(subject, step)

        return await self._backend.run(tap(script, note))

    def _show(self, subject: str, step: str) -> None:
        self._steps[subject] = step
        self._live.refresh()

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for subject, step in self._steps.items():
            table.add_row(subject, step)
        return table


def _step(effect: Effect, outcome: Outcome) -> str:
    """What is waited for now; empty where nothing new began."""
    if isinstance(outcome, Failed):
        return f"{outcome.kind} {outcome.detail}".strip()
    if isinstance(effect, Connect) and isinstance(outcome, Done):
        return "waiting for the greeting"
    if isinstance(effect, Send):
        lines = effect.data.decode("ascii", "replace").splitlines()
        return lines[0] if len(lines) == 1 else f"{lines[0]} and {len(lines) - 1} more commands"
    if isinstance(effect, Upgrade) and isinstance(outcome, Secured):
        return f"{outcome.version} established"
    return ""
