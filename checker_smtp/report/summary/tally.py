"""The counts over all lines of a scan: domains, in a bounded number of buckets.

A domain counts once in each bucket that applies to any of its servers. Where every domain is in exactly one
bucket (status, IPv6, why it was not checked) the counts add up; elsewhere they need not.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from checker_smtp.report.model.timeline import parse_time

from .buckets import Group, sample, values_of
from .counters import Frequent, Slowest
from .line import LineError, LineObservation, read_line

__all__ = ["Tally"]

# Broken lines that are shown, and characters of the reason that are shown.
_BROKEN_SAMPLES = 3
_MAX_REASON = 200
# of servers only the slowest are kept
_COUNTED = [group for group in Group if group is not Group.SERVER]


@dataclass(slots=True)
class Tally:
    """Counts lines, given to `add` one at a time, in any order.

    `unchecked` counts the names that were not checked, `sessions` those in the lines: a shared one counts for
    each of its domains, because lines do not say which sessions were shared. `broken_samples` are number and
    reason of the first lines that could not be read.
    """

    checked: int = 0
    unchecked: int = 0
    sessions: int = 0
    first_run: datetime | None = None
    last_run: datetime | None = None
    lines: int = 0
    broken: int = 0
    broken_samples: list[tuple[int, str]] = field(default_factory=list)
    half_written: bool = False
    groups: dict[Group, Frequent] = field(default_factory=lambda: defaultdict(Frequent))
    slowest: Slowest = field(default_factory=Slowest)

    def add(self, text: bytes) -> None:
        """Count one line, given with its line end, or count it as broken."""
        self.lines += 1
        if text.isspace():
            return
        try:
            line = read_line(text)
        except LineError as error:
            self._count_broken(text, str(error))
            return
        name = sample(line)
        for group in _COUNTED:
            for value in values_of(line, group):
                self.groups[group].add(value, name)
        if line.observation is None:
            self.unchecked += 1
        else:
            self.checked += 1
            self._count_sessions(line.observation)

    def _count_broken(self, text: bytes, reason: str) -> None:
        if not text.endswith(b"\n"):
            self.half_written = True
            return
        self.broken += 1
        if len(self.broken_samples) < _BROKEN_SAMPLES:
            self.broken_samples.append((self.lines, reason[:_MAX_REASON]))

    def _count_sessions(self, observation: LineObservation) -> None:
        self.sessions += sum(len(endpoint.sessions) for endpoint in observation.endpoints)
        if (moment := parse_time(observation.run_at)) is not None:
            self.first_run = min(self.first_run or moment, moment)
            self.last_run = max(self.last_run or moment, moment)
        for endpoint in observation.endpoints:
            seconds = endpoint.greeting_seconds
            if seconds is not None:
                target = endpoint.targets[0] if endpoint.targets else ""
                self.slowest.add(endpoint.address, endpoint.port, target, seconds, observation.domain)
