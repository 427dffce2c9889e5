"""The results of the service: kept in a file, or in memory for as long as the process runs.

A result is found by its name alone, which has 128 random bits. It is kept for a number of days and while all
of them fit into a number of octets: the oldest goes first. The client that made it may delete it, by a secret
that a cookie has; only the digest of the secret is kept.

A server may send a megabyte in each session, and the recording contains all of it. Above a limit it is left
out, and the result with all that its report shows is kept.
"""

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TypeVar

from anyio.to_thread import run_sync

from checker_smtp.backends.recording.case import Case, dump_case
from checker_smtp.history.store import History, KeptCheck
from checker_smtp.probes.result import Result
from checker_smtp.report.diff.compare import Difference, compare
from smtp_sansio import Received, Transcript

__all__ = ["CompletedCheck", "ResultStore", "file_title", "owner_of"]

_T = TypeVar("_T")
# octets received from servers in one check; a typical check receives a few thousand
_MAX_RECEIVED = 2 * 1024 * 1024
# A deletion of what is too old takes a transaction of its own.
_PRUNE_EVERY = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedCheck:
    """A check with a result, and its record."""

    result: Result
    case: Case


class ResultStore:
    """Keeps results in the history `path` (None: in memory) for `days`, in `octets` altogether at most.

    Raises `HistoryError` where the file cannot be used; each method does as well.
    """

    def __init__(
        self, path: Path | None, *, days: float, octets: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._history = History(path)
        self._history.require_writable()
        self.is_lasting = path is not None
        self._days = days
        self._max_octets = octets
        self._octets = self._history.octets()
        self._clock = clock
        self._pruned_at = -_PRUNE_EVERY

    def close(self) -> None:
        """Close the file."""
        self._history.close()

    @property
    def lifetime(self) -> str:
        """How long a result is kept, for people."""
        minutes = round(self._days * 1440)
        for unit, size in (("day", 1440), ("hour", 60)):
            if minutes % size == 0:
                number = minutes // size
                return f"{number} {unit}{'s' if number > 1 else ''}"
        return f"{minutes} minutes"

    def count(self) -> int:
        """Return the number of results."""
        return self._history.count()

    async def require_writable(self) -> None:
        """Raise `HistoryError` if no result can be kept now."""
        await run_sync(self._history.require_writable)

    async def keep(self, name: str, check: CompletedCheck, owner: str) -> KeptCheck:
        """Keep a result by a name that `secrets` made."""
        return await run_sync(self._keep, name, check, owner)

    async def find(self, name: str) -> KeptCheck | None:
        """Return the entry of a result; None for one that does not exist or has expired."""
        return await run_sync(self._find, name)

    async def work_on(self, entry: KeptCheck, work: Callable[[Result], _T]) -> _T:
        """Return what `work` makes of the result, in a thread.

        The result is read there and not kept: a few large ones that wait would be the memory of the service.
        """
        return await run_sync(lambda: work(self._history.load(entry)))

    async def compare(self, old: KeptCheck, new: KeptCheck) -> Difference:
        """Return the difference between two results."""
        return await run_sync(lambda: compare(self._history.load(old), self._history.load(new)))

    async def has_recording(self, entry: KeptCheck) -> bool:
        """Return whether the recorded case was kept."""
        return await run_sync(self._history.has_recording, entry)

    async def recording(self, entry: KeptCheck) -> bytes | None:
        """Return the recorded case as a ZIP archive, None where it was too large."""
        return await run_sync(self._history.recording, entry)

    async def previous(self, entry: KeptCheck) -> KeptCheck | None:
        """Return the last result of the same domain and owner before this one, None if there is none."""
        return await run_sync(self._previous, entry) if entry.owner else None

    async def delete(self, entry: KeptCheck) -> None:
        """Delete a result."""
        await run_sync(self._delete, entry)

    def _keep(self, name: str, check: CompletedCheck, owner: str) -> KeptCheck:
        kept = self._history.keep(check.result, name=name, owner=owner, recording=_zip_case(check.case))
        self._octets += kept.octets
        if self._octets > self._max_octets or self._clock() >= self._pruned_at + _PRUNE_EVERY:
            # a tenth less, so that not every result that follows has to make room
            room = self._max_octets * 9 // 10 if self._octets > self._max_octets else self._max_octets
            self._history.prune(before=self._oldest, max_octets=max(room, kept.octets))
            self._octets = self._history.octets()
            self._pruned_at = self._clock()
        return kept

    def _find(self, name: str) -> KeptCheck | None:
        found = self._history.get(name)
        return found if found is not None and found.run_at >= self._oldest else None

    def _previous(self, entry: KeptCheck) -> KeptCheck | None:
        found = self._history.previous(entry)
        return found if found is not None and found.run_at >= self._oldest else None

    def _delete(self, entry: KeptCheck) -> None:
        self._history.delete(entry)
        self._octets -= entry.octets

    @property
    def _oldest(self) -> str:
        """The time before which results have expired, as the history writes it."""
        return (datetime.now(UTC) - timedelta(days=self._days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def owner_of(secret: str) -> str:
    """Return what is kept of the secret of a client; empty for none."""
    return hashlib.sha256(secret.encode()).hexdigest() if secret else ""


def file_title(domain: str, run_at: str) -> str:
    """Return the base name of the files of a result: domain and time, in letters, digits, `.` and `-`."""
    return f"{domain}-{datetime.fromisoformat(run_at):%Y%m%dT%H%M%SZ}"


def _zip_case(case: Case) -> bytes | None:
    """Return the case as a ZIP archive with one folder; None for one above the limit."""
    if sum(map(_received_octets, case.sessions)) > _MAX_RECEIVED:
        return None
    title = file_title(case.options.domain, case.run_at)
    timestamp = datetime.fromisoformat(case.run_at).timetuple()[:6]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, text in dump_case(case).items():
            entry = zipfile.ZipInfo(f"{title}/{name}", timestamp)
            zipped.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def _received_octets(session: Transcript) -> int:
    return sum(len(outcome.data) for _, outcome in session if isinstance(outcome, Received))
