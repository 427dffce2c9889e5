"""Print the cost of scans of 1, 10 and 100 million domains, computed from measurements.

python scripts/scan_costs.py                          to the terminal
python scripts/scan_costs.py --write docs/scaling.md  between the two markers in that file
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- scan costs: begin -->", "<!-- scan costs: end -->"
SIZES = (1_000_000, 10_000_000, 100_000_000)


@dataclass(frozen=True)
class Measured:
    """The output of `python -m benchmarks concentration`, per domain; `rate` is domains a second.

    `processor` is in milliseconds, `line` in kilobytes before compression. `memory` is that of the scan of
    `scan_memory` with 300,000 domains: megabytes, of which the last 150,000 took two.
    """

    sessions: float = 0.082
    queries: float = 1.15
    processor: float = 1.8
    line: float = 9.3
    rate: float = 194.0
    memory: float = 122.0


@dataclass(frozen=True)
class Assumed:
    """The largest provider's share of a list, its sessions at once, and their length with the delay."""

    share: float = 0.2
    at_once: int = 20
    per_session: int = 20
    seconds: float = 2.0


def table(measured: Measured, assumed: Assumed) -> str:
    """Return the table in Markdown."""
    columns = (
        *("domains", "sessions", "DNS queries", "processor"),
        *("one machine", "ten workers", "the largest provider alone", "memory", "results"),
    )
    lines = [f"| {' | '.join(columns)} |", "|--:" * len(columns) + "|"]
    for size in SIZES:
        alone = size / measured.rate / 3600
        provider = size * assumed.share / assumed.per_session / assumed.at_once * assumed.seconds / 3600
        cells = [
            f"{size:,}",
            f"{size * measured.sessions:,.0f}",
            f"{size * measured.queries:,.0f}",
            _hours(size * measured.processor / 1000 / 3600),
            _hours(alone),
            _hours(max(alone / 10, provider)),
            _hours(provider),
            f"{measured.memory:.0f} MB",
            f"{size * measured.line / 1e6:,.0f} GB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"


def main() -> int:
    """Print the table or write it to a file; return the exit code."""
    given = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given.add_argument("--write", type=Path, metavar="FILE", help="put it between the markers in this file")
    arguments = given.parse_args()
    text = table(Measured(), Assumed())
    if arguments.write is None:
        sys.stdout.write(text)
        return 0
    before, _, rest = arguments.write.read_text(encoding="utf-8").partition(BEGIN + "\n")
    _, _, after = rest.partition(END)
    arguments.write.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
