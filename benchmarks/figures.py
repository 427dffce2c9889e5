"""Takes and prints figures: in turns, as medians; as tables, and as requirements met or not."""

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

__all__ = ["Requirement", "in_turns", "peak_memory", "table"]

_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement, with the figure that decides it."""

    what: str
    figure: str
    met: bool

    def __str__(self) -> str:
        return f"{'PASS' if self.met else 'FAIL'}  {self.what}: {self.figure}"


def in_turns(
    batches: int,
    measures: Mapping[_K, Callable[[], float]],
    of: Callable[[list[float]], float] = median,
) -> dict[_K, float]:
    """Return the median of each measure over `rounds` rounds, or `of` of its figures.

    Each round takes every measure once, because a busy machine is busy with all of them then. A round
    before the first warms up and does not count.
    """
    taken: dict[_K, list[float]] = {key: [] for key in measures}
    for number in range(batches + 1):
        for key, measure in measures.items():
            gc.collect()
            figure = measure()
            if number:
                taken[key].append(figure)
    return {key: of(figures) for key, figures in taken.items()}


def peak_memory(process: int | str = "self") -> int:
    """Return the kilobytes of the largest resident set that a process ever had, as Linux counts it.

    `process` is its number, by default this one. The figure of `getrusage` begins with that of the parent.
    """
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, the first column to the left, the others to the right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        "| " + " | ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) + " |"
        for line in (lines[0], rule, *lines[1:])
    )
