"""What was seen, and nothing about what it means.

Plain frozen data that goes to JSON and back without loss, so that any stored observation can be judged
again by newer rules. Octets are kept as latin-1 text (one character is one octet); names are in A-labels
without the final dot; times are seconds. Properties only spare readers from spelling out the obvious;
whatever takes judgement is in the rules.
"""

from dataclasses import dataclass
from typing import TypeAlias

from .addresses import subject_of
from .ports import DnsAnswer, DnsStatus

__all__ = [
    "Control",
    "Coverage",
    "Ending",
    "Endpoint",
    "Entry",
    "FamilyCoverage",
    "Irregularity",
    "Keyword",
    "Mx",
    "MxTarget",
    "Observation",
    "Purpose",
    "ReplySeen",
    "ReverseDns",
    "Session",
    "Settings",
    "Tls",
    "TlsIssue",
    "TlsProbe",
    "Transaction",
]

Entry: TypeAlias = dict[str, str | int | float]
"""One line of a transcript, as `smtp_sansio.Transcript` writes it."""

Purpose: TypeAlias = str
"""What a transaction asks: `null-sender`, `postmaster`, `relay` or `relay-control`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Irregularity:
    """A deviation from the protocol: its kind, line (from 1), offset and octets in the reply."""

    kind: str
    line: int
    offset: int
    excerpt: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplySeen:
    """One reply: `at` seconds into the session, heard with line `entry` (from 0) of the transcript."""

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
    """A handshake that succeeded; `server_name` is the SNI sent, empty for none."""

    version: str
    cipher: str
    server_name: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One MAIL, RCPT, RSET; a reply is None where the command was not said or not answered."""

    purpose: Purpose
    sender: str
    recipient: str
    mail: ReplySeen | None = None
    rcpt: ReplySeen | None = None
    rset: ReplySeen | None = None

    @property
    def verdict(self) -> ReplySeen | None:
        """The reply that settles it: a refused MAIL, else the answer to RCPT."""
        if self.mail is not None and not self.mail.positive:
            return self.mail
        return self.rcpt


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a session ended that did not reach the answer to QUIT.

    `step` is what it was waiting for, or had heard last (`connect`, `greeting`, `EHLO`, `STARTTLS`, `TLS`,
    `MAIL`, `EHLO after STARTTLS`, …), `kind` the failure (`timeout`, `refused`, `reset`, `closed`, `tls`,
    `budget`, …) or the protocol error's code.
    """

    step: str
    kind: str
    detail: str
    at: float
    entry: int
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One connection. `purpose` says why it was made.

    `main` · `helo-only` (EHLO was refused and the connection closed) · `without-sni` · `without-tls` ·
    `one-by-one` (a group was answered out of step) · `relay` (held for all domains of the address) ·
    `relay-control` · `revisit` (the first visit was put off) · `not-held` (no rule that judges needed one).
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

    @property
    def ready(self) -> bool:
        """Whether the server accepted EHLO or HELO."""
        return any(reply is not None and reply.positive for reply in (self.ehlo, self.helo))

    def offers(self, keyword: str) -> bool:
        """Whether the keyword was advertised before TLS."""
        return any(known.keyword == keyword for known in self.capabilities)

    @property
    def replies(self) -> tuple[ReplySeen, ...]:
        """Every reply heard, in order."""
        single = (self.greeting, self.ehlo, self.helo, self.starttls, self.ehlo_tls, self.quit)
        of_transactions = (reply for t in self.transactions for reply in (t.mail, t.rcpt, t.rset))
        heard = [reply for reply in (*single, *of_transactions, *self.unsolicited) if reply is not None]
        return tuple(sorted(heard, key=lambda reply: reply.entry))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseDns:
    """PTR of an address: the names, those that resolve back to it, those whose lookup failed.

    `names` holds the first ten; `total` counts all.
    """

    status: DnsStatus
    names: tuple[str, ...] = ()
    total: int = 0
    confirmed_by: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address and port, with every session held there and the MX targets that lead to it."""

    address: str
    port: int
    targets: tuple[str, ...]
    reverse: ReverseDns | None
    sessions: tuple[Session, ...] = ()

    @property
    def subject(self) -> str:
        return subject_of(self.address, self.port)

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4

    @property
    def main(self) -> Session:
        return self.sessions[0]

    @property
    def connected(self) -> bool:
        return self.main.connected_at is not None

    def asked(self, purpose: Purpose) -> Transaction | None:
        """The transaction with this purpose: the last one that was answered, if it was held at all."""
        unanswered: Transaction | None = None
        for session in reversed(self.sessions):
            for held in reversed(session.transactions):
                if held.purpose == purpose:
                    if held.verdict is not None:
                        return held
                    unanswered = unanswered or held
        return unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class MxTarget:
    """One MX target (or the domain itself as its implicit MX), with what its name led to.

    `aliases` is the CNAME chain after the target; `alias_problem` is `dangling` or `loop` where it leads
    nowhere. `ipv4_status` and `ipv6_status` are None where nothing was asked (`literal`).
    """

    preference: int
    target: str
    ttl: int = 0
    literal: str = ""
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    ipv4_status: DnsStatus | None = None
    ipv6_status: DnsStatus | None = None
    aliases: tuple[str, ...] = ()
    alias_problem: str = ""
    not_public: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mx:
    """The domain's MX set. `error` is set where the lookup failed other than by NXDOMAIN.

    `address_status` is how the domain's own A and AAAA were answered, asked only where it has no MX.
    """

    status: DnsStatus
    records: tuple[MxTarget, ...] = ()
    error: str = ""
    null_mx: bool = False
    null_preferences: tuple[int, ...] = ()
    implicit_mx: bool = False
    address_status: tuple[DnsStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyCoverage:
    """Endpoints of one address family: published, connected to, and not testable from here."""

    published: int = 0
    connected: int = 0
    untestable: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Endpoints by address family."""

    ipv4: FamilyCoverage
    ipv6: FamilyCoverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A server that the caller named, knocked at to see whether the port leaves from here.

    `outcome` is `connected`, or the kind of failure (`timeout`, `refused`, …).
    """

    host: str
    address: str
    port: int
    outcome: str

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options that shaped this observation."""

    timeout: float
    helo_name: str
    sender: str
    probe_address: str
    test_null_sender: bool
    test_postmaster: bool
    test_open_relay: bool
    port: int
    ipv4: bool
    ipv6: bool
    allow_targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsIssue:
    """One issue as the TLS checker names it; `severity` is info, warn or crit."""

    code: str
    severity: str
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsProbe:
    """What the TLS checker found at one endpoint (`host:port`)."""

    endpoint: str
    issues: tuple[TlsIssue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything seen in one check of one domain.

    `skipped` are endpoints left alone because there were too many; `probe_hosts` the MX names and
    addresses of the relay probe's own domain, asked only where some endpoint accepted the probe;
    `controls` the servers knocked at because endpoints did not answer; `rules` those it was made for, None
    where for all.
    """

    domain: str
    run_at: str
    settings: Settings
    mx: Mx
    endpoints: tuple[Endpoint, ...]
    coverage: Coverage
    dns: tuple[DnsAnswer, ...]
    resolver: str = ""
    seconds: float = 0.0
    tls_probes: tuple[TlsProbe, ...] = ()
    skipped: tuple[str, ...] = ()
    probe_hosts: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    rules: tuple[str, ...] | None = None
