"""A backend that remembers: it passes everything on to another and keeps what was asked and answered.

All is kept in memory until `write`, and of a session that was cancelled what there was until then. A
recording is for one check; two at the same time would share the numbering of their connections.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from checker_smtp.probes.ports import DnsAnswer, Resolver, Runner
from smtp_sansio import Script, Transcript, tap

from .case import Case, Header, write_case

__all__ = ["Backend", "Recording"]

_T = TypeVar("_T")


class Backend(Resolver, Runner, Protocol):
    """Both ports of `probes` in one object."""


class Recording:
    """Records what goes through `backend`; itself a backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._dns: list[DnsAnswer] = []
        self._sessions: list[Transcript] = []

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        """Ask the backend, and remember its answer."""
        answer = await self._backend.resolve(name, rdtype)
        self._dns.append(answer)
        return answer

    async def run(self, script: Script[_T]) -> _T:
        """Have the backend run `script`, and remember each effect and its outcome."""
        transcript = Transcript()
        self._sessions.append(transcript)
        return await self._backend.run(tap(script, transcript.note))

    def case(self, header: Header, expected: Iterable[tuple[str, str]]) -> Case:
        """All that was recorded; `expected` are pairs of the code and the subject of a finding."""
        sessions = tuple(transcript for transcript in self._sessions if len(transcript))
        return Case.of(header, tuple(self._dns), sessions, tuple(sorted(expected)))

    def write(self, folder: Path, header: Header, expected: Iterable[tuple[str, str]]) -> None:
        """Write `case(header, expected)` to `folder`, which is empty or not there. Raises `CaseError`."""
        write_case(folder, self.case(header, expected))
