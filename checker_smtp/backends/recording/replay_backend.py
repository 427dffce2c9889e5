"""A backend that plays a case: the same answers to the same questions, and no network.

Sessions are matched by the address they connect to, in the recorded order for each address, because those
with different addresses run at the same time and their order is chance. A DNS question asked more often
than it was recorded gets its last answer again; one that was not recorded is a mismatch. A case of an older
format lacks the connections and questions that only later versions make: those fail at once, as failures of
this side. So do the control questions that a limit of the check left without an answer.
"""

from collections import deque
from dataclasses import replace
from typing import TypeAlias, TypeVar

import anyio.lowlevel

from checker_smtp.probes.dns import DUAL_STACK_HOSTS, is_control
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from smtp_sansio import Connect, Effect, Failed, FailureKind, Script, Transcript

from .case import Case, file_name, host_of
from .player import Entries, ReplayMismatch, run_matching

__all__ = ["Replay"]

_T = TypeVar("_T")

_Question: TypeAlias = tuple[str, str, bool]
"""Name, type, and True where DNSSEC validation was disabled."""

# The formats since which cases have these.
_CONTINUED_CONNECTIONS, _CONTROL_QUESTIONS = 2, 3
_NEW_NAMES = (".", "com", "ipv4only.arpa")
_WHY = "not recorded by the version of checker-smtp that made this case"
_NOT_RECORDED = Failed(0.0, FailureKind.NOT_PERMITTED, _WHY)


class Replay:
    """Plays `case`; both ports of `probes`."""

    def __init__(self, case: Case) -> None:
        self._answers: dict[_Question, deque[DnsAnswer]] = {}
        for answer in case.dns:
            self._answers.setdefault(answer.question, deque()).append(answer)
        self._asked: set[_Question] = set()
        self._sessions: dict[str, deque[tuple[str, Transcript]]] = {}
        self._lacks_connections = case.format < _CONTINUED_CONNECTIONS
        self._lacks_questions = case.format < _CONTROL_QUESTIONS
        self._domain = case.options.domain
        self._limited = next((answer for answer in case.dns if answer.status.is_limit), None)
        for number, one in enumerate(case.sessions, start=1):
            self._sessions.setdefault(host_of(one), deque()).append((file_name(number, one), one))

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Return the recorded answer. Raises `ReplayMismatch` where the question is not in the record."""
        await anyio.lowlevel.checkpoint()
        key = (name.lower(), rdtype, unvalidated)
        answers = self._answers.get(key)
        if answers is None and (
            key[0] in DUAL_STACK_HOSTS or (self._lacks_questions and self._is_newer(key))
        ):
            return DnsAnswer(
                name=name.lower(),
                rdtype=rdtype,
                status=DnsStatus.UNUSABLE,
                detail=_WHY,
                unvalidated=unvalidated,
            )
        if answers is None and self._limited is not None and is_control(*key[:2]):
            return replace(self._limited, name=key[0], rdtype=rdtype, unvalidated=unvalidated)
        if answers is None:
            raise ReplayMismatch(f"dns.jsonl: {_shown(key)} is asked for, and was not recorded")
        self._asked.add(key)
        return answers.popleft() if len(answers) > 1 else answers[0]

    async def run(self, script: Script[_T]) -> _T:
        """Play the next recorded session with the script's address. Raises `ReplayMismatch`."""
        await anyio.lowlevel.checkpoint()
        return run_matching(script, self._find)

    def unused(self) -> tuple[str, ...]:
        """Return what was recorded and not used, as `example.com MX` and `2-192.0.2.7.jsonl`."""
        questions = sorted(map(_shown, self._answers.keys() - self._asked))
        sessions = sorted(name for waiting in self._sessions.values() for name, _ in waiting)
        return (*questions, *sessions)

    def _is_newer(self, question: _Question) -> bool:
        """Return whether versions before the control questions never asked this."""
        name, rdtype, unvalidated = question
        is_new = unvalidated or is_control(name, rdtype) or name in _NEW_NAMES
        return is_new or (name, rdtype) == (self._domain, "A")

    def _find(self, effect: Effect | None) -> tuple[str, Entries]:
        host = effect.host if isinstance(effect, Connect) else ""
        waiting = self._sessions.get(host)
        if waiting:
            return waiting.popleft()
        if effect is not None and waiting is not None and self._lacks_connections:
            return "not recorded", [(effect, _NOT_RECORDED)]
        return f"no connection to {host} is left" if host else "no connection", ()


def _shown(question: _Question) -> str:
    name, rdtype, unvalidated = question
    return f"{name} {rdtype}" + " with CD=1" * unvalidated
