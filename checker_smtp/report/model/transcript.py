"""The transcript of one session as lines, with the deviations and the evidence of findings.

A transcript has octets as they were read from the network; here they become lines, independent of the size
of the reads. Each reply is located among the lines. So a deviation is marked at its line, and a finding cites
its own reply, even among ten equal ones of one packet.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from checker_smtp.probes.observation import Entry, ReplySeen, Session, limit_words
from checker_smtp.probes.rules import Evidence
from checker_smtp.report.visible import octets_visible, visible

__all__ = [
    "CLIENT",
    "EVENT",
    "SERVER",
    "Citation",
    "TranscriptLine",
    "TranscriptView",
    "more_lines",
    "shorten",
]

CLIENT, SERVER, EVENT = "client", "server", "event"

# The characters shown of a line; a longer line violates the protocol.
_MAX_LINE = 400
# The characters charged for a line besides its text, which limits a report with many short lines.
_PER_LINE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptLine:
    """One line; `speaker` is `client`, `server` or `event`, `marks` are its deviations."""

    speaker: str
    text: str
    at: float
    anchor: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """The anchor of a cited line, empty if there is none, and the commands that it replies to."""

    anchor: str = ""
    commands: tuple[str, ...] = ()


@dataclass(slots=True)
class _Raw:
    speaker: str
    octets: str
    at: float
    entry: int
    offset: int = -1
    marks: list[str] = field(default_factory=list)


class TranscriptView:
    """The lines of one session; `anchor` is the prefix of the anchor of each line."""

    def __init__(self, session: Session, anchor: str) -> None:
        self._session = session
        self._anchor = anchor
        self._raw = list(_raw_lines(session.transcript))
        self._first: list[tuple[ReplySeen, int]] = []
        self._place_replies()

    def lines(self, max_chars: int) -> tuple[tuple[TranscriptLine, ...], int]:
        """Return the first lines, up to `max_chars` characters, and the number of lines left out."""
        lines: list[TranscriptLine] = []
        for number, raw in enumerate(self._raw):
            text = raw.octets if raw.speaker == EVENT else shorten(raw.octets.rstrip("\r\n"))
            max_chars -= len(text) + _PER_LINE
            if max_chars < 0 and lines:
                return tuple(lines), len(self._raw) - number
            marks = tuple(dict.fromkeys(raw.marks))
            lines.append(
                TranscriptLine(
                    speaker=raw.speaker, text=text, at=raw.at, anchor=self._name(number), marks=marks
                )
            )
        return tuple(lines), 0

    def find(self, evidence: Evidence, purpose: str = "") -> Citation:
        """Locate the evidence; among equal replies, return that of the transaction with `purpose`."""
        if not self._raw:
            return Citation()
        if evidence.entry is None:
            line = next((n for n, raw in enumerate(self._raw) if raw.octets.startswith("TLS")), 0)
            return Citation(self._name(line))
        same = [
            (reply, number)
            for reply, number in self._first
            if reply.entry == evidence.entry and reply.raw == evidence.quote
        ]
        if same:
            wanted = [t.verdict for t in self._session.transactions if t.purpose == purpose]
            reply, number = next(((r, n) for r, n in same if any(r is w for w in wanted)), same[0])
            return Citation(self._name(number), self._commands(reply))
        until = [number for number, raw in enumerate(self._raw) if raw.entry <= evidence.entry]
        return Citation(self._name(until[-1] if until else 0))

    def _commands(self, reply: ReplySeen) -> tuple[str, ...]:
        """Return the commands before the reply, if the reply alone does not show them."""
        for transaction in self._session.transactions:
            mail = visible(f"MAIL FROM:<{transaction.sender}>")
            if reply is transaction.mail:
                return (mail,)
            if reply is transaction.rcpt:
                return (mail, visible(f"RCPT TO:<{transaction.recipient}>"))
        return ("STARTTLS",) if reply is self._session.starttls else ()

    def _name(self, number: int) -> str:
        return f"{self._anchor}-{number}"

    def _place_replies(self) -> None:
        stream = "".join(raw.octets for raw in self._raw if raw.speaker == SERVER)
        numbers = {raw.offset: number for number, raw in enumerate(self._raw) if raw.speaker == SERVER}
        position = 0
        for reply in _in_order(self._session):
            start = stream.find(reply.raw, position)
            if start < 0 or start not in numbers:
                continue
            position = start + len(reply.raw)
            self._first.append((reply, numbers[start]))
            self._mark(reply, numbers[start])

    def _mark(self, reply: ReplySeen, first: int) -> None:
        servers = [raw for raw in self._raw[first:] if raw.speaker == SERVER]
        for deviation in reply.deviations:
            line = servers[min(max(deviation.line, 1), len(servers)) - 1]
            line.marks.append(visible(" · ".join(filter(None, (deviation.words, deviation.reference)))))


def shorten(octets: str, max_octets: int = _MAX_LINE) -> str:
    """Return octets made visible and truncated, with the number of those left out."""
    rest = len(octets) - max_octets
    return octets_visible(octets[:max_octets]) + (f" … {rest} more octets" if rest > 0 else "")


def more_lines(number: int) -> tuple[str, ...]:
    """Return a line in place of this number of lines that are left out; none for none."""
    return (f"… {number} more line{'s' * (number != 1)}",) if number > 0 else ()


def _in_order(session: Session) -> list[ReplySeen]:
    """Return all replies in the order of arrival; `Session.replies` does not order those of one packet."""
    opening = (session.greeting, session.ehlo, session.helo, session.starttls, session.ehlo_tls)
    transactions = (reply for t in session.transactions for reply in (t.mail, t.rcpt, t.rset))
    replies = [r for r in (*opening, *transactions, session.quit, *session.unsolicited) if r is not None]
    return sorted(replies, key=lambda reply: reply.entry)


def _raw_lines(transcript: tuple[Entry, ...]) -> Iterator[_Raw]:
    pending, offset = "", 0
    last = _Raw(SERVER, "", 0.0, 0)
    for number, entry in enumerate(transcript):
        at = float(entry["at"])
        if entry.get("got"):
            if "reads" in entry:
                first = f"{float(entry['first']):.3f} s"
                yield _Raw(EVENT, f"{entry['reads']} reads since {first}, recorded as one:", at, number)
            pending += str(entry["got"])
            *whole, pending = pending.split("\n")
            for line in whole:
                yield _Raw(SERVER, line + "\n", at, number, offset)
                offset += len(line) + 1
            last = _Raw(SERVER, pending, at, number, offset)
            continue
        if pending:
            yield last
            offset, pending = offset + len(pending), ""
        yield from _other_lines(entry, at, number)
    if pending:
        yield last


def _other_lines(entry: Entry, at: float, number: int) -> Iterator[_Raw]:
    """Yield the lines of an entry that is not from the server: commands and events."""
    kind, detail = str(entry.get("failed", "")), visible(str(entry.get("detail", "")))
    failed = limit_words(kind) or " ".join(filter(None, (kind, detail)))
    match entry["do"]:
        case "send":
            for line in str(entry["data"]).splitlines():
                yield _Raw(CLIENT, line, at, number)
            event = f"sending failed: {failed}" if failed else ""
        case "connect":
            where = visible(f"{entry['host']} port {entry['port']}")
            event = f"no connection to {where}: {failed}" if failed else f"connected to {where}"
        case "upgrade":
            event = _handshake(entry, failed)
        case _:
            event = f"nothing received: {failed}" if failed else "the server closed the connection"
    if event:
        yield _Raw(EVENT, event, at, number)


def _handshake(entry: Entry, failed: str) -> str:
    name = visible(str(entry["server_name"]))
    sni = f"server name {name}" if name else "without a server name"
    if failed:
        return f"TLS handshake failed ({sni}): {failed}"
    return f"TLS established: {visible(str(entry['version']))}, {visible(str(entry['cipher']))}, {sni}"
