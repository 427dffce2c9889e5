"""Report what a check waits for while it runs: each lookup and each step of each session.

The backend here wraps another one, and neither the probes nor that one know of it. It reports the client's
side of the conversation only, so nothing in its reports comes from a server.
"""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from checker_smtp.probes.addresses import subject_of
from checker_smtp.probes.dns import is_control
from checker_smtp.probes.ports import Backend, DnsAnswer
from smtp_sansio import Connect, Effect, Outcome, Receive, Script, Send, Upgrade, intercept

__all__ = ["DNS_STEP", "Note", "TracingBackend"]

_T = TypeVar("_T")
_CONNECTING = "connecting"
DNS_STEP = "DNS"
"""The step of a lookup."""

Note: TypeAlias = Callable[[str, str], None]
"""Called with a subject (`MX example.com`, `192.0.2.7:25`) and the step it waits for, empty at the end."""


class TracingBackend:
    """A backend that reports to `note` each step of `backend`, and otherwise behaves like it."""

    def __init__(self, backend: Backend, note: Note) -> None:
        self._backend = backend
        self._note = note

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Resolve by the wrapped backend; the question is reported until it is answered.

        Control questions are not reported, because their names are not of the domain.
        """
        if is_control(name, rdtype):
            return await self._backend.resolve(name, rdtype, unvalidated=unvalidated)
        question = f"{rdtype} {name}"
        self._note(question, DNS_STEP)
        try:
            return await self._backend.resolve(name, rdtype, unvalidated=unvalidated)
        finally:
            self._note(question, "")

    async def run(self, script: Script[_T]) -> _T:
        """Run `script` on the wrapped backend; each effect is reported before it is performed."""
        return await self._backend.run(self._trace(script))

    def _trace(self, script: Script[_T]) -> Script[_T]:
        subject = step = ""

        def noted(effect: Effect) -> Script[Outcome]:
            nonlocal subject, step
            if isinstance(effect, Connect):
                subject = subject_of(effect.host, effect.port)
            if next_step := _step(effect, step):
                step = next_step
                self._note(subject, step)
            return (yield effect)

        try:
            return (yield from intercept(script, noted))
        finally:
            if step:
                self._note(subject, "")


def _step(effect: Effect, before: str) -> str:
    """Return the step that `effect` waits for; empty where the step `before` goes on."""
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
