"""ResultStore as files to be fetched: kept in memory for a while, for whoever knows their name.

Bounded in number, octets and time; the oldest goes first. Nothing is written to a disk, so nothing is left
there however the service ends. A name cannot be guessed, and is all that is asked for.

Servers may say a megabyte in each session, and all of it is in the document and in the case. Where it was
that much, the report alone is kept: it leaves out what nobody would read.
"""

import io
import secrets
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from checker_smtp.backends.recording.case import texts
from checker_smtp.report.document import dump
from checker_smtp.report.html import render_html
from smtp_sansio import Received, Transcript

from .live_checks import CompletedCheck

__all__ = ["CASE", "DOCUMENT", "REPORT", "ResultStore", "result_files", "result_title"]

REPORT, DOCUMENT, CASE = "report.html", "report.json", "case.zip"
# octets that servers said in one check; usual are some thousands
_MAX_HEARD = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    title: str
    files: Mapping[str, bytes]

    @property
    def octets(self) -> int:
        return sum(map(len, self.files.values()))


class ResultStore:
    """ResultStore by name: `count` of them, `octets` together (or one), each for `lifetime` seconds."""

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
        self._kept: dict[str, _Kept] = {}
        self._held = 0

    def keep(self, title: str, files: Mapping[str, bytes]) -> str:
        """Keep the files of a result; returns its name."""
        new = _Kept(self._clock() + self.lifetime, title, files)
        self._forget_expired()
        while self._kept and (len(self._kept) >= self._count or self._held + new.octets > self._octets):
            self._forget(next(iter(self._kept)))
        name = secrets.token_urlsafe(16)
        self._kept[name] = new
        self._held += new.octets
        return name

    def find(self, name: str, file: str) -> tuple[str, bytes] | None:
        """The title of a result, and one of its files; None where there is none, or none any more."""
        self._forget_expired()
        kept = self._kept.get(name)
        return (kept.title, kept.files[file]) if kept is not None and file in kept.files else None

    def _forget_expired(self) -> None:
        now = self._clock()
        for name in [name for name, kept in self._kept.items() if kept.until <= now]:
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._held -= self._kept.pop(name).octets


def result_files(checked: CompletedCheck) -> dict[str, bytes]:
    """The report, and unless they would be huge the document and the recorded case of a check."""
    files = {REPORT: render_html(checked.result).encode()}
    if sum(map(_heard, checked.case.sessions)) <= _MAX_HEARD:
        files |= {DOCUMENT: dump(checked.result).encode(), CASE: _zipped(checked)}
    return files


def result_title(checked: CompletedCheck) -> str:
    """What files of this check are called: the domain and when it was, in letters, digits, `.` and `-`."""
    case = checked.case
    return f"{case.options.domain}-{datetime.fromisoformat(case.run_at):%Y%m%dT%H%M%SZ}"


def _heard(session: Transcript) -> int:
    return sum(len(outcome.data) for _, outcome in session if isinstance(outcome, Received))


def _zipped(checked: CompletedCheck) -> bytes:
    """The case as one folder in an archive."""
    title = result_title(checked)
    written = datetime.fromisoformat(checked.case.run_at).timetuple()[:6]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in texts(checked.case).items():
            entry = zipfile.ZipInfo(f"{title}/{name}", written)
            packed.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()
