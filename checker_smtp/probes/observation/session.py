"""The facts of one connection."""

from dataclasses import dataclass
from typing import TypeAlias

from smtp_sansio import Certificate, DeviationKind

__all__ = [
    "EHLO_KEYWORDS",
    "Ending",
    "Entry",
    "Irregularity",
    "Keyword",
    "Purpose",
    "ReplySeen",
    "Session",
    "Tls",
    "Transaction",
    "limit_words",
]

# The limits of a check, by the kind of the ending; that of the parser has words of its own.
_LIMITS = {
    "budget": "the time for this endpoint ran out",
    "check-budget": "the time for the whole check ran out",
    "evidence": "the server sent more than this check keeps of one endpoint",
}
_PARSER_LIMIT = "limit.session"
_ENDINGS = _LIMITS | {
    "closed": "the server closed the connection",
    "refused": "the connection was refused",
    "reset": "the server reset the connection",
    "timeout": "nothing was received in time",
}
_DEVIATIONS = {str(kind): kind.words for kind in DeviationKind}


def limit_words(kind: str) -> str:
    """Return the limit of the check in a sentence; empty where `kind` is no such failure of an operation."""
    return _LIMITS.get(kind, "")


EHLO_KEYWORDS = frozenset(
    ("8BITMIME", "AUTH", "ENHANCEDSTATUSCODES", "PIPELINING", "SIZE", "SMTPUTF8", "STARTTLS")
)
"""Keywords behind the first line of a reply, in capitals, that only EHLO has."""

Entry: TypeAlias = dict[str, str | int | float]
"""One line of a transcript, as `smtp_sansio.Transcript` writes it."""

Purpose: TypeAlias = str
"""The question of a transaction: `null-sender`, `postmaster`, `relay`, `relay-control`, `served-control`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Irregularity:
    """A deviation from the protocol: its kind, line (from 1), offset and octets in the reply."""

    kind: str
    line: int
    offset: int
    excerpt: str
    reference: str = ""

    @property
    def words(self) -> str:
        """The kind in a sentence; the kind itself where this version does not know it."""
        return _DEVIATIONS.get(self.kind, self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplySeen:
    """One reply: `at` seconds into the session, received with line `entry` (from 0) of the transcript."""

    code: int
    text: str
    raw: str
    at: float
    entry: int
    enhanced_code: str = ""
    deviations: tuple[Irregularity, ...] = ()

    @property
    def positive(self) -> bool:
        return self.code // 100 == 2

    @property
    def transient(self) -> bool:
        return self.code // 100 == 4

    @property
    def permanent(self) -> bool:
        return self.code // 100 == 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """An EHLO keyword in upper case with its parameters verbatim."""

    keyword: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A handshake that succeeded; `server_name` is the SNI sent, empty for none.

    `certificate` is the server's, which no rule judges; None where it showed none, or is not known.
    """

    version: str
    cipher: str
    server_name: str
    at: float
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One MAIL, RCPT, RSET; a reply is None where the command was not sent or not answered."""

    purpose: Purpose
    sender: str
    recipient: str
    mail: ReplySeen | None = None
    rcpt: ReplySeen | None = None
    rset: ReplySeen | None = None

    @property
    def verdict(self) -> ReplySeen | None:
        """The reply that decides the transaction: to MAIL where that was not accepted, else to RCPT."""
        if self.mail is not None and not self.mail.positive:
            return self.mail
        return self.rcpt


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of a session that did not get as far as the reply to QUIT.

    `step` is the step whose reply was missing, else the last one answered (`connect`, `greeting`, `EHLO`,
    `STARTTLS`, `TLS`, `MAIL`, `EHLO after STARTTLS`, …), `kind` the failure (`timeout`, `refused`, `reset`,
    `closed`, `tls`, `budget`, …) or the code of the protocol error. `at` is seconds into the session, `entry`
    the last line of the transcript, `excerpt` the octets that could not be used.
    """

    step: str
    kind: str
    detail: str
    at: float
    entry: int
    excerpt: str = ""

    @property
    def is_limit(self) -> bool:
        """True where a limit of this check ended the session, which says nothing about the server."""
        return self.kind in _LIMITS or self.kind == _PARSER_LIMIT

    @property
    def words(self) -> str:
        """The failure in a sentence, without a full stop."""
        return _ENDINGS.get(self.kind) or self.detail or self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One connection; `purpose` is the reason for it.

    `main` · `helo-only` (EHLO was rejected and the connection closed) · `without-sni` · `without-tls` ·
    `one-by-one` (a group was answered out of step) · `continued` (the questions that the server left when it
    closed after a refusal, or refused RSET) · `relay` (made for all domains of the address) ·
    `relay-control` · `served-control` (a recipient that the server surely serves) · `revisit` (a retry: the
    server had deferred) · `not-held` (no connection was made: none of the chosen rules needs one).
    """

    purpose: str
    connected_at: float | None = None
    greeting: ReplySeen | None = None
    ehlo: ReplySeen | None = None
    helo: ReplySeen | None = None
    capabilities: tuple[Keyword, ...] = ()
    starttls: ReplySeen | None = None
    tls: Tls | None = None
    ehlo_tls: ReplySeen | None = None
    capabilities_tls: tuple[Keyword, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    quit: ReplySeen | None = None
    unsolicited: tuple[ReplySeen, ...] = ()
    end: Ending | None = None
    transcript: tuple[Entry, ...] = ()

    @classmethod
    def not_made(cls, reason: str) -> "Session":
        """Return the session of an address that was deliberately not contacted, as by an exclusion list.

        Documents show a `main` session that ended at `connect` with `not-permitted`, as where a firewall on
        this side forbids it, and with `reason` as the detail. Without a transcript and a time it is no
        evidence against the server.
        """
        return cls(
            purpose="main",
            end=Ending(step="connect", kind="not-permitted", detail=reason, at=0.0, entry=0),
        )

    @property
    def is_ready(self) -> bool:
        """True where the server accepted EHLO or HELO."""
        return any(reply is not None and reply.positive for reply in (self.ehlo, self.helo))

    def offers(self, keyword: str) -> bool:
        """Return True where the keyword was advertised before TLS."""
        return any(known.keyword == keyword for known in self.capabilities)

    @property
    def replies(self) -> tuple[ReplySeen, ...]:
        """Every reply received, in order."""
        single = (self.greeting, self.ehlo, self.helo, self.starttls, self.ehlo_tls, self.quit)
        of_transactions = (reply for t in self.transactions for reply in (t.mail, t.rcpt, t.rset))
        received = [reply for reply in (*single, *of_transactions, *self.unsolicited) if reply is not None]
        return tuple(sorted(received, key=lambda reply: reply.entry))
