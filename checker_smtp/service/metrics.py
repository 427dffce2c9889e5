"""Figures for Prometheus, in a registry of their own.

Every label takes its values from a short list, never from what a client sent: a stranger must not be able
to make time series.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .admission import Admission
from .load import Load

__all__ = ["Metrics"]

_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_ROUTES = ("/health", "/definition", "/collect", "/evaluate", "/report", "/check")
# seconds; a healthy domain takes one or two, a silent one runs into the budget
_BUCKETS = (0.25, 0.5, 1, 2, 5, 10, 20, 40, 80, 120)


class Metrics:
    """What happened so far, and what happens now."""

    def __init__(self, admission: Admission, load: Load) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "checker_smtp_http_requests",
            "Requests by method, route and status (499: the client did not wait for the answer).",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._checks = Counter(
            "checker_smtp_checks", "Checks by verdict.", ("verdict",), registry=self.registry
        )
        self._seconds = Histogram(
            "checker_smtp_check_seconds",
            "How long checks took, those given up too.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._refused = Counter(
            "checker_smtp_checks_refused",
            "Checks that were not begun, by reason.",
            ("reason",),
            registry=self.registry,
        )
        for name, told, value in (
            ("checker_smtp_checks_in_flight", "Checks running.", lambda: admission.checks_in_flight),
            ("checker_smtp_requests_in_flight", "Requests that make work, running.", lambda: load.inflight),
        ):
            Gauge(name, told, registry=self.registry).set_function(value)

    def count_request(self, method: str, path: str, status: int) -> None:
        """Count an answered request."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, _route(path), str(status)).inc()

    def count_check(self, verdict: str, seconds: float) -> None:
        """Count a check that was run; `verdict` is its status, or why there is none."""
        self._checks.labels(verdict).inc()
        self._seconds.observe(seconds)

    def count_refused(self, reason: str) -> None:
        """Count a check that was not begun."""
        self._refused.labels(reason).inc()


def _route(path: str) -> str:
    if path in _ROUTES:
        return path
    return "/check/*" if path.startswith("/check/") else "other"
