"""The memory of a scan: the same command on a list of 40,000 domains, and of 100,000.

Two batches of the default size are in progress in both, and the facts about every server are cached. The
measure is the peak resident set of the process. Limits would only make it take longer, so there are none.
"""

from collections.abc import Iterator

from .figures import Requirement, table
from .scans import fake_internet

__all__ = ["run"]

_SHORT, _LONG = 40_000, 100_000
_MOST_MB = 400
# The variation of the allocator between runs.
_SLACK = 1.2


def run() -> Iterator[Requirement]:
    """Measure, print the table, and yield the requirements."""
    with fake_internet() as internet:
        short, long = (
            internet.scan(length, "--per-address", "100", "--delay", "0", results="results.jsonl.zst")
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
