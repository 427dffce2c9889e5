"""Metrics of one check in the text format of Prometheus, for node_exporter's textfile directory.

Labels are bounded: the domain, its endpoints (at most 32 are probed), the codes and subjects of its worst
findings (at most 64), and words from fixed lists. No other text of a server is in a label. A value that is
not known has no sample, because 0 would claim too much.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

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

__all__ = ["build_metrics", "render_prometheus", "render_prometheus_several"]

# The limit of probes.check. A document may come from anyone, so the limit holds here too.
_MAX_ENDPOINTS = 32
_MAX_LABEL = 253
_MAX_FINDINGS = 64
_MAX_CODE = 64


def render_prometheus(result: Result, terminal: Terminal | None = None) -> str:
    """Return the metrics in the text format, with a final newline."""
    return "".join(render_prometheus_several([result], terminal))


def render_prometheus_several(results: Sequence[Result], _: Terminal | None = None) -> Iterator[str]:
    """Yield the metrics of several domains; a family stands once, with the samples of each domain."""
    registry = CollectorRegistry()
    registry.register(_Collector(results))
    yield generate_latest(registry).decode("utf-8")


def build_metrics(result: Result) -> Iterator[GaugeMetricFamily]:
    """Yield the metrics as gauges with samples and units, for another format."""
    for build in (_verdict, _findings, _endpoints, _run):
        yield from build(result)


class _Collector:
    """A collector of complete families: a Gauge would write to files if PROMETHEUS_MULTIPROC_DIR is set."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._results = results

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for result in self._results:
            for family in build_metrics(result):
                if family.name in families:
                    families[family.name].samples += family.samples
                else:
                    families[family.name] = family
        yield from families.values()


class _Family(GaugeMetricFamily):
    """A family of one domain's samples; its other labels are `labels`."""

    def __init__(self, result: Result, name: str, help_: str, *labels: str) -> None:
        unit = "seconds" if name.endswith("_seconds") else ""
        super().__init__(f"checker_smtp_{name}", help_, labels=["domain", *labels], unit=unit)
        self._domain = _label(result.observation.domain)

    def add(self, value: float, *labels: str) -> None:
        self.add_metric([self._domain, *labels], value)


def _verdict(result: Result) -> Iterator[_Family]:
    status = _Family(result, "status", "1 for the verdict of the last check, 0 for the others.", "status")
    for word in STATUSES:
        status.add(word == result.status, word)
    mail = _Family(result, "mail_accepted", "1 if a server accepts the domain's mail, 0 if none does.")
    if result.mail.state is not MailState.UNKNOWN:
        mail.add(result.mail.state is MailState.ACCEPTED)
    yield from (status, mail)


def _findings(result: Result) -> Iterator[_Family]:
    counts = _Family(result, "findings", "Findings of the last check.", "severity")
    for severity, number in count_findings(result.findings).items():
        counts.add(number, severity.value)
    labels = ("code", "subject", "severity", "outcome")
    each = _Family(result, "finding", "A finding of the last check; always 1.", *labels)
    accepted = _Family(
        result, "finding_accepted", "An accepted finding of the last check; always 1.", *labels
    )
    for family, is_accepted in ((each, False), (accepted, True)):
        findings = [f for f in result.findings if (f.acceptance is not None) is is_accepted]
        # one series for each combination, as in `_endpoints`
        for values in dict.fromkeys(map(_finding_labels, findings[:_MAX_FINDINGS])):
            family.add(1, *values)
    unused = _Family(result, "unused_acceptances", "Acceptances that are over or match no finding.")
    unused.add(len(result.unused_acceptances))
    yield from (counts, each, accepted, unused)


def _endpoints(result: Result) -> Iterator[_Family]:
    endpoints = result.observation.endpoints
    total = _Family(result, "endpoints", "Addresses that receive the domain's mail.")
    total.add(len(endpoints))
    reachable = _Family(result, "endpoints_reachable", "Number of endpoints that accepted a connection.")
    probed = [endpoint for endpoint in endpoints if is_probed(endpoint)]
    if probed or not endpoints:
        reachable.add(sum(endpoint.connected for endpoint in probed))
    up = _Family(result, "endpoint_up", "1 if the endpoint accepted a connection.", "endpoint")
    seconds = _Family(result, "endpoint_phase_seconds", "Duration of a phase.", "endpoint", "phase")
    tls = _Family(result, "endpoint_tls", "1 if STARTTLS established encryption.", "endpoint")
    info = _Family(result, "endpoint_tls_info", "The TLS version; always 1.", "endpoint", "version")
    # one series for each address: Prometheus rejects a file that has a series twice
    for label, endpoint in {_label(e.subject): e for e in probed[:_MAX_ENDPOINTS]}.items():
        up.add(endpoint.connected, label)
        for phase, duration in measure_phases(endpoint).items():
            seconds.add(duration, label, phase)
        session_tls = find_tls(endpoint)
        if session_tls is not None or endpoint.ready_session:
            tls.add(session_tls is not None, label)
        if session_tls is not None:
            info.add(1, label, session_tls.version if session_tls.version in TLS_VERSIONS else "other")
    yield from (total, reachable, up, seconds, tls, info)


def _run(result: Result) -> Iterator[_Family]:
    duration = _Family(result, "duration_seconds", "Duration of the last check.")
    duration.add(result.observation.seconds)
    yield duration
    try:
        start = datetime.fromisoformat(result.observation.run_at)
    except ValueError:
        return
    if start.tzinfo is not None:
        last = _Family(result, "last_run_timestamp_seconds", "Start of the last check, in Unix time.")
        last.add(start.timestamp())
        yield last


def _finding_labels(finding: Finding) -> tuple[str, str, str, str]:
    code = _label(finding.code)[:_MAX_CODE] if record_of(finding.code) is not None else "other"
    return code, _label(finding.subject), finding.severity.value, finding.outcome.value


def _label(text: str) -> str:
    return visible(text, ascii_only=True)[:_MAX_LABEL]
