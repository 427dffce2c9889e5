"""The state of one domain between its DNS lookups and its result line."""

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio

from checker_smtp.probes.check import ResolvedDomain, build_observation, server_name
from checker_smtp.probes.dns import resolve_reverse_dns
from checker_smtp.probes.observation import Session
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result, evaluate

__all__ = ["DomainScan", "bug_report"]

_MAX_ERROR = 200


@dataclass(slots=True, eq=False)
class DomainScan:
    """A resolved domain; `sessions` holds those of each address, until no address is `pending`.

    `number` is its place in the list, `started_at` the time of its first lookup (seconds, the loop's clock).
    `failed` is empty, or the reason why the domain has no result.
    """

    number: int
    resolved: ResolvedDomain
    run_at: str
    started_at: float
    pending: int = 0
    failed: str = ""
    sessions: dict[str, tuple[Session, ...]] = field(default_factory=dict)

    @property
    def options(self) -> Options:
        return self.resolved.options

    @property
    def name(self) -> str:
        return self.resolved.options.domain

    def mx_host(self, address: str) -> str:
        """Return the name of the domain's MX host at this address; empty where it is no host name."""
        return next(server_name(e) for e in self.resolved.endpoints if e.address == address)

    async def evaluate(
        self, probe_control: Callable[[Options, str], Awaitable[str]], resolver_name: str
    ) -> Result:
        """Return the result, once no address is pending; `probe_control` probes a control host by address."""
        resolved = self.resolved
        names = {
            endpoint.address: await resolve_reverse_dns(resolved.lookups, endpoint.address, endpoint.targets)
            for endpoint in resolved.endpoints
        }
        observation = await build_observation(
            resolved,
            self.sessions,
            names,
            partial(probe_control, self.options),
            run_at=self.run_at,
            resolver_name=resolver_name,
        )
        return evaluate(replace(observation, seconds=round(anyio.current_time() - self.started_at, 3)))


def bug_report(error: Exception) -> str:
    """Return a request to report `error` as a bug of this program, with the line that raised it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    *_, frame = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    description = "".join(traceback.format_exception_only(error)).strip()[:_MAX_ERROR]
    return f"a bug in checker-smtp, please report it: {description} ({where})"
