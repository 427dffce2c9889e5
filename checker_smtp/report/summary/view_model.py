"""The view model of the summary: the head, the verdicts, the panels."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from checker_smtp.report.visible import visible

from .buckets import Group
from .panels import Panel, findings, servers, share, verdicts
from .tally import Tally

__all__ = ["Summary", "build_summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The summary to render: `facts` are label and value, `warnings` sentences about unreadable lines."""

    title: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    verdicts: Panel
    findings: tuple[Panel, ...]
    servers: tuple[Panel, ...]


def build_summary(tally: Tally, path: str) -> Summary:
    """Build the summary of a scan; `path` is that of its results, `-` for standard input."""
    return Summary(
        title=_of(tally.checked, "domain"),
        headline=_headline(tally),
        facts=tuple((label, visible(value)) for label, value in _facts(tally, path)),
        warnings=tuple(map(visible, _warnings(tally))),
        verdicts=verdicts(tally, path),
        findings=findings(tally, path),
        servers=servers(tally, path),
    )


def _headline(tally: Tally) -> str:
    if not tally.checked:
        return "No domain was checked."
    critical = sum(b.count for status, b in tally.groups[Group.STATUS].top(5) if status == "critical")
    if not critical:
        return "No domain has a critical fault."
    has = "has" if critical == 1 else "have"
    return f"{_of(critical, 'domain')} ({share(critical, tally.checked)}) {has} a critical fault."


def _facts(tally: Tally, path: str) -> Iterator[tuple[str, str]]:
    if tally.first_run is not None and tally.last_run is not None:
        yield "Checked", f"{_minute(tally.first_run)} to {_minute(tally.last_run)} UTC"
    yield "Names given", f"{tally.checked + tally.unchecked:,}"
    yield "Not checked", f"{tally.unchecked:,}"
    yield "Sessions in the results", f"{tally.sessions:,}; shared ones count for each domain"
    yield "Results", "standard input" if path == "-" else path


def _warnings(tally: Tally) -> Iterator[str]:
    if tally.broken:
        samples = "; ".join(f"line {number:,}: {why}" for number, why in tally.broken_samples)
        more = "" if tally.broken == len(tally.broken_samples) else "; …"
        yield f"{_of(tally.broken, 'line')} could not be read ({samples}{more})."
    if tally.half_written:
        yield (
            "The last line is half-written and not counted: the scan was interrupted, or is still running."
        )


def _of(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
