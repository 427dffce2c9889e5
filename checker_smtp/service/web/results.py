"""A store in memory for the files of results, which a browser downloads by a random name.

The store has limits in number, octets and time, and evicts the oldest result first. Nothing is written to
disk, so nothing remains there after a crash. The name is the only credential: it has 128 random bits.

A server may send a megabyte in each session, and the document and the case contain all of it. Above a limit
only the report is stored, which abbreviates long replies.
"""

import io
import secrets
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from checker_smtp.backends.recording.case import dump_case
from checker_smtp.report.document import dump
from checker_smtp.report.formats.html import render_html
from smtp_sansio import Received, Transcript

from .live_checks import CompletedCheck

__all__ = ["CASE", "DOCUMENT", "REPORT", "ResultStore", "result_files", "result_title"]

REPORT, DOCUMENT, CASE = "report.html", "report.json", "case.zip"
# octets received from servers in one check; a typical check receives a few thousand
_MAX_RECEIVED = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _StoredResult:
    expires_at: float
    title: str
    files: Mapping[str, bytes]

    @property
    def octets(self) -> int:
        return sum(map(len, self.files.values()))


class ResultStore:
    """Stores at most `count` results and `octets` in total (or one result), each for `lifetime` seconds."""

    def __init__(
        self,
        *,
        count: int = 200,
        octets: int = 64 * 1024 * 1024,
        lifetime: float = 3600.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._count = count
        self._octets = octets
        self.lifetime = lifetime
        self._clock = clock
        # the oldest first
        self._stored: dict[str, _StoredResult] = {}
        self._stored_octets = 0

    def keep(self, title: str, files: Mapping[str, bytes]) -> str:
        """Store the files of a result and return its name."""
        new = _StoredResult(self._clock() + self.lifetime, title, files)
        self._evict_expired()
        while self._stored and (
            len(self._stored) >= self._count or self._stored_octets + new.octets > self._octets
        ):
            self._evict(next(iter(self._stored)))
        name = secrets.token_urlsafe(16)
        self._stored[name] = new
        self._stored_octets += new.octets
        return name

    def find(self, name: str, file: str) -> tuple[str, bytes] | None:
        """Return the title of a result and one of its files; None if it does not exist or has expired."""
        self._evict_expired()
        kept = self._stored.get(name)
        return (kept.title, kept.files[file]) if kept is not None and file in kept.files else None

    def _evict_expired(self) -> None:
        now = self._clock()
        for name in [name for name, kept in self._stored.items() if kept.expires_at <= now]:
            self._evict(name)

    def _evict(self, name: str) -> None:
        self._stored_octets -= self._stored.pop(name).octets


def result_files(check: CompletedCheck) -> dict[str, bytes]:
    """Return the report and, below the size limit, the document and the recorded case of a check."""
    files = {REPORT: render_html(check.result).encode()}
    if sum(map(_received_octets, check.case.sessions)) <= _MAX_RECEIVED:
        files |= {DOCUMENT: dump(check.result).encode(), CASE: _zip_case(check)}
    return files


def result_title(check: CompletedCheck) -> str:
    """Return the base name of a check's files: domain and time, in letters, digits, `.` and `-`."""
    case = check.case
    return f"{case.options.domain}-{datetime.fromisoformat(case.run_at):%Y%m%dT%H%M%SZ}"


def _received_octets(session: Transcript) -> int:
    return sum(len(outcome.data) for _, outcome in session if isinstance(outcome, Received))


def _zip_case(check: CompletedCheck) -> bytes:
    """Return the case as a ZIP archive with one folder."""
    title = result_title(check)
    timestamp = datetime.fromisoformat(check.case.run_at).timetuple()[:6]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, text in dump_case(check.case).items():
            entry = zipfile.ZipInfo(f"{title}/{name}", timestamp)
            zipped.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()
