"""The Prometheus metrics of the service, in a registry of its own.

Each label has a fixed set of values and never contains a client's input, so no client can create time series.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .admission import Admission
from .load import Load

__all__ = ["Metrics"]

_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_ROUTES = ("/health", "/definition", "/collect", "/evaluate", "/report", "/check")
# seconds; a healthy domain takes one or two, a silent one as long as the check budget
_BUCKETS = (0.25, 0.5, 1, 2, 5, 10, 20, 40, 80, 120)


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
        ):
            Gauge(name, description, registry=self.registry).set_function(value)

    def count_request(self, method: str, path: str, status: int) -> None:
        """Count a request and the status of its response."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, _route(path), str(status)).inc()

    def count_check(self, verdict: str, seconds: float) -> None:
        """Count a check; `verdict` is the status of its result, or the label of its failure."""
        self._checks.labels(verdict).inc()
        self._seconds.observe(seconds)

    def count_refused(self, reason: str) -> None:
        """Count a check that was not started."""
        self._refused.labels(reason).inc()


def _route(path: str) -> str:
    if path in _ROUTES:
        return path
    return "/check/*" if path.startswith("/check/") else "other"
