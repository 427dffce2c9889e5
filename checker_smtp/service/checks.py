"""Run the check of one request: read its options, take a slot, and limit its time.

The service runs on asyncio. With `--backend trio` checks run in a trio loop in a thread of its own, which
exists as long as a check runs. On either loop, cancelling the caller of `Checks.run` cancels the check.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import cast

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortalProvider

from checker_smtp.api import Backend, RunContext, check
from checker_smtp.backends.tracing import Note, TracingBackend
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.result import Result

from .admission import Admission
from .definition import OPTIONS, Option
from .restricted_network import RestrictedNetwork
from .settings import ServiceSettings
from .static_mx import MxSet, StaticMxBackend

__all__ = ["CheckTimeout", "Checks"]

# Connections of all checks together: a few for each check, and far below the usual limit of 1024 open files.
_MAX_CONNECTIONS = 100
_DEFAULT_TIMEOUT = Options(domain="example.com").timeout
_KINDS = {"bool": "true or false", "string": "a string", "number": "a number"}


class CheckTimeout(Exception):  # noqa: N818 - a limit, not an error of this program
    """A check that did not finish within the time for one check; the message is one sentence."""

    def __init__(self, domain: str, seconds: float) -> None:
        super().__init__(
            f"the check of {domain} was cancelled after {seconds:g} seconds: try again with a shorter timeout"
        )


class Checks:
    """Runs the checks that `admission` admits.

    `network` makes the backend of one check, by default a `RestrictedNetwork` with `settings.resolver`.
    """

    def __init__(
        self, settings: ServiceSettings, admission: Admission, network: Callable[[], Backend] | None = None
    ) -> None:
        self._settings = settings
        self._admission = admission
        self._network = network
        # shared by all checks, because many domains may have the same mail server
        self._limits: ConnectionLimits | None = None
        self._on_trio = settings.backend == "trio"
        self._trio = BlockingPortalProvider("trio")

    def network(self, options: Options) -> Backend:
        """Return a new backend for one check; a `timeout` that a request gives is that of DNS as well."""
        if self._network is not None:
            return self._network()
        settings = self._settings
        timeout = None if options.timeout == self._default_timeout else options.timeout
        return RestrictedNetwork(*settings.resolver, timeout, allowed=settings.allow_targets)

    @property
    def _default_timeout(self) -> float:
        # it may exceed the maximum of this service
        return min(_DEFAULT_TIMEOUT, self._settings.max_timeout)

    def options(self, given: Mapping[str, object]) -> Options:
        """Return the options in `given`, by their names in the protocol; unknown names are ignored.

        Null means the default, and so does empty text for an option that has a default. Raises
        `OptionError`.
        """
        settings = self._settings
        values: dict[str, object] = {"timeout": self._default_timeout}
        for option in OPTIONS:
            value = given.get(option.name)
            if value is not None and (value != "" or option.default is None):
                values[option.name] = _typed(option, value)
        if "domain" not in values:
            raise OptionError("domain", "domain is missing: give a host name such as example.com")
        timeout = cast("float", values["timeout"])
        if timeout > settings.max_timeout:
            raise OptionError(
                "timeout", f"timeout is {timeout:g}: give at most {settings.max_timeout:g} seconds here"
            )
        fixed = {"port": settings.port, "allow_targets": settings.allow_targets}
        return Options(**values, **fixed)  # type: ignore[arg-type]

    async def run(
        self,
        options: Options,
        *,
        client: str,
        rules: frozenset[str] | None = None,
        mx: MxSet | None = None,
        backend: Backend | None = None,
        on_progress: Note | None = None,
        context: RunContext | None = None,
    ) -> Result:
        """Check one domain for the client with the address `client`.

        `rules` are the names of the enabled rules, None for all; `mx` is an MX set to check in place of the
        published one; `backend` replaces the default backend, for example to record the check; `on_progress`
        is called in the event loop of the caller. Raises `CheckRefused`, `ResolverError`, `CheckTimeout`.
        """
        async with self._admission.slot(client=client, domain=options.domain):
            backend = backend or self.network(options)
            if mx is not None:
                backend = StaticMxBackend(backend, options.domain, mx)
            if on_progress is not None:
                backend = TracingBackend(backend, self._in_this_loop(on_progress))
            work = partial(self._check, options, backend, context, rules)
            with anyio.move_on_after(self._settings.check_budget):
                return await (self._in_trio(work) if self._on_trio else work())
            raise CheckTimeout(options.domain, self._settings.check_budget)

    def _in_this_loop(self, note: Note) -> Note:
        """Return a function that calls `note` in the running loop, whichever thread the check runs in."""
        if not self._on_trio:
            return note
        loop = asyncio.get_running_loop()

        def note_threadsafe(subject: str, step: str) -> None:
            loop.call_soon_threadsafe(note, subject, step)

        return note_threadsafe

    async def _check(
        self, options: Options, backend: Backend, context: RunContext | None, rules: frozenset[str] | None
    ) -> Result:
        if self._limits is None:
            # created here, because its semaphores belong to the loop that checks run in
            self._limits = ConnectionLimits(_MAX_CONNECTIONS)
        return await check(
            options,
            backend,
            resolver_name=self._settings.resolver_name,
            context=context,
            limits=self._limits,
            rules=rules,
        )

    async def _in_trio(self, work: Callable[[], Awaitable[Result]]) -> Result:
        portal = self._trio.__enter__()
        try:
            return await portal.call_async(work)
        finally:
            # the last check waits for the end of the thread
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._trio.__exit__, None, None, None)


def _typed(option: Option, value: object) -> object:
    """Return `value` if it has the option's JSON type. Raises `OptionError`."""
    if option.kind == "bool" and isinstance(value, bool):
        return value
    if option.kind == "string" and isinstance(value, str):
        return value
    if option.kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        # bounded, because a JSON integer may be too large for a float
        return float(max(min(value, 10**9), -(10**9)))
    raise OptionError(option.name, f"{option.name} has the wrong type: give {_KINDS[option.kind]}")
