"""The facts of one whole check."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from operator import attrgetter

from checker_smtp.probes.addresses import subject_of
from checker_smtp.probes.ports import DnsAnswer

from .dns import Mx, ReverseDns
from .session import Purpose, Session, Transaction

__all__ = [
    "Control",
    "Coverage",
    "Endpoint",
    "FamilyCoverage",
    "Observation",
    "Settings",
    "TlsIssue",
    "TlsProbe",
]


_name_of = attrgetter("name")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsIssue:
    """One issue in the words of the TLS checker; `severity` is info, warn or crit."""

    code: str
    severity: str
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsProbe:
    """The issues that the TLS checker found at one endpoint (`host:port`)."""

    endpoint: str
    issues: tuple[TlsIssue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address and port, with every session there and the MX targets that lead to it.

    `translated` is the IPv6 address by which a network without IPv4 reaches it (RFC 6147), if there is one.
    """

    address: str
    port: int
    targets: tuple[str, ...]
    reverse: ReverseDns | None
    sessions: tuple[Session, ...] = ()
    translated: str = ""

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

    @property
    def ready_session(self) -> Session | None:
        """The first session in which EHLO or HELO was accepted."""
        return next((session for session in self.sessions if session.is_ready), None)

    @property
    def ehlo_session(self) -> Session | None:
        """The first session in which EHLO was accepted, so that the extensions are known."""
        return next((s for s in self.sessions if s.ehlo is not None and s.ehlo.positive), None)

    def asked(self, purpose: Purpose) -> Transaction | None:
        """Return the transaction with this purpose: the last answered one, else the last, else None."""
        unanswered: Transaction | None = None
        for session in reversed(self.sessions):
            for transaction in reversed(session.transactions):
                if transaction.purpose == purpose:
                    if transaction.verdict is not None:
                        return transaction
                    unanswered = unanswered or transaction
        return unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyCoverage:
    """Numbers of endpoints of one address family: published, connected to, not testable from this machine."""

    published: int = 0
    connected: int = 0
    untestable: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Numbers of endpoints by address family."""

    ipv4: FamilyCoverage
    ipv6: FamilyCoverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control host: a server that the caller named, to find out whether port 25 is open on this side.

    `outcome` is `connected`, or the kind of failure (`timeout`, `refused`, …). `address` is empty where there
    is none to connect to; `outcome` then says why, in words.
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
    rule_options: tuple[str, ...] = ()
    helo_reason: str = ""
    source_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All facts of one check of one domain.

    `skipped` are the endpoints beyond the limit; `probe_hosts` the MX names and addresses of the relay
    probe's own domain, resolved only where an endpoint accepted the probe; `controls` the control hosts
    contacted because endpoints did not answer; `rules` the names of those it was made for, None for all.
    `dns` is put in the order of names, so that the answers about a name are found without reading all.
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

    def __post_init__(self) -> None:
        # a document may have another order; sorting what is in order takes one comparison an answer
        object.__setattr__(self, "dns", tuple(sorted(self.dns, key=_name_of)))

    def answers_about(self, name: str, *rdtypes: str) -> tuple[DnsAnswer, ...]:
        """Return the answers to the questions about `name` for these types of records."""
        start = bisect_left(self.dns, name, key=_name_of)
        end = bisect_right(self.dns, name, start, key=_name_of)
        return tuple(answer for answer in self.dns[start:end] if answer.rdtype in rdtypes)
