"""The progress of a scan in numbers."""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["ScanStats"]


@dataclass(slots=True)
class ScanStats:
    """Counts of domains (`done`, `deferred`), of connections and open sessions, of results by status."""

    done: int = 0
    deferred: int = 0
    connections: int = 0
    open_sessions: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
