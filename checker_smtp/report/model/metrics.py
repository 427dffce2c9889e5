"""Figures that several reports share: the time of each phase at an endpoint, and its TLS.

A phase begins at the end of the previous one and ends with the reply it waits for; `ehlo` is the sum of both
EHLO commands of a session with TLS. A phase that did not end is left out. With several sessions, each phase
is that of the first session that finished it.
"""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, ReplySeen, Session, Tls
from checker_smtp.probes.requirements import NOT_HELD

__all__ = ["PHASES", "TLS_VERSIONS", "find_tls", "is_probed", "measure_phases"]

PHASES = ("connect", "banner", "ehlo", "tls", "transactions")
TLS_VERSIONS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


def is_probed(endpoint: Endpoint) -> bool:
    """Return True if the endpoint was probed. No selected rule may need a session; then none is held."""
    return endpoint.main.purpose != NOT_HELD.purpose


def find_tls(endpoint: Endpoint) -> Tls | None:
    """Return the first TLS handshake that succeeded, or None."""
    return next((session.tls for session in endpoint.sessions if session.tls is not None), None)


def measure_phases(endpoint: Endpoint) -> dict[str, float]:
    """Return the seconds of each phase, in the order of `PHASES`."""
    durations: dict[str, float] = {}
    for session in endpoint.sessions:
        for phase, seconds in _phases(session):
            durations.setdefault(phase, round(max(seconds, 0.0), 3))
    return {phase: durations[phase] for phase in PHASES if phase in durations}


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
    start, ehlo = hello.at, hello.at - session.greeting.at
    if session.tls is not None:
        yield "tls", session.tls.at - hello.at
        start = session.tls.at
        if session.ehlo_tls is not None:
            start = session.ehlo_tls.at
            ehlo += session.ehlo_tls.at - session.tls.at
    yield "ehlo", ehlo
    reply = _last(*(reply for t in session.transactions for reply in (t.mail, t.rcpt, t.rset)))
    if reply is not None:
        yield "transactions", reply.at - start


def _last(*replies: ReplySeen | None) -> ReplySeen | None:
    return max((reply for reply in replies if reply is not None), key=lambda reply: reply.at, default=None)
