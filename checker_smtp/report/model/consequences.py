"""Findings that follow from another one: the same reply, or the same refusal of another question.

One 421 defers the mail, the bounces and the relay test alike. All of them are counted, and a report shows
them as one problem: what follows stands below its cause.
"""

from collections.abc import Iterable, Iterator, Sequence

from checker_smtp.probes.rules import Finding, Severity

from .panels import UNSETTLED

__all__ = ["group_by_cause"]


def group_by_cause(findings: Iterable[Finding]) -> list[tuple[Finding, Sequence[Finding]]]:
    """Return each cause with the findings that follow from it; `findings` are the most urgent first.

    Only a note that leaves a question open follows from another finding, and only at one endpoint.
    """
    causes: dict[tuple[object, ...], int] = {}
    groups: list[tuple[Finding, list[Finding]]] = []
    for finding in findings:
        keys = tuple(_keys(finding)) if _may_be_cause(finding) else ()
        known = next((causes[key] for key in keys if key in causes), None)
        if known is None or not _may_follow(finding):
            groups.append((finding, []))
            known = len(groups) - 1
        else:
            groups[known][1].append(finding)
        for key in keys:
            causes.setdefault(key, known)
    return [(cause, tuple(following)) for cause, following in groups]


def _may_be_cause(finding: Finding) -> bool:
    is_open = finding.outcome in UNSETTLED or finding.severity is not Severity.INFO
    return bool(finding.subject) and finding.acceptance is None and is_open


def _may_follow(finding: Finding) -> bool:
    return finding.severity is Severity.INFO and finding.outcome in UNSETTLED


def _keys(finding: Finding) -> Iterator[tuple[object, ...]]:
    """Yield the deciding reply, and the refusal's reason with the words that show it."""
    first = next((item for item in finding.evidence if item.session is not None), None)
    if first is not None:
        yield finding.subject, first.session, first.entry, first.quote
    if finding.words:
        yield finding.subject, finding.reason, finding.words
