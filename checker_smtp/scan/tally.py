"""How far a scan has come."""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Domains `done`, `under_way` and `put_off`; connections made; how often each verdict was come to."""

    done: int = 0
    under_way: int = 0
    put_off: int = 0
    connections: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
