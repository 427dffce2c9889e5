"""How far a scan has come."""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["ScanStats"]


@dataclass(slots=True)
class ScanStats:
    """Domains `done`, `in_progress` and `deferred`; connections made; how often each verdict was come to."""

    done: int = 0
    in_progress: int = 0
    deferred: int = 0
    connections: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
