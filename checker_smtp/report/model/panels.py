"""The panels of a report, and how findings are counted: one rule for every format.

*What to fix* has what the domain can act on, *Not settled* what waiting or another check may settle, *About
this checker* what its address, names, network or resolver did to the check. The outcome of a finding decides
the panel; its severity decides the counts and the exit code, in whichever panel it is. *Accepted* has the
findings that the operator accepts: they are shown, and do not count.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from checker_smtp.probes.policy import is_over
from checker_smtp.probes.rules import Acceptance, Finding, Outcome, Severity, record_of
from checker_smtp.report.visible import visible

__all__ = [
    "UNSETTLED",
    "ReportPanel",
    "count_findings",
    "describe_acceptance",
    "describe_counts",
    "describe_severity",
    "is_fault",
    "list_unused",
    "panel_of",
]

# Characters of a text in an acceptance that are shown: a document may come from anyone.
_MAX_TEXT = 200
_MAX_UNUSED = 20
UNSETTLED = (Outcome.TRANSIENT, Outcome.REFUSED_US, Outcome.NOT_TESTED)
"""The outcomes that leave the question open."""


class ReportPanel(StrEnum):
    """The panels, in their order."""

    FIX = "fix"
    UNSETTLED = "unsettled"
    CHECKER = "checker"
    ACCEPTED = "accepted"


def is_fault(finding: Finding) -> bool:
    """Return whether the finding sets the exit code: a warning or critical, and not accepted."""
    return finding.severity is not Severity.INFO and finding.acceptance is None


def describe_severity(finding: Finding) -> str:
    """Return a sentence for a finding whose severity the configuration changed; else empty text."""
    if finding.rule_severity is None:
        return ""
    return f"{finding.severity} by the configuration of this checker; its rule gives {finding.rule_severity}"


def panel_of(finding: Finding) -> ReportPanel:
    """Return the panel of a finding.

    A test that did not run for the domain as a whole is about this checker's network.
    """
    if finding.acceptance is not None:
        return ReportPanel.ACCEPTED
    record = record_of(finding.code)
    is_of_network = finding.outcome is Outcome.NOT_TESTED and not finding.subject
    if finding.outcome is Outcome.REFUSED_US or is_of_network or (record and record.about_checker):
        return ReportPanel.CHECKER
    return ReportPanel.UNSETTLED if finding.outcome in UNSETTLED else ReportPanel.FIX


def count_findings(findings: Iterable[Finding]) -> dict[Severity, int]:
    """Return the number of findings of each severity, without those that are accepted."""
    severities = [finding.severity for finding in findings if finding.acceptance is None]
    return {severity: severities.count(severity) for severity in Severity}


def describe_counts(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the counts that are not 0 in words, the worst first, as in `1 critical` and `2 notes`.

    The number of accepted findings, if there are any, is the last one.
    """
    counts = count_findings(findings)
    accepted = sum(finding.acceptance is not None for finding in findings)
    words = ((Severity.CRIT, "critical"), (Severity.WARN, "warning"), (Severity.INFO, "note"))
    counted = tuple(
        f"{number} {word}{'s' if number > 1 and severity is not Severity.CRIT else ''}"
        for severity, word in words
        if (number := counts[severity])
    )
    return (*counted, f"{accepted} accepted") if accepted else counted


def describe_acceptance(finding: Finding) -> str:
    """Return until when an accepted finding is accepted, and why; empty text for any other finding."""
    acceptance = finding.acceptance
    if acceptance is None:
        return ""
    until = f" until {acceptance.until}" if acceptance.until else ""
    return f"accepted{until}: {_reason(acceptance)}"


def list_unused(acceptances: Sequence[Acceptance], run_at: str) -> tuple[str, ...]:
    """Return a sentence on each acceptance that a check at the time `run_at` did not use, up to a limit."""
    sentences = tuple(_describe_unused(acceptance, run_at) for acceptance in acceptances[:_MAX_UNUSED])
    more = len(acceptances) - len(sentences)
    return (*sentences, f"{more} more acceptances match no finding, or are over") if more else sentences


def _describe_unused(acceptance: Acceptance, run_at: str) -> str:
    """Return a sentence on an acceptance that a check at the time `run_at` (RFC 3339) did not use."""
    where = f" at {visible(acceptance.subject[:_MAX_TEXT])}" if acceptance.subject else ""
    name = f"The acceptance of {visible(acceptance.code[:_MAX_TEXT])}{where} ({_reason(acceptance)})"
    if is_over(acceptance, run_at):
        return f"{name} ended on {acceptance.until}: remove it, or give a later day"
    return f"{name} matches no finding: remove it if the fault is fixed"


def _reason(acceptance: Acceptance) -> str:
    return visible(acceptance.reason[:_MAX_TEXT])
