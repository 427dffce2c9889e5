"""Why an endpoint was not reached, and whose fault that is.

A refused or reset connection came from the other side. A missing route, a missing address family or a local
ban is ours. Silence, and "host unreachable", are ambiguous: they count against the domain only where
another endpoint of the same family showed that port 25 gets out of here.
"""

from probes.observation import Ending, Endpoint, Observation

__all__ = ["blamed", "unreached"]

_THEIRS = ("refused", "reset", "closed")
_AMBIGUOUS = ("timeout", "host-unreachable")


def unreached(endpoint: Endpoint) -> Ending | None:
    """How the connection attempt failed; None where it did not."""
    return None if endpoint.connected else endpoint.main.end


def blamed(observation: Observation) -> tuple[list[Endpoint], list[Endpoint]]:
    """The endpoints not reached: those that are the domain's fault, those that could not be tested."""
    proven = {
        e.family
        for e in observation.endpoints
        if e.connected or ((end := unreached(e)) is not None and end.kind in _THEIRS)
    }
    theirs: list[Endpoint] = []
    ours: list[Endpoint] = []
    for endpoint in observation.endpoints:
        end = unreached(endpoint)
        if end is None:
            continue
        theirs_too = end.kind in _AMBIGUOUS and endpoint.family in proven
        (theirs if end.kind in _THEIRS or theirs_too else ours).append(endpoint)
    return theirs, ours
