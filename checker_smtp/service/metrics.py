"""The Prometheus metrics of the service, in a registry of its own.

Each label has a fixed set of values and never contains a client's input, so no client can create time series.
"""

from asyncio import CancelledError

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from checker_smtp.probes.check import ResolverError
from checker_smtp.probes.result import Result

from .admission import Admission
from .load import Load
from .refusal import CheckRefused

__all__ = ["Metrics"]

_METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
_ROUTES = ("/health", "/definition", "/collect", "/evaluate", "/report", "/check", "/ready", "/about")
_PREFIXES = ("/check/", "/api/v1/")
# seconds; a healthy domain takes one or two, a silent one as long as the check budget
_BUCKETS = (0.25, 0.5, 1, 2, 5, 10, 20, 40, 80, 120)
# the label of a check without a verdict
_FAILURE_LABELS: dict[type, str] = {
    CancelledError: "cancelled",
    ResolverError: "no-resolver",
}


class Metrics:
    """Counters of requests and checks, and gauges of those in flight."""

    def __init__(self, admission: Admission, load: Load) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "checker_smtp_http_requests",
            "Requests by method, route and status (499: the client closed the connection).",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._checks = Counter(
            "checker_smtp_checks", "Checks by verdict.", ("verdict",), registry=self.registry
        )
        self._seconds = Histogram(
            "checker_smtp_check_seconds",
            "Duration of checks, including cancelled ones.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._refused = Counter(
            "checker_smtp_checks_refused",
            "Checks that were not started, by reason.",
            ("reason",),
            registry=self.registry,
        )
        for name, description, value in (
            ("checker_smtp_checks_in_flight", "Checks that are running.", lambda: admission.checks_in_flight),
            ("checker_smtp_requests_in_flight", "Requests for work that are running.", lambda: load.inflight),
            ("checker_smtp_evidence_bytes", "Evidence in memory.", lambda: admission.evidence.in_use),
            ("checker_smtp_evidence_limit_bytes", "The limit.", lambda: admission.evidence.limit),
        ):
            Gauge(name, description, registry=self.registry).set_function(value)

    def count_request(self, method: str, path: str, status: int) -> None:
        """Count a request and the status of its response."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, _route(path), str(status)).inc()

    def count_check(self, outcome: Result | BaseException, seconds: float) -> None:
        """Count a check by its verdict or its error; a refused check has a counter of its own."""
        if isinstance(outcome, CheckRefused):
            self._refused.labels(outcome.reason).inc()
            return
        failure = _FAILURE_LABELS.get(type(outcome), "failed")
        self._checks.labels(outcome.status if isinstance(outcome, Result) else failure).inc()
        self._seconds.observe(seconds)


def _route(path: str) -> str:
    if path in _ROUTES:
        return path
    prefix = next((prefix for prefix in _PREFIXES if path.startswith(prefix)), "")
    return f"{prefix}*" if prefix else "other"
