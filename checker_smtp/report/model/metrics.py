"""Figures that several reports share: the time of each phase at an endpoint, and its TLS.

A phase begins at the end of the previous one and ends with the reply it waits for; `ehlo` is the sum of both
EHLO commands of a session with TLS. A phase that did not end is left out. With several sessions, each phase
is that of the first session that finished it.
"""

from checker_smtp.probes.observation import Endpoint, Tls
from checker_smtp.probes.requirements import NOT_HELD

from .timeline import split_phases

__all__ = ["PHASES", "TLS_VERSIONS", "find_tls", "is_probed", "measure_phases"]

PHASES = ("connect", "banner", "ehlo", "tls", "transactions")
# the kinds of phases in a time-line that are measured
_KINDS = dict(zip(("connect", "greeting", "hello", "tls", "transactions"), PHASES, strict=True))
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
        phases = [phase for phase in split_phases(session) if phase.kind != "tls" or session.tls is not None]
        for name in PHASES:
            lengths = [phase.length for phase in phases if _KINDS.get(phase.kind) == name]
            if lengths:
                durations.setdefault(name, round(sum(lengths), 3))
    return {name: durations[name] for name in PHASES if name in durations}
