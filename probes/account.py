"""The log of a connection, sorted into the `Session` of each domain it was held for.

A domain is told of the opening, of its own flight, of the flight that belongs to all, and of the closing.
The flights of others are left out as if they had not been there, and what is left of the transcript is
numbered anew. How the connection ended is told to those who met that end.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from smtp_sansio import (
    Capabilities,
    Command,
    ConnectionClosed,
    Dialogue,
    Greeting,
    Mail,
    Rcpt,
    Reply,
    Rset,
    Unsolicited,
)

from .observation import Ending, Entry, Irregularity, Keyword, ReplySeen, Session, Tls, Transaction

__all__ = ["EVERYBODY", "Account", "verb"]

EVERYBODY = -1
"""Whose the opening is, the flight that belongs to all, and the closing."""


@dataclass(slots=True, kw_only=True)
class Account:
    """One connection; filled in while it runs, read when it is over."""

    purpose: str
    dialogue: Dialogue
    connected_at: float | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    capabilities_tls: Capabilities = field(default_factory=Capabilities)
    tls: Tls | None = None
    end: Ending | None = None
    _turns: list[tuple[int, int]] = field(default_factory=lambda: [(EVERYBODY, 0)])

    def turn(self, guest: int) -> None:
        """From here on it is this guest's business, counted from 0, or everybody's."""
        self._turns.append((guest, self.dialogue.entries))

    @property
    def asked(self) -> int:
        """How many guests had their turn."""
        return sum(guest != EVERYBODY for guest, _ in self._turns)

    def session(
        self, guest: int, transactions: tuple[Transaction, ...], entries: tuple[Entry, ...]
    ) -> Session:
        """The session as this guest knows it; `entries` is the whole transcript."""
        kept = self._kept(guest, len(entries))
        found = _Found(list(transactions))
        for event, at, entry in self._events(kept):
            found.put(event, _seen(event, at, entry))
        numbers = [number for part in kept for number in part]
        ended_here = not entries or numbers[-1:] == [len(entries) - 1]
        return Session(
            purpose=self.purpose,
            connected_at=self.connected_at,
            greeting=found.greeting,
            ehlo=found.hellos.get("EHLO"),
            helo=found.hellos.get("HELO"),
            capabilities=_keywords(self.capabilities),
            starttls=found.hellos.get("STARTTLS"),
            tls=self.tls,
            ehlo_tls=found.hellos.get("EHLO*"),
            capabilities_tls=_keywords(self.capabilities_tls),
            transactions=tuple(found.transactions),
            quit=found.hellos.get("QUIT*") or found.hellos.get("QUIT"),
            unsolicited=tuple(found.unsolicited),
            end=replace(self.end, entry=max(len(numbers) - 1, 0)) if self.end and ended_here else None,
            transcript=tuple(entries[number] for number in numbers),
        )

    def _kept(self, guest: int, total: int) -> list[range]:
        """The entries that are told to `guest`."""
        turns = [*self._turns, (EVERYBODY, total)]
        return [
            range(start, stop) for (whose, start), (_, stop) in pairwise(turns) if whose in (EVERYBODY, guest)
        ]

    def _events(self, kept: Iterable[range]) -> Iterator[tuple[Greeting | Reply | Unsolicited, float, int]]:
        """What was heard in these entries, when, and the number of the entry among them."""
        number = {entry: n for n, entry in enumerate(e for part in kept for e in part)}
        for logged in self.dialogue.log:
            if not isinstance(logged.event, ConnectionClosed) and logged.entry in number:
                yield logged.event, logged.at, number[logged.entry]


@dataclass(slots=True)
class _Found:
    """Replies put where they belong, one after the other."""

    transactions: list[Transaction]
    greeting: ReplySeen | None = None
    unsolicited: list[ReplySeen] = field(default_factory=list)
    hellos: dict[str, ReplySeen] = field(default_factory=dict)  # the verb, after STARTTLS with an asterisk
    turn: int = -1

    def put(self, event: Greeting | Reply | Unsolicited, seen: ReplySeen) -> None:
        if isinstance(event, Greeting):
            self.greeting = seen
        elif isinstance(event, Unsolicited):
            self.unsolicited.append(seen)
        elif isinstance(event.command, Mail):
            self.turn += 1
            self._answered(replace(self.transactions[self.turn], mail=seen))
        elif isinstance(event.command, Rcpt):
            self._answered(replace(self.transactions[self.turn], rcpt=seen))
        elif isinstance(event.command, Rset):
            self._answered(replace(self.transactions[self.turn], rset=seen))
        else:
            again = "*" if "STARTTLS" in self.hellos else ""
            self.hellos[verb(event.command) + again] = seen

    def _answered(self, transaction: Transaction) -> None:
        self.transactions[self.turn] = transaction


def _seen(event: Greeting | Reply | Unsolicited, at: float, entry: int) -> ReplySeen:
    return ReplySeen(
        code=event.code,
        text=event.text,
        raw=event.raw.decode("latin-1"),
        at=at,
        entry=entry,
        enhanced_code=event.enhanced_code or "",
        deviations=tuple(
            Irregularity(
                kind=str(d.kind),
                line=d.line,
                offset=d.offset,
                excerpt=d.excerpt.decode("latin-1"),
                reference=d.kind.reference,
            )
            for d in event.deviations
        ),
    )


def verb(command: Command) -> str:
    """The first word of a command's line."""
    return command.line.split(" ")[0]


def _keywords(capabilities: Capabilities) -> tuple[Keyword, ...]:
    return tuple(Keyword(keyword=k, parameters=p) for k, p in capabilities.entries)
