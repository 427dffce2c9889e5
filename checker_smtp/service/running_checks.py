"""The checks that the page and the API run: their steps while they run, and where their results went.

The status of an HTTP response cannot change after its first octet, so admission has to be decided before it.
A check is therefore started and its first lookup waited for, which follows admission.

A check of the page ends with its connection. One of the API runs on without it, and its client asks for it by
its name.
"""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated

import anyio
import msgspec

from checker_smtp.api import RunContext
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.history.failures import HistoryError
from checker_smtp.history.store import KeptCheck
from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.options import Options
from checker_smtp.service.checks import Checks
from checker_smtp.service.load import Load
from checker_smtp.service.refusal import CheckRefused

from .results import CompletedCheck, ResultStore

__all__ = ["CheckProgress", "FailedCheck", "RunningCheck", "RunningChecks"]

_logger = logging.getLogger("checker_smtp.service")
# Steps of one check that are kept for its page: 32 endpoints have 20 each.
_MAX_STEPS = 2000
# Checks without a result whose reason is kept for the client that asks.
_MAX_FAILED = 1000


class CheckProgress(msgspec.Struct, frozen=True):
    """The last step of a server, or of the DNS lookups; `what` is empty where it has ended."""

    at: Annotated[float, msgspec.Meta(description="seconds since the start of the check")]
    subject: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCheck:
    """A check without a result; the message is one sentence for the user.

    `status` and `headers` are those of the HTTP response to a client that waited for it.
    """

    message: str
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)


class RunningCheck:
    """One check, which is known by `name` from its start on; `outcome` is set when it has ended."""

    def __init__(self, options: Options, client: str, owner: str) -> None:
        self.name = secrets.token_urlsafe(16)
        self.options = options
        self.client = client
        self.owner = owner
        self.refusal: CheckRefused | None = None
        self.outcome: KeptCheck | FailedCheck | None = None
        self.latest: dict[str, CheckProgress] = {}
        self.decided = anyio.Event()
        self.ended = anyio.Event()
        self._started_at = monotonic()
        self._steps: list[CheckProgress] = []
        self._changed = anyio.Event()
        self._lookups: list[str] = []

    async def steps(self) -> AsyncIterator[CheckProgress]:
        """Yield each step when it begins, until the check has ended."""
        seen = 0
        while True:
            changed = self._changed
            for step in self._steps[seen:]:
                yield step
            seen = len(self._steps)
            if self.ended.is_set() and changed is self._changed:
                return
            if changed is self._changed:
                await changed.wait()

    def note(self, subject: str, what: str) -> None:
        """Note a step of the check, as `TracingBackend` reports it."""
        self.decided.set()
        if what == "DNS":
            self._lookups.append(subject)
            subject, what = "DNS", subject
        elif subject in self._lookups:
            self._lookups.remove(subject)
            if self._lookups:
                return
            subject = "DNS"
        # a check in another thread may report a step after its end
        if subject and not self.ended.is_set():
            step = CheckProgress(at=round(monotonic() - self._started_at, 3), subject=subject, what=what)
            self.latest[subject] = step
            if len(self._steps) < _MAX_STEPS:
                self._steps.append(step)
                self._wake()

    def without_steps(self) -> "RunningCheck":
        """Return the check as it is kept after its end: the steps are for the clients that read them now."""
        kept = copy(self)
        kept._steps, kept._lookups = [], []
        return kept

    def end(self) -> None:
        """Note the end of the check."""
        self.decided.set()
        self.ended.set()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class RunningChecks:
    """Starts checks, and keeps their results in `results`."""

    def __init__(self, checks: Checks, results: ResultStore, load: Load) -> None:
        self._checks = checks
        self._results = results
        self._load = load
        self._running: dict[str, RunningCheck] = {}
        self._failed: OrderedDict[str, RunningCheck] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, name: str) -> RunningCheck | None:
        """Return the check that runs by this name, or ended without a result; None for any other."""
        return self._running.get(name) or self._failed.get(name)

    async def start(self, options: Options, *, client: str, owner: str) -> RunningCheck:
        """Start a check that needs no connection. Raises `CheckRefused`."""
        check = RunningCheck(options, client, owner)
        task = asyncio.create_task(self._run(check))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await check.decided.wait()
        if check.refusal is not None:
            raise check.refusal
        return check

    @asynccontextmanager
    async def attached(self, options: Options, *, client: str, owner: str) -> AsyncIterator[RunningCheck]:
        """Start a check, and cancel it at the end of the block. Raises `CheckRefused`."""
        check = RunningCheck(options, client, owner)
        async with anyio.create_task_group() as group:
            group.start_soon(self._run, check)
            await check.decided.wait()
            if check.refusal is None:
                yield check
            group.cancel_scope.cancel()
        if check.refusal is not None:
            raise check.refusal

    async def _run(self, check: RunningCheck) -> None:
        self._running[check.name] = check
        check.outcome = FailedCheck(message="the check was cancelled")
        try:
            with self._load.request():
                check.outcome = await self._outcome_of(check)
        except CheckRefused as refusal:
            if check.decided.is_set():
                # the rates of the servers are counted after the lookups
                check.outcome = FailedCheck(
                    message=str(refusal), status=refusal.status, headers=refusal.headers
                )
            else:
                check.refusal = refusal
        finally:
            del self._running[check.name]
            if isinstance(check.outcome, FailedCheck) and check.refusal is None:
                self._failed[check.name] = check.without_steps()
                if len(self._failed) > _MAX_FAILED:
                    self._failed.popitem(last=False)
            check.end()

    async def _outcome_of(self, check: RunningCheck) -> KeptCheck | FailedCheck:
        try:
            with self._checks.hold_evidence() as evidence:
                completed = await self._check(check, evidence)
                return await self._results.keep(check.name, completed, check.owner)
        except CheckRefused:
            raise
        except ResolverError as error:
            return FailedCheck(
                message=f"the DNS resolver of this service {error.problem} ({error.detail}), "
                "so nothing could be checked: try again later"
            )
        except HistoryError:
            _logger.exception("a result could not be kept")
            return FailedCheck(
                message="the service cannot keep results at the moment: try again later", status=503
            )
        except Exception:
            # the page has been sent in part, and needs its end
            _logger.exception("a check failed")
            return FailedCheck(message="an error in this service ended the check; the log has the details")

    async def _check(self, check: RunningCheck, evidence: EvidenceBudget) -> CompletedCheck:
        context = RunContext()
        recording = Recording(self._checks.network(check.options))
        result = await self._checks.run(
            check.options,
            client=check.client,
            evidence=evidence,
            backend=recording,
            on_progress=check.note,
            context=context,
        )
        case = recording.case_of(check.options, result, seed=context.seed)
        return CompletedCheck(result=result, case=case)
