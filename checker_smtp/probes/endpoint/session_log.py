"""The log of a connection, split into the `Session` of each domain that shared it.

A domain's session has the opening, the domain's own flight, the shared flight and the end. The flights of
other domains are left out, and the rest of the transcript is numbered anew. How the connection ended is part
of the sessions that were still going on at that moment.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter

from checker_smtp.probes.observation import (
    EHLO_KEYWORDS,
    Ending,
    Entry,
    Irregularity,
    Keyword,
    ReplySeen,
    Session,
    Tls,
    Transaction,
)
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

__all__ = ["SHARED", "SessionLog", "SplitLog", "lists_keywords", "verb"]

# Servers repeat a few hundred keywords and short replies: caching both saves parsing them for every session.
_MAX_KEYWORDS = _MAX_REPLIES = 256
_MAX_CACHED_REPLY = 512

_entry_of = itemgetter(1)

SHARED = -1
"""In place of a domain's number: the opening, the shared flight and the end belong to all domains."""


@dataclass(slots=True, kw_only=True)
class SessionLog:
    """The log of one connection, filled while it is open.

    `flights` has each flight's domain, by its number from 0 or `SHARED`, and its first transcript entry.
    """

    purpose: str
    dialogue: Dialogue
    connected_at: float | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    capabilities_tls: Capabilities = field(default_factory=Capabilities)
    tls: Tls | None = None
    flights: list[tuple[int, int]] = field(default_factory=lambda: [(SHARED, 0)])

    def begin_flight(self, domain: int) -> None:
        """Assign the entries from here on to this domain, or to all (`SHARED`)."""
        self.flights.append((domain, self.dialogue.entry_count))

    @property
    def domains_begun(self) -> int:
        """The number of domains whose flight began."""
        return sum(domain != SHARED for domain, _ in self.flights)


class SplitLog:
    """The log of a closed connection, from which each domain's session is made.

    `entries` is the whole transcript, `end` how the connection ended.
    """

    def __init__(self, log: SessionLog, entries: tuple[Entry, ...], end: Ending | None) -> None:
        self._log = log
        self._entries = entries
        self._end = end
        self._flights = [*log.flights, (SHARED, len(entries))]
        self._events = log.dialogue.log
        self._replies: dict[tuple[int, int], ReplySeen] = {}
        self._capabilities = _keywords(log.capabilities)
        self._capabilities_tls = _keywords(log.capabilities_tls)

    def session(self, domain: int, transactions: tuple[Transaction, ...]) -> Session:
        """Return the session of this domain, or the one without any domain's flight (`SHARED`)."""
        replies = _ReplySorter(transactions)
        transcript: list[Entry] = []
        for part in self._parts(domain):
            self._sort(replies, part, len(transcript) - part.start)
            transcript += self._entries[part.start : part.stop]
        end = self._end if self._log.flights[-1][0] in (SHARED, domain) else None
        return Session(
            purpose=self._log.purpose,
            connected_at=self._log.connected_at,
            greeting=replies.greeting,
            ehlo=replies.others.get("EHLO"),
            helo=replies.others.get("HELO"),
            capabilities=self._capabilities,
            starttls=replies.others.get("STARTTLS"),
            tls=self._log.tls,
            ehlo_tls=replies.others.get("EHLO*"),
            capabilities_tls=self._capabilities_tls,
            transactions=replies.transactions,
            quit=replies.others.get("QUIT*") or replies.others.get("QUIT"),
            unsolicited=tuple(sorted(replies.unsolicited, key=lambda reply: reply.entry)),
            end=replace(end, entry=max(len(transcript) - 1, 0)) if end is not None else None,
            transcript=tuple(transcript),
        )

    def _parts(self, domain: int) -> Iterator[range]:
        """Yield the ranges of entries that belong to `domain`."""
        for (owner, start), (_, stop) in pairwise(self._flights):
            if owner in (SHARED, domain):
                yield range(start, stop)

    def _sort(self, replies: "_ReplySorter", part: range, shift: int) -> None:
        """Add the replies of these entries, their entry numbers shifted by `shift`."""
        events, cached = self._events, self._replies
        for place in range(bisect_left(events, part.start, key=_entry_of), len(events)):
            _, entry, event = events[place]
            if entry >= part.stop or isinstance(event, ConnectionClosed):
                break
            # A reply that several domains have under the same number is made once. Equal replies stay
            # separate objects, because rules find the evidence by identity.
            key = place, shift
            reply = cached.get(key)
            if reply is None:
                # of joined reads the time of the last is on record, so that a replay has the same
                at = float(self._entries[entry]["at"])
                reply = cached[key] = _reply_seen(event, at, entry + shift)
            replies.add(event, reply)


