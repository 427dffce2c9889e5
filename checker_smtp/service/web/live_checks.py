"""Run a check for the page: stream its steps while it runs, and record it.

The status of an HTTP response cannot change after its first octet, so admission has to be decided before the
page is sent. `start_check` therefore waits for the first lookup of the check, which follows admission.
"""

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic

import anyio

from checker_smtp.api import RunContext
from checker_smtp.backends.recording.case import Case
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result
from checker_smtp.service.checks import Checks
from checker_smtp.service.refusal import CheckRefused

__all__ = ["CheckStep", "CompletedCheck", "FailedCheck", "LiveCheck", "start_check"]

_logger = logging.getLogger("checker_smtp.page")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStep:
    """A step that began `at` seconds after the start of the check; an empty `what` means the subject is done.

    `subject` is an endpoint, or `DNS` for every lookup.
    """

    at: float
    subject: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedCheck:
    """A check with a result, and its record."""

    result: Result
    case: Case


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCheck:
    """A check without a result; the message is one sentence for the user."""

    message: str


class LiveCheck:
    """One running check. The stream `steps` ends with the check; after that `outcome` is set."""

    def __init__(self, checks: Checks, options: Options, client: str, evidence: EvidenceBudget) -> None:
        self._checks = checks
        self._options = options
        self._client = client
        self._evidence = evidence
        self._started_at = 0.0
        self._step_sender, self.steps = anyio.create_memory_object_stream[CheckStep](math.inf)
        self._pending_lookups: list[str] = []
        self.decided = anyio.Event()
        self.refusal: CheckRefused | None = None
        self.outcome: CompletedCheck | FailedCheck = FailedCheck(message="the check was cancelled")

    async def run(self) -> None:
        """Run the check and set `outcome` or `refusal`."""
        self._started_at = monotonic()
        try:
            self.outcome = await self._check()
        except CheckRefused as refusal:
            if self.decided.is_set():
                # the rates of the servers are counted after the lookups
                self.outcome = FailedCheck(message=str(refusal))
            else:
                self.refusal = refusal
        except ResolverError as error:
            self.outcome = FailedCheck(
                message=f"the DNS resolver of this service {error.problem} ({error.detail}), "
                "so nothing could be checked: try again later"
            )
        except Exception:
            # the page has been sent in part, and needs its end
            _logger.exception("a check for the page failed")
            self.outcome = FailedCheck(
                message="an error in this service ended the check; the log has the details"
            )
        finally:
            self.decided.set()
            self._step_sender.close()

    async def _check(self) -> CompletedCheck:
        context = RunContext()
        recording = Recording(self._checks.network(self._options))
        result = await self._checks.run(
            self._options,
            client=self._client,
            evidence=self._evidence,
            backend=recording,
            on_progress=self._on_progress,
            context=context,
        )
        return CompletedCheck(result=result, case=recording.case_of(self._options, result, seed=context.seed))

    def _on_progress(self, subject: str, what: str) -> None:
        self.decided.set()
        if what == "DNS":
            self._pending_lookups.append(subject)
            subject, what = "DNS", subject
        elif subject in self._pending_lookups:
            self._pending_lookups.remove(subject)
            if self._pending_lookups:
                return
            subject = "DNS"
        if subject:
            at = monotonic() - self._started_at
            # a check in another thread may report a step after its end
            with suppress(anyio.ClosedResourceError):
                self._step_sender.send_nowait(CheckStep(at=at, subject=subject, what=what))


@asynccontextmanager
async def start_check(checks: Checks, options: Options, *, client: str) -> AsyncIterator[LiveCheck]:
    """Start a check and cancel it at the end of the block. Raises `CheckRefused`."""
    # held while the caller sends the result
    with checks.hold_evidence() as evidence:
        check = LiveCheck(checks, options, client, evidence)
        async with check.steps, anyio.create_task_group() as group:
            group.start_soon(check.run)
            await check.decided.wait()
            if check.refusal is None:
                yield check
            group.cancel_scope.cancel()
    if check.refusal is not None:
        raise check.refusal
