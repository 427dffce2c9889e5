"""One line of a scan's results, as far as the summary needs it.

A line is the document of a check (see `report.document`), or says why its domain was not checked. Only the
fields that are counted are decoded: most of a line is transcripts, and skipping them costs little. A field
that names a bucket is short by its nature, so a line with a longer one is rejected.
"""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from checker_smtp.probes.rules import Severity
from checker_smtp.report.document import STATUSES, VERSION

__all__ = ["LineEndpoint", "LineError", "LineObservation", "LineReply", "ResultLine", "read_line"]

_Word = Annotated[str, msgspec.Meta(max_length=100)]
_Name = Annotated[str, msgspec.Meta(max_length=255)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e6)]


class LineError(ValueError):
    """The line is not a result of a scan; the message says why."""


class LineReply(msgspec.Struct, gc=False):
    """A reply; `at` is in seconds since the session began."""

    code: int
    text: str
    at: _Seconds

    @property
    def positive(self) -> bool:
        return self.code // 100 == 2


class _Tls(msgspec.Struct, gc=False):
    version: _Word


class _Transaction(msgspec.Struct, gc=False):
    mail: LineReply | None = None
    rcpt: LineReply | None = None
    rset: LineReply | None = None


class _Session(msgspec.Struct, gc=False):
    connected_at: _Seconds | None = None
    greeting: LineReply | None = None
    ehlo: LineReply | None = None
    helo: LineReply | None = None
    starttls: LineReply | None = None
    tls: _Tls | None = None
    ehlo_tls: LineReply | None = None
    transactions: tuple[_Transaction, ...] = ()
    quit: LineReply | None = None
    unsolicited: tuple[LineReply, ...] = ()

    @property
    def hellos(self) -> Iterator[LineReply]:
        return (reply for reply in (self.ehlo, self.helo, self.ehlo_tls) if reply is not None)

    @property
    def others(self) -> Iterator[LineReply]:
        """Every reply but the greeting and those to EHLO and HELO."""
        of_transactions = (reply for t in self.transactions for reply in (t.mail, t.rcpt, t.rset))
        replies = (self.starttls, self.quit, *of_transactions, *self.unsolicited)
        return (reply for reply in replies if reply is not None)


class LineEndpoint(msgspec.Struct, gc=False):
    """One address and port, with the sessions held there."""

    address: _Word
    port: int
    targets: tuple[_Name, ...]
    sessions: tuple[_Session, ...]

    @property
    def is_ready(self) -> bool:
        """True if EHLO or HELO was accepted."""
        return any(r is not None and r.positive for s in self.sessions for r in (s.ehlo, s.helo))

    @property
    def tls(self) -> str:
        """The TLS version of the first session that has one; empty without TLS."""
        return next((session.tls.version for session in self.sessions if session.tls is not None), "")

    @property
    def greeting_seconds(self) -> float | None:
        """The longest wait for a greeting, in seconds since the connection; None without a greeting."""
        waits = [
            max(s.greeting.at - s.connected_at, 0.0)
            for s in self.sessions
            if s.greeting is not None and s.connected_at is not None
        ]
        return max(waits, default=None)


class _Target(msgspec.Struct, gc=False):
    target: _Name
    ipv4: tuple[_Word, ...] = ()
    ipv6: tuple[_Word, ...] = ()


class _Mx(msgspec.Struct, gc=False):
    records: tuple[_Target, ...] = ()


class _FamilyCoverage(msgspec.Struct, gc=False):
    published: int = 0
    connected: int = 0
    untestable: int = 0


class _Coverage(msgspec.Struct, gc=False):
    ipv6: _FamilyCoverage


class _Settings(msgspec.Struct, gc=False):
    ipv6: bool


class LineObservation(msgspec.Struct, gc=False):
    """The observation in a line."""

    domain: _Name
    run_at: _Word
    settings: _Settings
    mx: _Mx
    endpoints: tuple[LineEndpoint, ...]
    coverage: _Coverage


class _Finding(msgspec.Struct, gc=False):
    code: _Word
    severity: Severity
    acceptance: dict[str, object] | None = None


class ResultLine(msgspec.Struct, gc=False):
    """A line: `observation`, `findings` and `status`, or for a domain that was not checked `not_checked` (the
    reason in a word), `domain` as given, and `reason` (the sentence)."""

    version: int = 1
    observation: LineObservation | None = None
    findings: tuple[_Finding, ...] = ()
    status: _Word = ""
    not_checked: _Word = ""
    domain: str = ""
    reason: str = ""


_decode = msgspec.json.Decoder(ResultLine).decode


def read_line(text: bytes) -> ResultLine:
    """Decode one line. Raise `LineError`."""
    try:
        line = _decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise LineError(str(error)) from error
    if not 1 <= line.version <= VERSION:
        raise LineError(
            f"it has version {line.version}, and this checker-smtp reads versions up to {VERSION}"
        )
    if line.observation is not None and line.status not in STATUSES:
        raise LineError(f"the status is none of {', '.join(STATUSES)}")
    if (line.observation is None) is not bool(line.not_checked):
        raise LineError("it has neither an observation nor a reason why there is none")
    return line