class _ReplySorter:
    """Assigns replies, in order, to the commands and transactions they answer."""

    def __init__(self, wanted: tuple[Transaction, ...]) -> None:
        self._wanted = wanted
        self._replies: list[dict[type[Command], ReplySeen]] = []
        self.greeting: ReplySeen | None = None
        self.unsolicited: list[ReplySeen] = []
        self.others: dict[str, ReplySeen] = {}  # by verb, after STARTTLS with an asterisk

    def add(self, event: Greeting | Reply | Unsolicited, reply: ReplySeen) -> None:
        if isinstance(event, Reply):
            kind = type(event.command)
            if kind is Mail:
                self._replies.append({Mail: reply})
            elif kind is Rcpt or kind is Rset:
                self._replies[-1][kind] = reply
            else:
                name = verb(event.command) + ("*" if "STARTTLS" in self.others else "")
                if name == "EHLO" and name in self.others:
                    self.unsolicited.insert(
                        0, self.others[name]
                    )  # EHLO is repeated where that answered nothing
                self.others[name] = reply
        elif isinstance(event, Greeting):
            self.greeting = reply
        else:
            self.unsolicited.append(reply)

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """The wanted transactions with their replies, as far as there are any."""
        answered = (
            Transaction(
                purpose=wanted.purpose,
                sender=wanted.sender,
                recipient=wanted.recipient,
                mail=replies.get(Mail),
                rcpt=replies.get(Rcpt),
                rset=replies.get(Rset),
            )
            for wanted, replies in zip(self._wanted, self._replies, strict=False)
        )
        return (*answered, *self._wanted[len(self._replies) :])


def _reply_seen(event: Greeting | Reply | Unsolicited, at: float, entry: int) -> ReplySeen:
    text, raw, enhanced_code = (_read_cached if len(event.raw) <= _MAX_CACHED_REPLY else _read)(event.raw)
    return ReplySeen(
        code=event.code,
        text=text,
        raw=raw,
        at=at,
        entry=entry,
        enhanced_code=enhanced_code,
        deviations=tuple([_irregularity(d) for d in event.deviations]) if event.deviations else (),
    )


def _irregularity(deviation: Deviation) -> Irregularity:
    return Irregularity(
        kind=str(deviation.kind),
        line=deviation.line,
        offset=deviation.offset,
        excerpt=deviation.excerpt.decode("latin-1"),
        reference=deviation.kind.reference,
    )


def _read(octets: bytes) -> tuple[str, str, str]:
    """Return text, octets as latin-1 and enhanced code of a reply."""
    reply = Unsolicited(0, octets, ())
    return reply.text, octets.decode("latin-1"), reply.enhanced_code or ""


_read_cached = lru_cache(_MAX_REPLIES)(_read)


def lists_keywords(reply: Reply | Unsolicited) -> bool:
    """Return True for a reply such as only EHLO has: accepted, with keywords behind its first line."""
    words = {line.split(b" ")[0].upper().decode("latin-1") for line in reply.lines[1:]}
    return reply.reply_class == 2 and not words.isdisjoint(EHLO_KEYWORDS)


def verb(command: Command) -> str:
    """Return the first word of a command's line."""
    return command.line.split(" ")[0]


def _keywords(capabilities: Capabilities) -> tuple[Keyword, ...]:
    return tuple([_keyword(*keyword) for keyword in capabilities.keywords])


@lru_cache(_MAX_KEYWORDS)
def _keyword(keyword: str, parameters: tuple[str, ...]) -> Keyword:
    return Keyword(keyword=keyword, parameters=parameters)
