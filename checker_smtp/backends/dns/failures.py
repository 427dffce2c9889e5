"""Several failures to answer one question, as one: that which accuses the domain least.

SERVFAIL says that the domain is broken, but not where another resolver that works was silent. So where the
resolvers that are alive disagree, silence and faults of this side win. A resolver from which nothing was
received in this run is no second opinion.
"""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from checker_smtp.probes.ports import DnsAnswer, DnsStatus

from .messages import Response

__all__ = ["Failure", "combine"]

# Those that say the least about the domain first; of the others, those that say the most.
_ORDER = (DnsStatus.UNUSABLE, DnsStatus.TIMEOUT, DnsStatus.SERVFAIL, DnsStatus.REFUSED, DnsStatus.ERROR)


_R = TypeVar("_R", DnsAnswer, Response)


class Failure(NamedTuple, Generic[_R]):
    """The failure `result` of `server`; `is_alive` is True where it gave any response in this run."""

    server: str
    result: _R
    is_alive: bool


def combine(failures: Sequence[Failure[_R]]) -> tuple[_R, str]:
    """Return the failure that counts, of one or more, and its detail, which names each of several servers."""
    counted = [failure for failure in failures if failure.is_alive] or failures
    least = min(counted, key=lambda failure: _ORDER.index(failure.result.status)).result
    if len(counted) == 1:
        return least, least.detail
    return least, "; ".join(map(_named, counted))


def _named(failure: Failure[_R]) -> str:
    detail = failure.result.detail.removesuffix(f" from {failure.server}")
    return detail if failure.server in detail else f"{failure.server}: {detail}"
