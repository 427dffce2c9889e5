"""Metrics of one check in the text format of Prometheus, as for node_exporter's textfile directory.

Labels are bounded: the domain, its endpoints (at most 32 are ever probed), and words out of fixed lists.
Whatever else a server said is in no label. A value that is not known has no sample: 0 would be a claim.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Severity

from .document import STATUSES
from .metrics import TLS_VERSIONS, count_findings, find_tls, is_probed, measure_phases
from .visible import visible

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["build_metrics", "render_prometheus"]

# as probes.check has it; a document may have been written by anybody
_MAX_ENDPOINTS = 32
_MAX_LABEL = 253


def render_prometheus(result: Result) -> str:
    """The exposition, with a final newline."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(result))
    return generate_latest(registry).decode("utf-8")


def build_metrics(result: Result) -> Iterator["GaugeMetricFamily"]:
    """The metrics themselves, for another format: gauges with samples, and a unit where they have one."""
    return _Collector(result).collect()


class _Collector:
    """Hands over finished families: a Gauge would go to files where PROMETHEUS_MULTIPROC_DIR is set."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self._domain = _label(result.observation.domain)

    def collect(self) -> Iterator["GaugeMetricFamily"]:
        yield from self._verdict()
        yield from self._endpoints()
        yield from self._run()

    def _verdict(self) -> Iterator["GaugeMetricFamily"]:
        status = self._gauge("status", "Whether this is the verdict of the last check.", "status")
        for word in STATUSES:
            status.add_metric([self._domain, word], word == self._result.status)
        findings = self._gauge("findings", "Findings of the last check.", "severity")
        for severity in Severity:
            findings.add_metric([self._domain, severity.value], count_findings(self._result, severity))
        yield from (status, findings)

    def _endpoints(self) -> Iterator["GaugeMetricFamily"]:
        endpoints = self._result.observation.endpoints
        known = self._gauge("endpoints", "Addresses that receive the domain's mail.")
        known.add_metric([self._domain], len(endpoints))
        reachable = self._gauge("endpoints_reachable", "How many of them accepted a connection.")
        asked = [endpoint for endpoint in endpoints if is_probed(endpoint)]
        if asked or not endpoints:
            reachable.add_metric([self._domain], sum(endpoint.connected for endpoint in asked))
        up = self._gauge("endpoint_up", "Whether it accepted a connection.", "endpoint")
        seconds = self._gauge("endpoint_phase_seconds", "Time taken by a phase.", "endpoint", "phase")
        tls = self._gauge("endpoint_tls", "Whether STARTTLS led to encryption.", "endpoint")
        info = self._gauge("endpoint_tls_info", "The TLS version; always 1.", "endpoint", "version")
        # one series an address: a file in which one stands twice is refused as a whole
        unique = {_label(endpoint.subject): endpoint for endpoint in asked[:_MAX_ENDPOINTS]}
        for label, endpoint in unique.items():
            labels = [self._domain, label]
            up.add_metric(labels, endpoint.connected)
            for phase, took in measure_phases(endpoint).items():
                seconds.add_metric([*labels, phase], took)
            found = find_tls(endpoint)
            if found is not None or endpoint.ready_session:
                tls.add_metric(labels, found is not None)
            if found is not None:
                info.add_metric([*labels, found.version if found.version in TLS_VERSIONS else "other"], 1)
        yield from (known, reachable, up, seconds, tls, info)

    def _run(self) -> Iterator["GaugeMetricFamily"]:
        seen = self._result.observation
        duration = self._gauge("duration_seconds", "How long the last check took.")
        duration.add_metric([self._domain], seen.seconds)
        yield duration
        try:
            began = datetime.fromisoformat(seen.run_at)
        except ValueError:
            return
        if began.tzinfo is not None:
            last = self._gauge("last_run_timestamp_seconds", "When the last check began, in Unix time.")
            last.add_metric([self._domain], began.timestamp())
            yield last

    def _gauge(self, name: str, help_: str, *labels: str) -> "GaugeMetricFamily":
        from prometheus_client.core import GaugeMetricFamily

        unit = "seconds" if name.endswith("_seconds") else ""
        return GaugeMetricFamily(f"checker_smtp_{name}", help_, labels=["domain", *labels], unit=unit)


def _label(text: str) -> str:
    return visible(text, ascii_only=True)[:_MAX_LABEL]
