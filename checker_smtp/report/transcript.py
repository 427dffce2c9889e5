"""One session line by line: who said what, when, what was irregular, and where a finding's evidence stands.

A transcript has the octets as they came; here they become lines. Octets received in a row belong together
however the network split them. Every reply is found again among the lines, so that a deviation is marked at
the line it was met on, and a finding can point at the very reply it rests on, even among ten equal ones that
came in one packet.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from checker_smtp.probes.observation import Entry, ReplySeen, Session
from checker_smtp.probes.rules import Evidence

from .visible import octets_visible, visible

__all__ = ["CLIENT", "EVENT", "SERVER", "Citation", "TranscriptLine", "TranscriptView", "shorten"]

CLIENT, SERVER, EVENT = "client", "server", "event"

# Longest line shown; one that is longer breaks the protocol by far, and nobody reads on.
_MAX_LINE = 400
# What a line costs besides its text, so that a server cannot make a report long by many short ones.
_PER_LINE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptLine:
    """One line; `speaker` is `client`, `server` or `event`, `marks` what was irregular about it."""

    speaker: str
    text: str
    at: float
    anchor: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A line's anchor (empty where there is none), and the commands it answers."""

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
    """The lines of one session; `anchor` is the beginning of the name of each line."""

    def __init__(self, session: Session, anchor: str) -> None:
        self._session = session
        self._anchor = anchor
        self._raw = list(_raw_lines(session.transcript))
        self._first: list[tuple[ReplySeen, int]] = []
        self._place_replies()

    def lines(self, room: int) -> tuple[tuple[TranscriptLine, ...], int]:
        """As many lines as `room` characters hold, and how many lines were left out."""
        shown: list[TranscriptLine] = []
        for number, raw in enumerate(self._raw):
            text = raw.octets if raw.speaker == EVENT else shorten(raw.octets.rstrip("\r\n"))
            room -= len(text) + _PER_LINE
            if room < 0 and shown:
                return tuple(shown), len(self._raw) - number
            marks = tuple(dict.fromkeys(raw.marks))
            shown.append(
                TranscriptLine(
                    speaker=raw.speaker, text=text, at=raw.at, anchor=self._name(number), marks=marks
                )
            )
        return tuple(shown), 0

    def find(self, evidence: Evidence, purpose: str = "") -> Citation:
        """Where the evidence stands; among equal replies the one that answers to `purpose` is meant."""
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
            meant = self._replies_for(purpose)
            reply, number = next(((r, n) for r, n in same if any(r is m for m in meant)), same[0])
            return Citation(self._name(number), self._asked(reply))
        until = [number for number, raw in enumerate(self._raw) if raw.entry <= evidence.entry]
        return Citation(self._name(until[-1] if until else 0))

    def _asked(self, reply: ReplySeen) -> tuple[str, ...]:
        """What was said that this is the answer to, where the reply alone does not tell."""
        for transaction in self._session.transactions:
            mail = visible(f"MAIL FROM:<{transaction.sender}>")
            if reply is transaction.mail:
                return (mail,)
            if reply is transaction.rcpt:
                return (mail, visible(f"RCPT TO:<{transaction.recipient}>"))
        return ("STARTTLS",) if reply is self._session.starttls else ()

    def _name(self, number: int) -> str:
        return f"{self._anchor}-{number}"

    def _replies_for(self, purpose: str) -> list[ReplySeen]:
        verdicts = (t.verdict for t in self._session.transactions if t.purpose == purpose)
        return [verdict for verdict in verdicts if verdict is not None]

    def _place_replies(self) -> None:
        stream = "".join(raw.octets for raw in self._raw if raw.speaker == SERVER)
        numbers = {raw.offset: number for number, raw in enumerate(self._raw) if raw.speaker == SERVER}
        position = 0
        for reply in _in_order(self._session):
            found = stream.find(reply.raw, position)
            if found < 0 or found not in numbers:
                continue
            position = found + len(reply.raw)
            self._first.append((reply, numbers[found]))
            self._mark(reply, numbers[found])

    def _mark(self, reply: ReplySeen, first: int) -> None:
        servers = [raw for raw in self._raw[first:] if raw.speaker == SERVER]
        for deviation in reply.deviations:
            line = servers[min(max(deviation.line, 1), len(servers)) - 1]
            line.marks.append(" ".join(filter(None, (deviation.kind, deviation.reference))))


def shorten(octets: str, most: int = _MAX_LINE) -> str:
    """Octets made visible, cut where they are many."""
    rest = len(octets) - most
    return octets_visible(octets[:most]) + (f" … {rest} more octets" if rest > 0 else "")


def _in_order(session: Session) -> list[ReplySeen]:
    """Every reply in the order it was heard; `Session.replies` leaves open the order within one packet."""
    opening = (session.greeting, session.ehlo, session.helo, session.starttls, session.ehlo_tls)
    asked = (reply for t in session.transactions for reply in (t.mail, t.rcpt, t.rset))
    heard = [r for r in (*opening, *asked, session.quit, *session.unsolicited) if r is not None]
    return sorted(heard, key=lambda reply: reply.entry)


def _raw_lines(transcript: tuple[Entry, ...]) -> Iterator[_Raw]:
    pending, offset = "", 0
    last = _Raw(SERVER, "", 0.0, 0)
    for number, entry in enumerate(transcript):
        at = float(entry["at"])
        if entry["do"] == "receive" and entry.get("got"):
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
        yield from _spoken(entry, at, number)
    if pending:
        yield last


def _spoken(entry: Entry, at: float, number: int) -> Iterator[_Raw]:
    """A line of anything but the server."""
    failed = " ".join(filter(None, (str(entry.get("failed", "")), visible(str(entry.get("detail", ""))))))
    match entry["do"]:
        case "send":
            for line in str(entry["data"]).splitlines():
                yield _Raw(CLIENT, line, at, number)
            told = f"sending failed: {failed}" if failed else ""
        case "connect":
            where = visible(f"{entry['host']} port {entry['port']}")
            told = f"no connection to {where}: {failed}" if failed else f"connected to {where}"
        case "upgrade":
            told = _handshake(entry, failed)
        case _:
            told = f"nothing received: {failed}" if failed else "the server closed the connection"
    if told:
        yield _Raw(EVENT, told, at, number)


def _handshake(entry: Entry, failed: str) -> str:
    name = visible(str(entry["server_name"]))
    sni = f"server name {name}" if name else "without a server name"
    if failed:
        return f"TLS handshake failed ({sni}): {failed}"
    return f"TLS established: {visible(str(entry['version']))}, {visible(str(entry['cipher']))}, {sni}"
