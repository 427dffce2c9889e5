"""One domain on its way from the list to its line."""

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio

from checker_smtp.probes.check import ResolvedDomain, build_observation
from checker_smtp.probes.dns import resolve_reverse_dns
from checker_smtp.probes.observation import Session
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result, evaluate

__all__ = ["DomainScan", "bug"]

_MAX_TOLD = 200


@dataclass(slots=True, eq=False)
class DomainScan:
    """A domain that was looked up; `sessions` fills with what its addresses gave, until none is `open`.

    `number` is its place in the list, `began` when it was looked up (seconds, the loop's clock). `failed`
    says why nothing can be told of it after all.
    """

    number: int
    prospect: ResolvedDomain
    run_at: str
    began: float
    open: int = 0
    failed: str = ""
    sessions: dict[str, tuple[Session, ...]] = field(default_factory=dict)

    @property
    def options(self) -> Options:
        return self.prospect.options

    @property
    def name(self) -> str:
        return self.prospect.options.domain

    async def evaluate(self, knock: Callable[[Options, str], Awaitable[str]], resolver_name: str) -> Result:
        """What there is to say when all were asked. `knock` visits a control, by its address."""
        prospect = self.prospect
        addresses = [endpoint.address for endpoint in prospect.endpoints]
        names = {address: await resolve_reverse_dns(prospect.lookups, address) for address in addresses}
        observation = await build_observation(
            prospect,
            self.sessions,
            names,
            partial(knock, self.options),
            run_at=self.run_at,
            resolver_name=resolver_name,
        )
        return evaluate(replace(observation, seconds=round(anyio.current_time() - self.began, 3)))


def bug(error: Exception) -> str:
    """What is to be reported where this program failed: the error and the line it comes from."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    *_, frame = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    told = "".join(traceback.format_exception_only(error)).strip()[:_MAX_TOLD]
    return f"a bug in checker-smtp, please report it: {told} ({where})"
