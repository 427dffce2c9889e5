"""A backend that records: it passes everything to another backend, and keeps queries, commands and replies.

The record is in memory until `save`; of a cancelled session it has the part until the cancellation. A
recording is for one check, because concurrent checks would share the numbering of their connections.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from checker_smtp import __version__
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import Backend, DnsAnswer
from checker_smtp.probes.result import Result
from smtp_sansio import Script, Transcript, tap

from .case import Case, Header, write_case
from .case_files import CASE_FORMAT

__all__ = ["Recording"]

_T = TypeVar("_T")


class Recording:
    """A backend that records everything that passes through it to `backend`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._dns: list[DnsAnswer] = []
        self._sessions: list[Transcript] = []

    @property
    def answers(self) -> tuple[DnsAnswer, ...]:
        """The DNS answers so far."""
        return tuple(self._dns)

    @property
    def sessions(self) -> tuple[Transcript, ...]:
        """The sessions so far; one that is still connecting is empty."""
        return tuple(self._sessions)

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Resolve with the backend, and record the answer."""
        answer = await self._backend.resolve(name, rdtype, unvalidated=unvalidated)
        self._dns.append(answer)
        return answer

    async def run(self, script: Script[_T]) -> _T:
        """Run `script` with the backend, and record each effect and its outcome."""
        transcript = Transcript()
        self._sessions.append(transcript)
        return await self._backend.run(tap(script, transcript.note))

    def case(self, header: Header, expected: Iterable[tuple[str, str]]) -> Case:
        """Return the record as a case; `expected` are pairs of the code and the subject of a finding."""
        sessions = tuple(transcript for transcript in self._sessions if len(transcript))
        return Case.from_header(header, tuple(self._dns), sessions, tuple(sorted(expected)))

    def case_of(self, options: Options, result: Result, *, seed: int) -> Case:
        """Return the case of the check that gave `result`; `seed` is the one of its `RunContext`."""
        header = Header(
            version=__version__,
            run_at=result.observation.run_at,
            seed=seed,
            seconds=result.observation.seconds,
            resolver=result.observation.resolver,
            format=CASE_FORMAT,
            # a replay is on another machine, whose own addresses are not those of the check
            options=replace(options, source_addresses=result.observation.settings.source_addresses),
        )
        case = self.case(header, [(finding.code, finding.subject) for finding in result.findings])
        # a question beyond a limit of the check was not asked, or its answer not used
        limited = [answer for answer in result.observation.dns if answer.status.is_limit]
        questions = {answer.question for answer in limited}
        asked = tuple(answer for answer in case.dns if answer.question not in questions)
        return replace(case, dns=(*asked, *limited))

    def save(self, folder: Path, options: Options, result: Result, *, seed: int) -> None:
        """Write `case_of(options, result)` to a new or empty folder, for `replay`. Raises `CaseError`."""
        write_case(folder, self.case_of(options, result, seed=seed))
