"""The three panels of a report, and how findings are counted: one rule for every format.

*What to fix* has what the domain can act on, *Not settled* what waiting or another check may settle, *About
this checker* what its address, names, network or resolver did to the check. The outcome of a finding decides
the panel; its severity decides the counts and the exit code, in whichever panel it is.
"""

from collections.abc import Iterable
from enum import StrEnum

from checker_smtp.probes.rules import Finding, Outcome, Severity, record_of

__all__ = [
    "UNSETTLED",
    "ReportPanel",
    "count_findings",
    "describe_counts",
    "describe_severity",
    "is_fault",
    "panel_of",
]

UNSETTLED = (Outcome.TRANSIENT, Outcome.REFUSED_US, Outcome.NOT_TESTED)
"""The outcomes that leave the question open."""


class ReportPanel(StrEnum):
    """The panels, in their order."""

    FIX = "fix"
    UNSETTLED = "unsettled"
    CHECKER = "checker"


def is_fault(finding: Finding) -> bool:
    """Return whether the finding is a warning or critical, so that it sets the exit code."""
    return finding.severity is not Severity.INFO


def describe_severity(finding: Finding) -> str:
    """Return a sentence for a finding whose severity the configuration changed; else empty text."""
    if finding.rule_severity is None:
        return ""
    return f"{finding.severity} by the configuration of this checker; its rule gives {finding.rule_severity}"


def panel_of(finding: Finding) -> ReportPanel:
    """Return the panel of a finding.

    A test that did not run for the domain as a whole is about this checker's network.
    """
    record = record_of(finding.code)
    is_of_network = finding.outcome is Outcome.NOT_TESTED and not finding.subject
    if finding.outcome is Outcome.REFUSED_US or is_of_network or (record and record.about_checker):
        return ReportPanel.CHECKER
    return ReportPanel.UNSETTLED if finding.outcome in UNSETTLED else ReportPanel.FIX


def count_findings(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Return the number of findings of each severity, in whichever panel they are."""
    severities = [finding.severity for finding in findings]
    return {severity: severities.count(severity) for severity in Severity}


def describe_counts(counts: dict[Severity, int]) -> tuple[str, ...]:
    """Return the counts that are not 0 in words, the worst first, as in `1 critical` and `2 notes`."""
    words = ((Severity.CRIT, "critical"), (Severity.WARN, "warning"), (Severity.INFO, "note"))
    return tuple(
        f"{number} {word}{'s' if number > 1 and severity is not Severity.CRIT else ''}"
        for severity, word in words
        if (number := counts[severity])
    )
