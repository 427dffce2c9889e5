"""Count each check in the metrics, with its verdict and its duration."""

from asyncio import CancelledError
from collections.abc import Callable
from time import monotonic

from checker_smtp.api import Backend, RunContext
from checker_smtp.backends.tracing import Note
from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.options import Options
from checker_smtp.probes.result import Result

from .admission import Admission, CheckRefused
from .checks import Checks, CheckTimeout
from .metrics import Metrics
from .settings import ServiceSettings
from .static_mx import MxSet

__all__ = ["CountedChecks"]

# the label of a check without a verdict
_FAILURE_LABELS: dict[type[BaseException], str] = {
    CancelledError: "cancelled",
    CheckTimeout: "out-of-time",
    ResolverError: "no-resolver",
}


class CountedChecks(Checks):
    """`Checks` that counts each check in `metrics`."""

    def __init__(
        self,
        settings: ServiceSettings,
        admission: Admission,
        network: Callable[[], Backend] | None = None,
        *,
        metrics: Metrics,
    ) -> None:
        super().__init__(settings, admission, network)
        self._metrics = metrics

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
        """Check one domain and count the check; see `Checks.run`."""
        started_at = monotonic()
        try:
            result = await super().run(
                options,
                client=client,
                rules=rules,
                mx=mx,
                backend=backend,
                on_progress=on_progress,
                context=context,
            )
        except CheckRefused as refusal:
            self._metrics.count_refused(refusal.reason)
            raise
        except BaseException as error:
            self._metrics.count_check(_FAILURE_LABELS.get(type(error), "failed"), monotonic() - started_at)
            raise
        self._metrics.count_check(result.status, monotonic() - started_at)
        return result
