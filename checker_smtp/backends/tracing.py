"""What a check waits for, told while it runs: each lookup and each step of each session.

A backend that stands between the probes and another one, and neither knows of it. What it tells is our side
of the conversation only, so nothing in it was said by a server.
"""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from checker_smtp.api import Backend
from checker_smtp.probes.addresses import subject_of
from checker_smtp.probes.ports import DnsAnswer
from smtp_sansio import Connect, Effect, Receive, Script, Send, Upgrade

__all__ = ["Note", "TracingBackend"]

_T = TypeVar("_T")
_CONNECTING = "connecting"

Note: TypeAlias = Callable[[str, str], None]
"""Called with a subject (`MX example.com`, `192.0.2.7:25`) and what is waited for there, empty at the end."""


class TracingBackend:
    """A backend that tells `note` what passes through it, and is otherwise the one it wraps."""

    def __init__(self, backend: Backend, note: Note) -> None:
        self._backend = backend
        self._note = note

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        """Ask the backend; the question is told until it is answered."""
        question = f"{rdtype} {name}"
        self._note(question, "DNS")
        try:
            return await self._backend.resolve(name, rdtype)
        finally:
            self._note(question, "")

    async def run(self, script: Script[_T]) -> _T:
        """Have the backend run `script`; each effect is told before it is performed."""
        return await self._backend.run(self._told(script))

    def _told(self, script: Script[_T]) -> Script[_T]:
        subject = step = ""
        try:
            effect = next(script)
            while True:
                if isinstance(effect, Connect):
                    subject = subject_of(effect.host, effect.port)
                if next_step := _step(effect, step):
                    step = next_step
                    self._note(subject, step)
                effect = script.send((yield effect))
        except StopIteration as stop:
            value: _T = stop.value
            return value
        finally:
            if step:
                self._note(subject, "")
            script.close()


def _step(effect: Effect, before: str) -> str:
    """What `effect` waits for; empty where that is still what was said last."""
    match effect:
        case Connect():
            return _CONNECTING
        case Receive() if before == _CONNECTING:
            return "waiting for the greeting"
        case Send():
            lines = effect.data.decode("ascii", "replace").splitlines()
            return lines[0] if len(lines) == 1 else f"{lines[0]} and {len(lines) - 1} more commands"
        case Upgrade():
            return "TLS handshake"
        case _:
            return ""
