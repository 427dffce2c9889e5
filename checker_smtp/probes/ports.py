"""What the probes need from the world: somebody who resolves names, somebody who runs scripts.

`probes` defines these two and is handed implementations; it never imports one. A DNS answer is kept in
presentation format, one string per record, because that is what a person checks with `dig` and what a
recorded case shows in a diff.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from smtp_sansio import Script

__all__ = ["DnsAnswer", "DnsStatus", "Resolver", "Runner"]

_T = TypeVar("_T")


class DnsStatus(StrEnum):
    """How a question was answered; the first four are answers, each meaning something else."""

    ANSWER = "answer"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    ERROR = "error"

    @property
    def known(self) -> bool:
        """Whether the question was settled: records, or the certainty that there are none."""
        return self in (DnsStatus.ANSWER, DnsStatus.NODATA, DnsStatus.NXDOMAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """The answer to one question.

    `name` is a host name in A-labels, lower case, without the final dot (the root is `.`); `records` the
    answer section in presentation format (`name ttl IN type data`), aliases included; `seconds` how long
    it took; `detail` what a failure said.
    """

    name: str
    rdtype: str
    status: DnsStatus
    records: tuple[str, ...] = ()
    seconds: float = 0.0
    detail: str = ""


class Resolver(Protocol):
    """Answers DNS questions; failures are answers, so `resolve` raises nothing but cancellation."""

    async def resolve(self, name: str, rdtype: str) -> DnsAnswer:
        """Ask for `name`'s records of the type `rdtype` (`MX`, `A`, `AAAA`, `PTR`, `NS`)."""
        ...


class Runner(Protocol):
    """Runs a script against the world and gives back what it returns."""

    async def run(self, script: Script[_T]) -> _T:
        """Drive `script` to its end; the transport is closed on every way out."""
        ...
