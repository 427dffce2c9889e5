"""The ports through which the probes reach the network: one resolves names, one runs scripts.

`probes` defines them and receives implementations; it never imports one. A DNS answer is kept in presentation
format, one string per record, because `dig` prints that and a recorded case shows it in a diff.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from smtp_sansio import Script

__all__ = ["Backend", "DnsAnswer", "DnsStatus", "Resolver", "Runner"]

_T = TypeVar("_T")


class DnsStatus(StrEnum):
    """How a question was answered; the first four are answers of a server, each with its own meaning.

    `TIMEOUT` is the silence of a resolver that answers other questions, `ERROR` any other answer of a server,
    by name in the detail. `UNUSABLE` is a fault of this side: the resolver was not reached, is none, or sent
    what cannot be read, such as a truncated answer whose whole it does not give over TCP, or says that it
    keeps the answer back. `CHECK_BUDGET` and `EVIDENCE` are limits of the check: its time was over, or it had
    no room for the answer.
    """

    ANSWER = "answer"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    ERROR = "error"
    UNUSABLE = "unusable"
    CHECK_BUDGET = "check-budget"
    EVIDENCE = "evidence"

    @property
    def is_limit(self) -> bool:
        """True where a limit of the check left the question open."""
        return self in (DnsStatus.CHECK_BUDGET, DnsStatus.EVIDENCE)

    @property
    def is_ours(self) -> bool:
        """True where this side is why the question is open: its resolver, or a limit of the check."""
        return self is DnsStatus.UNUSABLE or self.is_limit

    @property
    def known(self) -> bool:
        """True where the question was settled: there are records, or there certainly are none."""
        return self in (DnsStatus.ANSWER, DnsStatus.NODATA, DnsStatus.NXDOMAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """The answer to one question.

    `name` is a host name in A-labels, lower case, without the final dot (the root is `.`); `records` the
    answer section in presentation format (`name ttl IN type data`), aliases and records of other names
    included, the most preferred MX first; `omitted` the number of records beyond the limit. `seconds` is the
    time it took, `detail` what the server said beside the records: the error and the extended errors (RFC
    8914). `unvalidated` is True where the question had CD=1 (RFC 4035 §3.2.2).
    """

    name: str
    rdtype: str
    status: DnsStatus
    records: tuple[str, ...] = ()
    seconds: float = 0.0
    detail: str = ""
    omitted: int = 0
    unvalidated: bool = False

    @property
    def question(self) -> tuple[str, str, bool]:
        """Return name, type, and True where the question had CD=1."""
        return self.name, self.rdtype, self.unvalidated


class Resolver(Protocol):
    """Resolves names; failures are answers too, so `resolve` raises nothing but cancellation."""

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        """Return the answer for `name` and the type `rdtype` (`MX`, `A`, `AAAA`, `PTR`, `NS`).

        `unvalidated` asks the resolver not to check DNSSEC signatures (CD=1): where only that is answered,
        the signatures are bogus.
        """


class Runner(Protocol):
    """Runs a script over the network and returns its result."""

    async def run(self, script: Script[_T]) -> _T:
        """Run `script` to its end; the transport is closed in every case, also on errors and cancellation."""


class Backend(Resolver, Runner, Protocol):
    """Both ports in one object."""
