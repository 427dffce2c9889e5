"""What several reports read off a result: where an endpoint's time went, its TLS, how many findings.

A phase begins where the one before it ended and is over with the reply it waited for; `ehlo` has both EHLOs
where there was TLS. One that was never finished is left out, since how long it would have taken nobody
knows. Where several sessions were held, each phase is that of the first one to finish it.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, ReplySeen, Session, Tls
from checker_smtp.probes.requirements import NOT_HELD
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import Outcome, Severity

__all__ = ["PHASES", "TLS_VERSIONS", "UNSETTLED", "count_findings", "find_tls", "is_probed", "measure_phases"]

PHASES = ("connect", "banner", "ehlo", "tls", "transactions")
TLS_VERSIONS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
UNSETTLED = (Outcome.TRANSIENT, Outcome.REFUSED_US, Outcome.NOT_TESTED)


def count_findings(result: Result, severity: Severity) -> int:
    """How many findings are that bad."""
    return sum(finding.severity is severity for finding in result.findings)


def is_probed(endpoint: Endpoint) -> bool:
    """Whether it was to be probed; where no rule needs that, its silence means nothing."""
    return endpoint.main.purpose != NOT_HELD.purpose


def find_tls(endpoint: Endpoint) -> Tls | None:
    """The first handshake that succeeded."""
    return next((session.tls for session in endpoint.sessions if session.tls is not None), None)


def measure_phases(endpoint: Endpoint) -> dict[str, float]:
    """Seconds by phase, in the order of `PHASES`."""
    found: dict[str, float] = {}
    for session in endpoint.sessions:
        for phase, seconds in _phases(session):
            found.setdefault(phase, round(max(seconds, 0.0), 3))
    return {phase: found[phase] for phase in PHASES if phase in found}


def _phases(session: Session) -> Iterator[tuple[str, float]]:
    if session.connected_at is None:
        return
    yield "connect", session.connected_at
    if session.greeting is None:
        return
    yield "banner", session.greeting.at - session.connected_at
    hello = _last(session.ehlo, session.helo)
    if hello is None:
        return
    begun, ehlo = hello.at, hello.at - session.greeting.at
    if session.tls is not None:
        yield "tls", session.tls.at - hello.at
        begun = session.tls.at
        if session.ehlo_tls is not None:
            begun = session.ehlo_tls.at
            ehlo += session.ehlo_tls.at - session.tls.at
    yield "ehlo", ehlo
    answer = _last(*(reply for t in session.transactions for reply in (t.mail, t.rcpt, t.rset)))
    if answer is not None:
        yield "transactions", answer.at - begun


def _last(*replies: ReplySeen | None) -> ReplySeen | None:
    return max((reply for reply in replies if reply is not None), key=lambda reply: reply.at, default=None)
