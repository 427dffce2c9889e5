"""The verdict in sentences: can mail arrive, and how much is to be fixed.

Delivery and faults are two questions: an open relay accepts mail perfectly well. The sentence on delivery is
that of the state of the domain's mail.
"""

from dataclasses import dataclass

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import MailState, Severity

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
    counts = count_findings(result.findings)
    crit, warn = counts[Severity.CRIT], counts[Severity.WARN]
    parts = [
        f"{crit} critical fault{'s' * (crit != 1)}" if crit else "",
        f"{warn} warning{'s' * (warn != 1)}" if warn else "",
    ]
    if faults := " and ".join(filter(None, parts)):
        return f"{faults} to fix."
    is_known = result.mail.state in (MailState.ACCEPTED, MailState.NONE) and result.status != "unknown"
    if not is_known:
        return "No fault was found, and none is ruled out."
    is_all = all(panel_of(finding) is ReportPanel.FIX for finding in result.findings)
    return "Nothing to fix." if is_all else "Nothing to fix was found."


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
