"""The one way by which a request becomes a check: its options read, its place taken, its time bounded.

The service runs on asyncio. Where it is told to check on trio, checks run in a trio loop in a thread of
their own, which is there as long as there is a check. Whoever stops waiting for a check cancels it, on
either loop.
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

# Connections of all checks together: a few for each of them, and far from what a process may have open.
_MAX_CONNECTIONS = 100
_USUAL_TIMEOUT = Options(domain="example.com").timeout
_KINDS = {"bool": "true or false", "string": "a text", "number": "a number"}


class CheckTimeout(Exception):  # noqa: N818 - nobody's error: a bound that was reached
    """A whole check took longer than one may; the message is one sentence."""

    def __init__(self, domain: str, seconds: float) -> None:
        super().__init__(
            f"the check of {domain} was given up after {seconds:g} seconds: try again, with a shorter timeout"
        )


class Checks:
    """Runs checks, as many at a time as `admission` lets in.

    `network` makes the backend of one check; by default it is the network, asked through
    `settings.resolver`.
    """

    def __init__(
        self, settings: ServiceSettings, admission: Admission, network: Callable[[], Backend] | None = None
    ) -> None:
        self._settings = settings
        self._admission = admission
        self.network = network or partial(_network, settings)
        # of all checks together: a server that many domains share must not be knocked at by each of them
        self._limits: ConnectionLimits | None = None
        self._on_trio = settings.backend == "trio"
        self._trio = BlockingPortalProvider("trio")

    def options(self, given: Mapping[str, object]) -> Options:
        """The options of a request, called as in the protocol; others are passed over.

        What is null was not given, nor was empty text where there is a default. Raises `OptionError`.
        """
        settings = self._settings
        # the usual timeout may be more than is allowed here
        read: dict[str, object] = {"timeout": min(_USUAL_TIMEOUT, settings.max_timeout)}
        for option in OPTIONS:
            value = given.get(option.name)
            if value is not None and (value != "" or option.default is None):
                read[option.name] = _typed(option, value)
        if "domain" not in read:
            raise OptionError("domain", "domain is missing: give a host name such as example.com")
        timeout = cast("float", read["timeout"])
        if timeout > settings.max_timeout:
            raise OptionError(
                "timeout", f"timeout is {timeout:g}: give at most {settings.max_timeout:g} seconds here"
            )
        fixed = {"port": settings.port, "allow_targets": settings.allow_targets}
        return Options(**read, **fixed)  # type: ignore[arg-type]

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
        """Check one domain for `client`, an address.

        `rules` are the names of those that are on, None for all; `mx` is the set to check in place of the
        published one; `backend` is used instead of a new one, as to record the check; `on_progress` is called
        in the loop that this was called in. Raises `CheckRefused`, `ResolverError`, `CheckTimeout`.
        """
        async with self._admission.slot(client=client, domain=options.domain):
            backend = backend or self.network()
            if mx is not None:
                backend = StaticMxBackend(backend, options.domain, mx)
            if on_progress is not None:
                backend = TracingBackend(backend, self._in_this_loop(on_progress))
            work = partial(self._checked, options, backend, context, rules)
            with anyio.move_on_after(self._settings.check_budget):
                return await (self._in_trio(work) if self._on_trio else work())
            raise CheckTimeout(options.domain, self._settings.check_budget)

    def _in_this_loop(self, note: Note) -> Note:
        """`note` as it may be called in whatever thread the check runs."""
        if not self._on_trio:
            return note
        loop = asyncio.get_running_loop()

        def told(subject: str, step: str) -> None:
            loop.call_soon_threadsafe(note, subject, step)

        return told

    async def _checked(
        self, options: Options, backend: Backend, context: RunContext | None, rules: frozenset[str] | None
    ) -> Result:
        if self._limits is None:
            # here, because they belong to the loop that checks run in
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
            # whoever leaves last waits for the end of the thread
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._trio.__exit__, None, None, None)


def _typed(option: Option, value: object) -> object:
    """The value, if it has the type that JSON gives such a value. Raises `OptionError`."""
    if option.kind == "bool" and isinstance(value, bool):
        return value
    if option.kind == "string" and isinstance(value, str):
        return value
    if option.kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        # an integer may be one that no float can hold
        return float(max(min(value, 10**9), -(10**9)))
    raise OptionError(option.name, f"{option.name} has the wrong type: give {_KINDS[option.kind]}")


def _network(settings: ServiceSettings) -> Backend:
    return RestrictedNetwork(*settings.resolver, allowed=settings.allow_targets)
