"""A check that somebody watches: it is running while its steps are told, and is recorded.

Admission comes first, and its answer is wanted before a word is said to the browser: once a page has begun
its status cannot change. So `started` waits until the check asks its first question, which it does only when
it was let in.
"""

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic

import anyio

import checker_smtp
from checker_smtp.api import RunContext
from checker_smtp.backends.recording.case import Case, Header
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result

from .admission import CheckRefused
from .checks import Checks, CheckTimeout

__all__ = ["CheckStep", "CompletedCheck", "FailedCheck", "LiveCheck", "start_check"]

_logger = logging.getLogger("checker_smtp.page")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStep:
    """What is waited for, and where, `at` seconds after the check began; `what` is empty once that is over.

    `subject` is an endpoint, or `DNS` for every lookup.
    """

    at: float
    subject: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedCheck:
    """A check that came to its end, and the whole of it recorded."""

    result: Result
    case: Case


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCheck:
    """A check that gave no result; the message is one sentence fit for anybody to read."""

    message: str


class LiveCheck:
    """One check. What comes out of `steps` ends with it; then `end` is set."""

    def __init__(self, checks: Checks, options: Options, client: str) -> None:
        self._checks = checks
        self._options = options
        self._client = client
        self._began = 0.0
        self._noted, self.steps = anyio.create_memory_object_stream[CheckStep](math.inf)
        self._questions: list[str] = []
        self.decided = anyio.Event()
        self.refusal: CheckRefused | None = None
        self.outcome: CompletedCheck | FailedCheck = FailedCheck(message="the check was given up")

    async def run(self) -> None:
        """Run the check to its end, whichever it is."""
        self._began = monotonic()
        try:
            self.outcome = await self._checked()
        except CheckRefused as refusal:
            self.refusal = refusal
        except ResolverError as error:
            self.outcome = FailedCheck(
                message=f"the DNS resolver of this service does not answer ({error.detail}), "
                "so nothing could be found out: try again later"
            )
        except CheckTimeout as error:
            self.outcome = FailedCheck(message=str(error))
        except Exception:
            # the page has begun and must be ended
            _logger.exception("a check for the page failed")
            self.outcome = FailedCheck(message="a fault of this service ended the check; it was logged")
        finally:
            self.decided.set()
            self._noted.close()

    async def _checked(self) -> CompletedCheck:
        context = RunContext()
        recording = Recording(self._checks.network())
        result = await self._checks.run(
            self._options, client=self._client, backend=recording, on_progress=self._note, context=context
        )
        header = Header(
            version=checker_smtp.__version__,
            run_at=context.run_at,
            seed=context.seed,
            seconds=result.observation.seconds,
            resolver=result.observation.resolver,
            options=self._options,
        )
        found = [(finding.code, finding.subject) for finding in result.findings]
        return CompletedCheck(result=result, case=recording.case(header, found))

    def _note(self, subject: str, what: str) -> None:
        self.decided.set()
        if what == "DNS":
            self._questions.append(subject)
            subject, what = "DNS", subject
        elif subject in self._questions:
            self._questions.remove(subject)
            if self._questions:
                return
            subject = "DNS"
        if subject:
            at = monotonic() - self._began
            # a check in another thread may have something to say after its end
            with suppress(anyio.ClosedResourceError):
                self._noted.send_nowait(CheckStep(at=at, subject=subject, what=what))


@asynccontextmanager
async def start_check(checks: Checks, options: Options, *, client: str) -> AsyncIterator[LiveCheck]:
    """A check that was let in, and is cancelled where the block is left before its end.

    Raises `CheckRefused` where it was not.
    """
    run = LiveCheck(checks, options, client)
    async with run.steps, anyio.create_task_group() as group:
        group.start_soon(run.run)
        await run.decided.wait()
        if run.refusal is None:
            yield run
        group.cancel_scope.cancel()
    if run.refusal is not None:
        raise run.refusal
