"""The ports through which the probes reach the network: one resolves names, one runs scripts.

`probes` defines them and receives implementations; it never imports one. A DNS answer is kept in presentation
format, one string per record, because `dig` prints that and a recorded case shows it in a diff.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from smtp_sansio import Script

__all__ = ["DnsAnswer", "DnsStatus", "Resolver", "Runner"]

_T = TypeVar("_T")


class DnsStatus(StrEnum):
    """How a question was answered; the first four are answers of a server, each with its own meaning."""

    ANSWER = "answer"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    ERROR = "error"

    @property
    def known(self) -> bool:
        """True where the question was settled: there are records, or there certainly are none."""
        return self in (DnsStatus.ANSWER, DnsStatus.NODATA, DnsStatus.NXDOMAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """The answer to one question.

    `name` is a host name in A-labels, lower case, without the final dot (the root is `.`); `records` the
    answer section in presentation format (`name ttl IN type data`), aliases included; `seconds` the time it
    took; `detail` the error text of a failure.
    """

    name: str
    rdtype: str
    status: DnsStatus
    records: tuple[str, ...] = ()
    seconds: float = 0.0
    detail: str = ""


class Resolver(Protocol):
    """Resolves names; failures are answers too, so `resolve` raises nothing but cancellation."""

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        """Return the answer for `name` and the type `rdtype` (`MX`, `A`, `AAAA`, `PTR`, `NS`)."""
        ...


class Runner(Protocol):
    """Runs a script over the network and returns its result."""

    async def run(self, script: Script[_T]) -> _T:
        """Run `script` to its end; the transport is closed in every case, also on errors and cancellation."""
        ...
