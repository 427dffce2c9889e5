"""The log of a connection, sorted into the `Session` of each domain it was held for.

A domain is told of the opening, of its own flight, of the flight that belongs to all, and of the closing.
The flights of others are left out as if they had not been there, and what is left of the transcript is
numbered anew. How the connection ended is told to those who met that end.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter

from smtp_sansio import (
    Capabilities,
    Command,
    ConnectionClosed,
    Deviation,
    Dialogue,
    Greeting,
    Mail,
    Rcpt,
    Reply,
    Rset,
    Unsolicited,
)

from .observation import Ending, Entry, Irregularity, Keyword, ReplySeen, Session, Tls, Transaction

__all__ = ["SHARED", "Closed", "SessionLog", "verb"]

# All servers together offer some hundred different things and say some hundred different things, over and
# over; a line of what they say is short.
_KEYWORDS_KNOWN = _REPLIES_KNOWN = 256
_SHORT = 512

_entry_of = itemgetter(1)

SHARED = -1
"""Whose the opening is, the flight that belongs to all, and the closing."""


@dataclass(slots=True, kw_only=True)
class SessionLog:
    """One connection; filled in while it runs."""

    purpose: str
    dialogue: Dialogue
    connected_at: float | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    capabilities_tls: Capabilities = field(default_factory=Capabilities)
    tls: Tls | None = None
    turns: list[tuple[int, int]] = field(default_factory=lambda: [(SHARED, 0)])

    def turn(self, guest: int) -> None:
        """From here on it is this guest's business, counted from 0, or everybody's."""
        self.turns.append((guest, self.dialogue.entries))

    @property
    def asked(self) -> int:
        """How many guests had their turn."""
        return sum(guest != SHARED for guest, _ in self.turns)


class Closed:
    """One connection that is over, to be told to each who had a part in it.

    `entries` is its whole transcript, `end` how it ended.
    """

    def __init__(self, account: SessionLog, entries: tuple[Entry, ...], end: Ending | None) -> None:
        self._account = account
        self._entries = entries
        self._end = end
        self._turns = [*account.turns, (SHARED, len(entries))]
        self._log = account.dialogue.log
        self._seen: dict[tuple[int, int], ReplySeen] = {}
        self._capabilities = _keywords(account.capabilities)
        self._capabilities_tls = _keywords(account.capabilities_tls)

    def session(self, guest: int, transactions: tuple[Transaction, ...]) -> Session:
        """The session as this guest knows it, or as nobody does (`SHARED`)."""
        found = _Found(transactions)
        transcript: list[Entry] = []
        for part in self._kept(guest):
            self._sort(found, part, len(transcript) - part.start)
            transcript += self._entries[part.start : part.stop]
        end = self._end if self._account.turns[-1][0] in (SHARED, guest) else None
        return Session(
            purpose=self._account.purpose,
            connected_at=self._account.connected_at,
            greeting=found.greeting,
            ehlo=found.others.get("EHLO"),
            helo=found.others.get("HELO"),
            capabilities=self._capabilities,
            starttls=found.others.get("STARTTLS"),
            tls=self._account.tls,
            ehlo_tls=found.others.get("EHLO*"),
            capabilities_tls=self._capabilities_tls,
            transactions=found.transactions,
            quit=found.others.get("QUIT*") or found.others.get("QUIT"),
            unsolicited=tuple(found.unsolicited),
            end=replace(end, entry=max(len(transcript) - 1, 0)) if end is not None else None,
            transcript=tuple(transcript),
        )

    def _kept(self, guest: int) -> Iterator[range]:
        """The entries that are told to `guest`."""
        for (whose, start), (_, stop) in pairwise(self._turns):
            if whose in (SHARED, guest):
                yield range(start, stop)

    def _sort(self, found: "_Found", part: range, shift: int) -> None:
        """Put what was heard in these entries where it belongs; they are numbered anew by `shift`."""
        log, seen = self._log, self._seen
        for place in range(bisect_left(log, part.start, key=_entry_of), len(log)):
            at, entry, event = log[place]
            if entry >= part.stop or isinstance(event, ConnectionClosed):
                break
            # what everybody is told under the same number is made once; but each reply is an object of its
            # own, because evidence is found by it
            key = place, shift
            reply = seen.get(key)
            if reply is None:
                reply = seen[key] = self._see(event, at, entry + shift)
            found.put(event, reply)

    def _see(self, event: Greeting | Reply | Unsolicited, at: float, entry: int) -> ReplySeen:
        text, raw, enhanced_code = (_remembered if len(event.raw) <= _SHORT else _read)(event.raw)
        return ReplySeen(
            code=event.code,
            text=text,
            raw=raw,
            at=at,
            entry=entry,
            enhanced_code=enhanced_code,
            deviations=tuple([_irregularity(d) for d in event.deviations]) if event.deviations else (),
        )


class _Found:
    """Replies put where they belong, one after the other."""

    def __init__(self, wanted: tuple[Transaction, ...]) -> None:
        self._wanted = wanted
        self._answers: list[dict[type[Command], ReplySeen]] = []
        self.greeting: ReplySeen | None = None
        self.unsolicited: list[ReplySeen] = []
        self.others: dict[str, ReplySeen] = {}  # the verb, after STARTTLS with an asterisk

    def put(self, event: Greeting | Reply | Unsolicited, seen: ReplySeen) -> None:
        if isinstance(event, Reply):
            kind = type(event.command)
            if kind is Mail:
                self._answers.append({Mail: seen})
            elif kind is Rcpt or kind is Rset:
                self._answers[-1][kind] = seen
            else:
                self.others[verb(event.command) + ("*" if "STARTTLS" in self.others else "")] = seen
        elif isinstance(event, Greeting):
            self.greeting = seen
        else:
            self.unsolicited.append(seen)

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """Those that were wanted, with what was answered to them."""
        held = (
            Transaction(
                purpose=wanted.purpose,
                sender=wanted.sender,
                recipient=wanted.recipient,
                mail=heard.get(Mail),
                rcpt=heard.get(Rcpt),
                rset=heard.get(Rset),
            )
            for wanted, heard in zip(self._wanted, self._answers, strict=False)
        )
        return (*held, *self._wanted[len(self._answers) :])


def _irregularity(deviation: Deviation) -> Irregularity:
    return Irregularity(
        kind=str(deviation.kind),
        line=deviation.line,
        offset=deviation.offset,
        excerpt=deviation.excerpt.decode("latin-1"),
        reference=deviation.kind.reference,
    )


def _read(octets: bytes) -> tuple[str, str, str]:
    """The text, the octets and the enhanced code of a reply, as they are written down."""
    heard = Unsolicited(0, octets, ())
    return heard.text, octets.decode("latin-1"), heard.enhanced_code or ""


_remembered = lru_cache(_REPLIES_KNOWN)(_read)


def verb(command: Command) -> str:
    """The first word of a command's line."""
    return command.line.split(" ")[0]


def _keywords(capabilities: Capabilities) -> tuple[Keyword, ...]:
    return tuple([_keyword(*entry) for entry in capabilities.entries])


@lru_cache(_KEYWORDS_KNOWN)
def _keyword(keyword: str, parameters: tuple[str, ...]) -> Keyword:
    return Keyword(keyword=keyword, parameters=parameters)
