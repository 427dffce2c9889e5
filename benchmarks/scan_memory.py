"""What a scan keeps in memory: the same command on a list of 40,000 domains, and of 100,000.

Two windows of domains, of the usual size, are under way in both, and each server is known. What is measured
is the largest resident set that the process ever had. Manners would only make it take longer.
"""

from collections.abc import Iterator

from .figures import Requirement, table
from .scans import town

__all__ = ["run"]

_SHORT, _LONG = 40_000, 100_000
_MOST_MB = 400
# What the allocator does from run to run.
_SLACK = 1.2


def run() -> Iterator[Requirement]:
    """Measure, print the table, and give what is required."""
    with town() as here:
        short, long = (
            here.scan(length, "--per-address", "100", "--delay", "0", results="results.jsonl.zst")
            for length in (_SHORT, _LONG)
        )
    rows = [[f"{one.domains:,}", f"{one.seconds:.0f}", f"{one.megabytes:.0f}"] for one in (short, long)]
    print(table(["domains", "seconds", "MB"], rows))
    yield Requirement(
        f"MB at {_LONG:,} domains, less than {_MOST_MB}", f"{long.megabytes:.0f}", long.megabytes < _MOST_MB
    )
    more = long.megabytes / short.megabytes
    yield Requirement(
        f"memory beside that at {_SHORT:,}, at most {_SLACK} x", f"{more:.2f} x", more <= _SLACK
    )
