"""The gain of shared sessions in a scan of 10,000 domains on 500 servers, by Zipf's law.

The same command with and without `--no-reuse` against the fake internet, with the default limits: two
sessions at once with one address, a second between two. Sharing matters because of these limits, since most
domains are on few servers. Without sharing only the first part of the list is scanned; its rate does not
depend on the length.

A second pair of scans without limits shows the gain in processor time alcost.
"""

from collections.abc import Iterator

from .figures import Requirement, table
from .scans import ScanCost, fake_internet

__all__ = ["run"]

_DOMAINS, _SEPARATE = 10_000, 600
_NO_LIMITS = ("--per-address", "100", "--delay", "0")


def run() -> Iterator[Requirement]:
    """Measure, print the table, and yield the requirements."""
    with fake_internet() as internet:
        runs = {
            "shared": internet.scan(_DOMAINS),
            "each domain separately": internet.scan(_SEPARATE, "--no-reuse"),
            "shared, no limits": internet.scan(_DOMAINS, *_NO_LIMITS),
            "separately, no limits": internet.scan(_SEPARATE, "--no-reuse", *_NO_LIMITS),
        }
    shared, separate = runs["shared"], runs["each domain separately"]
    rows = [
        [
            label,
            f"{cost.domains:,}",
            f"{cost.seconds:.1f}",
            f"{_rate(cost):.0f}",
            f"{1000 * cost.processor / cost.domains:.1f}",
            f"{cost.written / cost.domains / 1000:.1f}",
            f"{cost.sessions / cost.domains:.3f}",
            f"{cost.queries / cost.domains:.2f}",
        ]
        for label, cost in runs.items()
    ]
    of_each = ["processor ms/domain", "kB/domain", "sessions/domain", "queries/domain"]
    print(table(["scan", "domains", "seconds", "domains/s", *of_each], rows))
    sessions, queries = shared.sessions / _DOMAINS, shared.queries / _DOMAINS
    faster = _rate(shared) / _rate(separate)
    yield Requirement("sessions a domain, at most 0.1", f"{sessions:.3f}", sessions <= 0.1)
    yield Requirement("queries a domain, at most 1.6", f"{queries:.2f}", queries <= 1.6)
    yield Requirement("domains a second, at least 6 x those without sharing", f"{faster:.1f} x", faster >= 6)


def _rate(cost: ScanCost) -> float:
    return cost.domains / cost.seconds
