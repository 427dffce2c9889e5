"""Several domains in one report: the worst status, and the number of each."""

from collections.abc import Iterable, Sequence

from checker_smtp.probes.result import Result

__all__ = ["count_statuses", "worst_status"]

# As in the status of one domain: a warning stands, whatever else is not known.
_ORDER = ("ok", "info", "unknown", "warning", "critical")


def worst_status(statuses: Iterable[str]) -> str:
    """Return the worst of these statuses, `unknown` where there is none."""
    return max(statuses, key=_ORDER.index, default="unknown")


def count_statuses(results: Sequence[Result]) -> dict[str, int]:
    """Return the number of domains of each status that occurs, the worst status first."""
    statuses = sorted((result.status for result in results), key=_ORDER.index, reverse=True)
    return {status: statuses.count(status) for status in statuses}
