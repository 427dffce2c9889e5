"""The output of a monitoring plugin: a status line with performance data, then the findings.

The Monitoring Plugins guidelines define it: `STATUS TEXT | 'label'=value[unit];warn;crit;min;max …`. A second
`|` would begin performance data and a line break would end the status, so both are escaped in every text. The
command line sets the exit code. The output is ASCII, because agents (NRPE, NSClient++) do not agree on an
encoding.

The text of the first line is the same from run to run while the verdict is: it begins with the state of the
domain's mail, and names the worst finding by its title and code. The replies of servers, which may contain a
time or a queue id, are in the lines below.
"""

from collections.abc import Iterator, Sequence

from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Finding, Severity, Urgency, record_of
from checker_smtp.report.model.mail_state import describe_mail
from checker_smtp.report.model.metrics import is_probed, measure_phases
from checker_smtp.report.model.panels import (
    UNSETTLED,
    count_findings,
    describe_acceptance,
    describe_counts,
    describe_severity,
    is_fault,
    list_unused,
)
from checker_smtp.report.model.several import count_statuses, worst_status
from checker_smtp.report.terminal import Terminal
from checker_smtp.report.visible import visible

__all__ = ["render_nagios", "render_nagios_error", "render_nagios_several"]

_STATUS = {
    "ok": "OK",
    "info": "OK",
    "warning": "WARNING",
    "critical": "CRITICAL",
    "unknown": "UNKNOWN",
}
# Nagios reads 8 KiB of a plugin's output (MAX_PLUGIN_OUTPUT_LENGTH). The worst findings and the endpoints
# that senders try first fit.
_MAX_FINDINGS, _MAX_TEXT, _MIN_MESSAGE = 12, 240, 80
_MAX_ENDPOINTS = 8
_FOLLOWS = "smtp.not_tested"


def render_nagios(result: Result, _: Terminal | None = None) -> str:
    """Return the output of the plugin, with a final newline."""
    head = f"SMTP {_STATUS[result.status]}: {_status_text(result)}"
    lines = [f"{head} | {' '.join(_performance(result))}"]
    lines += [_line(finding) for finding in result.findings[:_MAX_FINDINGS]]
    if (more := len(result.findings) - _MAX_FINDINGS) > 0:
        lines.append(f"and {more} more findings")
    lines += map(_plain, list_unused(result.unused_acceptances, result.observation.run_at))
    return "\n".join(lines) + "\n"


def render_nagios_several(results: Sequence[Result], _: Terminal | None = None) -> Iterator[str]:
    """Yield a line on the worst domain, and a line for each domain below it."""
    counts = count_statuses(results)
    # the first one of the worst status
    worst = next(result for result in results if result.status == worst_status(counts))
    words = dict.fromkeys((_STATUS[status] for status in counts), 0)
    for status, number in counts.items():
        words[_STATUS[status]] += number
    statuses = ", ".join(f"{number} {word}" for word, number in words.items())
    head = f"SMTP {_STATUS[worst.status]}: {len(results)} domains: {statuses}"
    if worst.status not in ("ok", "info"):
        head += f"; {_summary(worst)}"
    data = [f"'{status}'={counts.get(status, 0)};;;0;{len(results)}" for status in _STATUS]
    lines = [f"{head} | {' '.join(data)}"]
    lines += [f"{_STATUS[result.status]} {_status_text(result)}" for result in results]
    yield "\n".join(lines) + "\n"


def render_nagios_error(message: str) -> str:
    """Return the output of a check that did not run: a status line with the reason."""
    return f"SMTP UNKNOWN: {_plain(' '.join(message.split()))}\n"


def _status_text(result: Result) -> str:
    return f"mail {_plain(describe_mail(result.mail))}; {_summary(result)}"


def _summary(result: Result) -> str:
    endpoints = result.observation.endpoints
    probed = [endpoint for endpoint in endpoints if is_probed(endpoint)]
    reached = f"{sum(endpoint.connected for endpoint in probed)} of {len(endpoints)} endpoints reached"
    if endpoints and not probed:
        reached = "no endpoint probed"
    summary = f"{_plain(result.observation.domain)}: {reached}"
    summary = ", ".join((summary, *describe_counts(result.findings)))
    if result.observation.mx.null_mx:
        summary = f"{_plain(result.observation.domain)}: declares that it receives no mail (null MX)"
    worst = next(filter(is_fault, result.findings), None)
    if worst is None and result.status == "unknown":
        worst = min(result.findings, key=_settledness, default=None)
    return f"{summary}; {_plain(_name(worst))}" if worst else summary


def _settledness(finding: Finding) -> tuple[bool, bool, int]:
    """Return the order of findings under an unknown status: what is open, a cause before what follows."""
    record = record_of(finding.code)
    urgency = record.urgency if record else Urgency.OTHER
    return finding.outcome not in UNSETTLED, finding.code == _FOLLOWS, urgency


def _name(finding: Finding) -> str:
    """Return the title of the finding's kind and its code, which hold nothing that differs in each run."""
    record = record_of(finding.code)
    return f"{record.title} [{finding.code}]" if record else f"[{finding.code}]"


def _line(finding: Finding) -> str:
    subject = f"{finding.subject} " if finding.subject else ""
    notes = "".join(
        f" ({note})" for note in (describe_severity(finding), describe_acceptance(finding)) if note
    )
    word = "ACCEPTED" if finding.acceptance is not None else finding.severity.upper()
    # a long message is cut, not the code and the decisions behind it
    end = _plain(f" [{finding.code}]{notes}")
    return _plain(f"{word} {subject}{finding.message}", max(_MAX_TEXT - len(end), _MIN_MESSAGE)) + end


def _performance(result: Result) -> list[str]:
    endpoints = [endpoint for endpoint in result.observation.endpoints if is_probed(endpoint)]
    reached = sum(endpoint.connected for endpoint in endpoints)
    data = [f"'time'={result.observation.seconds:.3f}s;;;0"]
    if endpoints or not result.observation.endpoints:
        data.append(f"'reached'={reached};;;0;{len(endpoints)}")
    counts = count_findings(result.findings)
    names = (("critical", Severity.CRIT), ("warnings", Severity.WARN), ("notes", Severity.INFO))
    data += [f"'{name}'={counts[severity]};;;0" for name, severity in names]
    for endpoint in endpoints[:_MAX_ENDPOINTS]:
        label = _plain(endpoint.subject).replace("=", "\\x3d").replace("'", "''")
        data += [
            f"'{label} {phase}'={seconds:.3f}s;;;0" for phase, seconds in measure_phases(endpoint).items()
        ]
    return data


def _plain(text: str, room: int = _MAX_TEXT) -> str:
    """Return one line without characters that have a meaning in a monitoring system or on its web pages."""
    text = visible(text, ascii_only=True).replace("|", "\\x7c")
    # Nagios removes angle brackets from its output, and some web pages interpret them as HTML
    text = text.replace("<", "[").replace(">", "]")
    return text if len(text) <= room else text[: room - 3] + "..."
