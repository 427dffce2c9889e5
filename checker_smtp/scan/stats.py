"""The progress of a scan in numbers."""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["ScanStats"]


@dataclass(slots=True)
class ScanStats:
    """Counts of domains (`done`, `in_progress`, `deferred`), of connections, and of results by status."""

    done: int = 0
    in_progress: int = 0
    deferred: int = 0
    connections: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
