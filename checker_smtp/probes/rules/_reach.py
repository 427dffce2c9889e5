"""The reason why an endpoint was not reached, and the side whose fault it is.

A refused or reset connection is an answer of the other side. A missing route, a missing address family or a
local firewall is a fault of this machine. Silence, and "host unreachable", are ambiguous: they count against
the domain only where another endpoint of the same family, or a control that the caller named, showed that
connections to the port leave this network.
"""

from checker_smtp.probes.observation import Ending, Endpoint, Observation
from checker_smtp.probes.selftest import AMBIGUOUS

__all__ = ["blamed", "lost", "unreached"]

_THEIRS = ("refused", "reset", "closed")
_OURS = ("host-unreachable", "network-unreachable", "not-permitted", "other")


def unreached(endpoint: Endpoint) -> Ending | None:
    """Return how the connection attempt failed; None where it did not."""
    return None if endpoint.connected else endpoint.main.end


def lost(end: Ending) -> str:
    """Return in words why a session ended, where the server is not the cause; empty where it may be."""
    if end.is_limit:
        return end.words
    return f"the network failed ({end.kind})" if end.kind in _OURS else ""


def blamed(observation: Observation) -> tuple[list[Endpoint], list[Endpoint]]:
    """Return the endpoints not reached: those that are the domain's fault, those that could not be tested."""
    proven = {
        e.family
        for e in observation.endpoints
        if e.connected or ((end := unreached(e)) is not None and end.kind in _THEIRS)
    } | {c.family for c in observation.controls if c.outcome in ("connected", *_THEIRS)}
    theirs: list[Endpoint] = []
    ours: list[Endpoint] = []
    for endpoint in observation.endpoints:
        end = unreached(endpoint)
        if end is None:
            continue
        is_proven = end.kind in AMBIGUOUS and endpoint.family in proven
        (theirs if end.kind in _THEIRS or is_proven else ours).append(endpoint)
    return theirs, ours
