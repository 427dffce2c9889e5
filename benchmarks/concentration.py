"""What sharing servers saves a scan: 10,000 domains on 500 servers, by Zipf's law.

The same command with and without sharing, against `town`, with the usual manners: two sessions at once with
one address, a second between two. They are what makes sharing matter, since most of the domains are on few
servers. Without sharing only the first part of the list is scanned; its rate does not depend on the length.

The same again without any manners tells what sharing saves in processor time alone.
"""

from collections.abc import Iterator

from .figures import Requirement, table
from .scans import Scanned, town

__all__ = ["run"]

_DOMAINS, _ALONE = 10_000, 600
_NO_MANNERS = ("--per-address", "100", "--delay", "0")


def run() -> Iterator[Requirement]:
    """Measure, print the table, and give what is required."""
    with town() as here:
        runs = {
            "shared": here.scan(_DOMAINS),
            "each domain alone": here.scan(_ALONE, "--no-reuse"),
            "shared, no manners": here.scan(_DOMAINS, *_NO_MANNERS),
            "alone, no manners": here.scan(_ALONE, "--no-reuse", *_NO_MANNERS),
        }
    shared, alone = runs["shared"], runs["each domain alone"]
    rows = [
        [
            what,
            f"{one.domains:,}",
            f"{one.seconds:.1f}",
            f"{_rate(one):.0f}",
            f"{1000 * one.processor / one.domains:.1f}",
            f"{one.written / one.domains / 1000:.1f}",
            f"{one.sessions / one.domains:.3f}",
            f"{one.questions / one.domains:.2f}",
        ]
        for what, one in runs.items()
    ]
    of_each = ["processor ms/domain", "kB/domain", "sessions/domain", "queries/domain"]
    print(table(["scan", "domains", "seconds", "domains/s", *of_each], rows))
    sessions, questions = shared.sessions / _DOMAINS, shared.questions / _DOMAINS
    faster = _rate(shared) / _rate(alone)
    yield Requirement("sessions a domain, at most 0.1", f"{sessions:.3f}", sessions <= 0.1)
    yield Requirement("queries a domain, at most 1.6", f"{questions:.2f}", questions <= 1.6)
    yield Requirement("domains a second, at least 6 x those without sharing", f"{faster:.1f} x", faster >= 6)


def _rate(one: Scanned) -> float:
    return one.domains / one.seconds
