"""Run the check of one request: take a slot, and run it in the loop of checks.

The service runs on asyncio. With `--backend trio` checks run in a trio loop in a thread of its own, which
exists as long as a check runs. On either loop, cancelling the caller of `Checks.run` cancels the check.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from time import monotonic
from typing import TypeAlias, TypeVar

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortalProvider

from checker_smtp.api import Backend, RunContext, check_with
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.local_addresses import public_sources
from checker_smtp.backends.tracing import Note, TracingBackend
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.observation import Endpoint
from checker_smtp.probes.options import Options
from checker_smtp.probes.policy import decide_one
from checker_smtp.probes.result import Result

from .admission import Admission
from .options import build_options, default_timeout
from .refusal import CheckRefused
from .restricted_network import RestrictedNetwork
from .settings import ServiceSettings

__all__ = ["Checks"]

_Admit: TypeAlias = Callable[[tuple[Endpoint, ...]], Awaitable[None]]

# Connections of all checks together: a few for each check, and far below the usual limit of 1024 open files.
_MAX_CONNECTIONS = 100
# Documents at a time. Beside the largest one (0.2 s of CPU) a small one takes 0.03 to 0.1 s, and 0.4 to 1.2 s
# if it has to wait for the thread (python -m benchmarks hostile, with 13 other processes on 2 cores).
_DOCUMENT_THREADS = 2
_T = TypeVar("_T")


class Checks:
    """Runs the checks that `admission` admits, with `settings`.

    `network` makes the backend of one check, by default a `RestrictedNetwork` with `settings.resolver`.
    `on_end` gets the result of each check or its error, and its duration in seconds.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        admission: Admission,
        network: Callable[[], Backend] | None = None,
        on_end: Callable[[Result | BaseException, float], None] = lambda _, __: None,
    ) -> None:
        self.settings = settings
        self._admission = admission
        self._network = network
        self._find_sources = None
        if network is None:
            self._find_sources = partial(public_sources, given=settings.source_address)
        self._on_end = on_end
        # shared by all checks, because many domains may have the same mail server
        self._limits: ConnectionLimits | None = None
        self._document_threads = anyio.CapacityLimiter(_DOCUMENT_THREADS)
        self._on_trio = settings.backend == "trio"
        self._trio = BlockingPortalProvider("trio")

    def network(self, options: Options) -> Backend:
        """Return a new backend for one check; a `timeout` that a request gives is that of DNS as well."""
        if self._network is not None:
            return self._network()
        settings = self.settings
        timeout = None if options.timeout == default_timeout(settings) else options.timeout
        return RestrictedNetwork(
            DnsResolver(*settings.resolver, timeout),
            allowed=settings.allow_targets,
            source_address=settings.source_address,
        )

    def options(self, given: Mapping[str, object]) -> Options:
        """Return the options of a request; see `build_options`. Raises `OptionError`."""
        return build_options(given, self.settings)

    async def run(
        self,
        options: Options,
        *,
        client: str,
        evidence: EvidenceBudget,
        is_host: bool = False,
        rules: frozenset[str] | None = None,
        backend: Backend | None = None,
        on_progress: Note | None = None,
        context: RunContext | None = None,
    ) -> Result:
        """Check one domain for the client with the address `client`, within `evidence` (`hold_evidence`).

        `is_host` is true for a host that uses the protocol, false for a visitor of the page. `rules` are the
        names of the enabled rules, None for all; `backend` replaces the default backend, for example to
        record the check; `on_progress` is called in the event loop of the caller. Raises `CheckRefused`,
        `ResolverError`.
        """
        started_at = monotonic()
        try:
            async with self._admission.slot(client=client, domain=options.domain, is_host=is_host):
                backend = backend or self.network(options)
                if on_progress is not None:
                    backend = TracingBackend(backend, self._in_this_loop(on_progress))
                admit = None if is_host else self._from_check(self._admission.count_visits)
                check = partial(
                    check_with,
                    options,
                    backend,
                    backend,
                    resolver_name=self.settings.resolver_name,
                    context=context,
                    rules=rules,
                    admit=admit,
                    evidence=evidence,
                    find_sources=self._find_sources,
                )
                work = partial(self._limited, check)
                result = await (self._in_trio(work) if self._on_trio else work())
            result = result if is_host else decide_one(result, self.settings.policy)
        except BaseException as error:
            self._on_end(error, monotonic() - started_at)
            raise
        self._on_end(result, monotonic() - started_at)
        return result

    @contextmanager
    def hold_evidence(self) -> Iterator[EvidenceBudget]:
        """Hold the budget for the evidence of one check, until its result is sent. Raises `CheckRefused`."""
        with ExitStack() as held:
            try:
                part = held.enter_context(self._admission.evidence_part())
            except CheckRefused as refusal:
                self._on_end(refusal, 0.0)
                raise
            yield part

    async def evaluate(self, work: Callable[[bytes], _T], body: bytes, *, client: str) -> _T:
        """Return the result of `work` on the document that the host `client` sent, done in a thread.

        Raises `CheckRefused`, and what `work` raises.
        """
        try:
            async with self._admission.document(client=client, octets=len(body)):
                return await anyio.to_thread.run_sync(work, body, limiter=self._document_threads)
        except CheckRefused as refusal:
            self._on_end(refusal, 0.0)
            raise

    def _in_this_loop(self, note: Note) -> Note:
        """Return a function that calls `note` in the running loop, whichever thread the check runs in."""
        if not self._on_trio:
            return note
        loop = asyncio.get_running_loop()

        def note_threadsafe(subject: str, step: str) -> None:
            loop.call_soon_threadsafe(note, subject, step)

        return note_threadsafe

    def _from_check(self, count: _Admit) -> _Admit:
        """Return a function that awaits `count` in the running loop, whichever loop the check runs in."""
        if not self._on_trio:
            return count
        loop = asyncio.get_running_loop()

        async def count_in_loop(endpoints: tuple[Endpoint, ...]) -> None:
            counted = asyncio.run_coroutine_threadsafe(_awaited(count(endpoints)), loop)
            # abandoned on cancellation, because the storage has a timeout of its own
            await anyio.to_thread.run_sync(counted.result, abandon_on_cancel=True)

        return count_in_loop

    async def _limited(self, check: Callable[..., Awaitable[Result]]) -> Result:
        """Run the check under the limits of all checks together."""
        if self._limits is None:
            # created here, because its semaphores belong to the loop that checks run in
            self._limits = ConnectionLimits(_MAX_CONNECTIONS)
        return await check(limits=self._limits)

    async def _in_trio(self, work: Callable[[], Awaitable[Result]]) -> Result:
        portal = self._trio.__enter__()
        try:
            return await portal.call_async(work)
        finally:
            # the last check waits for the end of the thread
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._trio.__exit__, None, None, None)


async def _awaited(work: Awaitable[None]) -> None:
    await work
