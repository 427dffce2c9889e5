"""One whole check as it was seen."""

from dataclasses import dataclass

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
