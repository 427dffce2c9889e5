"""The verdict in sentences: can mail arrive, and how much is to be fixed.

Delivery and faults are two questions: an open relay accepts mail perfectly well. The sentence on delivery is
that of the state of the domain's mail.
"""

from dataclasses import dataclass

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Finding, MailState, Severity

from .mail_state import describe_arrival
from .panels import ReportPanel, count_findings, panel_of

__all__ = ["STATUS_WORDS", "Verdict", "build_verdict", "list_disabled_tests"]

STATUS_WORDS = {
    "ok": "OK",
    "info": "OK, with notes",
    "warning": "Warning",
    "critical": "Critical",
    "unknown": "Unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The head line of a report; `arrival` and `faults` are sentences."""

    status: str
    word: str
    arrival: str
    faults: str


def build_verdict(result: Result) -> Verdict:
    """Build the verdict on `result`."""
    return Verdict(
        status=result.status,
        word=STATUS_WORDS.get(result.status, "Unknown"),
        arrival=describe_arrival(result),
        faults=_faults(result),
    )


def _faults(result: Result) -> str:
    to_fix = _count([f for f in result.findings if panel_of(f) is ReportPanel.FIX], "to fix")
    others = _count([f for f in result.findings if panel_of(f) is not ReportPanel.FIX], "not settled")
    accepted = sum(finding.acceptance is not None for finding in result.findings)
    if faults := ", ".join(filter(None, (to_fix, others, f"{accepted} accepted" if accepted else ""))):
        return f"{faults}."
    is_known = result.mail.state in (MailState.ACCEPTED, MailState.NONE) and result.status != "unknown"
    if not is_known:
        return "No fault was found, and none is ruled out."
    open_panels = (ReportPanel.UNSETTLED, ReportPanel.CHECKER)
    is_all = all(panel_of(finding) not in open_panels for finding in result.findings)
    return "Nothing to fix." if is_all else "Nothing to fix was found."


def _count(findings: list[Finding], state: str) -> str:
    """Return the number of critical findings and warnings, with their state; empty where there are none."""
    counts = count_findings(findings)
    words = ((counts[Severity.CRIT], "critical fault"), (counts[Severity.WARN], "warning"))
    parts = [f"{number} {word}{'s' * (number != 1)}" for number, word in words if number]
    return f"{' and '.join(parts)} {state}" if parts else ""


def list_disabled_tests(observation: Observation) -> tuple[str, ...]:
    """Return the tests and address families that an option disabled."""
    settings = observation.settings
    return tuple(
        name
        for name, is_enabled in (
            ("null sender", settings.test_null_sender),
            ("postmaster", settings.test_postmaster),
            ("open relay", settings.test_open_relay),
            ("IPv4", settings.ipv4),
            ("IPv6", settings.ipv6),
        )
        if not is_enabled
    )
