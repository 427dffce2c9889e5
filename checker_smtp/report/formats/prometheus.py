"""Metrics of one check in the text format of Prometheus, for node_exporter's textfile directory.

Labels are bounded: the domain, its endpoints (at most 32 are probed), the codes and subjects of its worst
findings (at most 64), and words from fixed lists. No other text of a server is in a label. A value that is
not known has no sample, because 0 would claim too much.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Finding, MailState, record_of
from checker_smtp.report.document import STATUSES
from checker_smtp.report.model.metrics import (
    TLS_VERSIONS,
    find_tls,
    is_probed,
    measure_phases,
)
from checker_smtp.report.model.panels import count_findings
from checker_smtp.report.terminal import Terminal
from checker_smtp.report.visible import visible

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["build_metrics", "render_prometheus"]

# The limit of probes.check. A document may come from anyone, so the limit holds here too.
_MAX_ENDPOINTS = 32
_MAX_LABEL = 253
_MAX_FINDINGS = 64
_MAX_CODE = 64


def render_prometheus(result: Result, _: Terminal | None = None) -> str:
    """Return the metrics in the text format, with a final newline."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(result))
    return generate_latest(registry).decode("utf-8")


def build_metrics(result: Result) -> Iterator["GaugeMetricFamily"]:
    """Return the metrics as gauges with samples and units, for another format."""
    return _Collector(result).collect()


class _Collector:
    """A collector of complete families: a Gauge would write to files if PROMETHEUS_MULTIPROC_DIR is set."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self._domain = _label(result.observation.domain)

    def collect(self) -> Iterator["GaugeMetricFamily"]:
        yield from self._verdict()
        yield from self._endpoints()
        yield from self._run()

    def _verdict(self) -> Iterator["GaugeMetricFamily"]:
        status = self._gauge("status", "1 for the verdict of the last check, 0 for the others.", "status")
        for word in STATUSES:
            status.add_metric([self._domain, word], word == self._result.status)
        findings = self._gauge("findings", "Findings of the last check.", "severity")
        for severity, number in count_findings(self._result.findings).items():
            findings.add_metric([self._domain, severity.value], number)
        yield from (status, self._mail(), findings, self._each_finding())

    def _mail(self) -> "GaugeMetricFamily":
        mail = self._gauge("mail_accepted", "1 if a server accepts the domain's mail, 0 if none does.")
        state = self._result.mail.state
        if state is not MailState.UNKNOWN:
            mail.add_metric([self._domain], state is MailState.ACCEPTED)
        return mail

    def _each_finding(self) -> "GaugeMetricFamily":
        labels = ("code", "subject", "severity", "outcome")
        each = self._gauge("finding", "A finding of the last check; always 1.", *labels)
        # a series for each combination, as in `_endpoints`
        for values in dict.fromkeys(map(_finding_labels, self._result.findings[:_MAX_FINDINGS])):
            each.add_metric([self._domain, *values], 1)
        return each

    def _endpoints(self) -> Iterator["GaugeMetricFamily"]:
        endpoints = self._result.observation.endpoints
        total = self._gauge("endpoints", "Addresses that receive the domain's mail.")
        total.add_metric([self._domain], len(endpoints))
        reachable = self._gauge("endpoints_reachable", "Number of endpoints that accepted a connection.")
        probed = [endpoint for endpoint in endpoints if is_probed(endpoint)]
        if probed or not endpoints:
            reachable.add_metric([self._domain], sum(endpoint.connected for endpoint in probed))
        up = self._gauge("endpoint_up", "1 if the endpoint accepted a connection.", "endpoint")
        seconds = self._gauge("endpoint_phase_seconds", "Duration of a phase.", "endpoint", "phase")
        tls = self._gauge("endpoint_tls", "1 if STARTTLS established encryption.", "endpoint")
        info = self._gauge("endpoint_tls_info", "The TLS version; always 1.", "endpoint", "version")
        # one series for each address: Prometheus rejects a file that has a series twice
        unique = {_label(endpoint.subject): endpoint for endpoint in probed[:_MAX_ENDPOINTS]}
        for label, endpoint in unique.items():
            labels = [self._domain, label]
            up.add_metric(labels, endpoint.connected)
            for phase, duration in measure_phases(endpoint).items():
                seconds.add_metric([*labels, phase], duration)
            session_tls = find_tls(endpoint)
            if session_tls is not None or endpoint.ready_session:
                tls.add_metric(labels, session_tls is not None)
            if session_tls is not None:
                version = session_tls.version if session_tls.version in TLS_VERSIONS else "other"
                info.add_metric([*labels, version], 1)
        yield from (total, reachable, up, seconds, tls, info)

    def _run(self) -> Iterator["GaugeMetricFamily"]:
        observation = self._result.observation
        duration = self._gauge("duration_seconds", "Duration of the last check.")
        duration.add_metric([self._domain], observation.seconds)
        yield duration
        try:
            start = datetime.fromisoformat(observation.run_at)
        except ValueError:
            return
        if start.tzinfo is not None:
            last = self._gauge("last_run_timestamp_seconds", "Start of the last check, in Unix time.")
            last.add_metric([self._domain], start.timestamp())
            yield last

    def _gauge(self, name: str, help_: str, *labels: str) -> "GaugeMetricFamily":
        from prometheus_client.core import GaugeMetricFamily

        unit = "seconds" if name.endswith("_seconds") else ""
        return GaugeMetricFamily(f"checker_smtp_{name}", help_, labels=["domain", *labels], unit=unit)


def _finding_labels(finding: Finding) -> tuple[str, str, str, str]:
    code = _label(finding.code)[:_MAX_CODE] if record_of(finding.code) is not None else "other"
    return code, _label(finding.subject), finding.severity.value, finding.outcome.value


def _label(text: str) -> str:
    return visible(text, ascii_only=True)[:_MAX_LABEL]
