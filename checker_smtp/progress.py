"""What is being waited for now, on a terminal: one line for each lookup and each session, until it is over.

It stands between the probes and a backend, and neither knows of it. What it shows is our side of the
conversation only. The lines are redrawn by a clock, not by events: what takes no time is never shown.
"""

from time import monotonic
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from probes.addresses import subject_of
from probes.ports import DnsAnswer
from smtp_sansio import Connect, Effect, Receive, Script, Send, Upgrade

from .facade import Backend

__all__ = ["Progress"]

_T = TypeVar("_T")
_REDRAWN = 4  # times a second
_CONNECTING = "connecting"


class Progress:
    """A backend that shows what passes through it, and is otherwise the one it wraps."""

    def __init__(self, backend: Backend, console: Console) -> None:
        self._backend = backend
        # what is asked of whom, what is waited for, since when
        self._waiting: dict[object, tuple[str, str, float]] = {}
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

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        question = object()
        self._waiting[question] = ("DNS", f"{rdtype} {name}", monotonic())
        try:
            return await self._backend.resolve(name, rdtype)
        finally:
            del self._waiting[question]

    async def run(self, script: Script[_T]) -> _T:
        return await self._backend.run(self._shown(script))

    def _shown(self, script: Script[_T]) -> Script[_T]:
        """The same script; each effect is shown before it is performed."""
        session = object()
        subject = ""
        try:
            effect = next(script)
            while True:
                if isinstance(effect, Connect):
                    subject = subject_of(effect.host, effect.port)
                if step := _step(effect, self._waiting.get(session)):
                    self._waiting[session] = (subject, step, monotonic())
                effect = script.send((yield effect))
        except StopIteration as stop:
            value: _T = stop.value
            return value
        finally:
            self._waiting.pop(session, None)
            script.close()

    def _table(self) -> Table:
        """Called from rich's thread, so from a copy."""
        table = Table.grid(padding=(0, 2))
        for _ in range(3):
            table.add_column(no_wrap=True, overflow="ellipsis")
        now = monotonic()
        for subject, step, since in list(self._waiting.values()):
            table.add_row(Text(subject), Text(step), Text(f"{now - since:.0f} s", "dim"))
        return table


def _step(effect: Effect, before: tuple[str, str, float] | None) -> str:
    """What `effect` waits for; empty where that is still what was said last."""
    match effect:
        case Connect():
            return _CONNECTING
        case Receive() if before is not None and before[1] == _CONNECTING:
            return "waiting for the greeting"
        case Send():
            lines = effect.data.decode("ascii", "replace").splitlines()
            return lines[0] if len(lines) == 1 else f"{lines[0]} and {len(lines) - 1} more commands"
        case Upgrade():
            return "TLS handshake"
        case _:
            return ""
