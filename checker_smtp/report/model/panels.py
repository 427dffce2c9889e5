"""The three panels of a report, and how findings are counted: one rule for every format.

*What to fix* has what the domain can act on, *Not settled* what waiting or another check may settle, *About
this checker* what its address, names, network or resolver did to the check.
"""

from collections.abc import Iterable
from enum import StrEnum

from checker_smtp.probes.rules import Finding, Outcome, Severity, record_of

__all__ = ["UNSETTLED", "ReportPanel", "count_findings", "describe_severity", "is_fault", "panel_of"]

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

    A fault stands with what to fix, whatever its outcome, so that no warning status is over an empty panel. A
    test that did not run for the domain as a whole is about this checker's network.
    """
    if is_fault(finding):
        return ReportPanel.FIX
    record = record_of(finding.code)
    is_of_network = finding.outcome is Outcome.NOT_TESTED and not finding.subject
    if finding.outcome is Outcome.REFUSED_US or is_of_network or (record and record.about_checker):
        return ReportPanel.CHECKER
    return ReportPanel.UNSETTLED if finding.outcome in UNSETTLED else ReportPanel.FIX


def count_findings(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Return the number of findings of each severity, in whichever panel they are."""
    severities = [finding.severity for finding in findings]
    return {severity: severities.count(severity) for severity in Severity}
