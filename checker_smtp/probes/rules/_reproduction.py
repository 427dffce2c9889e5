"""How a reader sees a finding again without this program, as data.

A `Code` names one of these; `checker_smtp.report.advice.commands` makes lines for `dig`, `nc`, `swaks`
and `openssl`. None of them sends a message: a session ends at RCPT at the latest.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "HoldSession",
    "OpenPort",
    "QueryDns",
    "QueryReverse",
    "ReadOctets",
    "RepeatSession",
    "RepeatTransactions",
    "Reproduction",
    "StartTlsHandshake",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDns:
    """Ask for records of the domain or of the MX targets; `trace` also follows the domain's delegation."""

    names: Literal["domain", "targets"]
    rdtypes: tuple[str, ...]
    trace: bool = False


@dataclass(frozen=True, slots=True)
class QueryReverse:
    """Ask for the PTR names of the address, and for the addresses of these names."""


@dataclass(frozen=True, slots=True)
class OpenPort:
    """Connect to the endpoint and say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSession:
    """Hold the session up to this step; wait `timeout` seconds for each reply where one is given."""

    until: Literal["greeting", "EHLO", "STARTTLS"]
    timeout: int | None = None


@dataclass(frozen=True, slots=True)
class RepeatTransactions:
    """Repeat the transactions that the code names as its evidence, and their controls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTlsHandshake:
    """Start TLS with `openssl s_client`; `flag` is one more word for it, such as `-showcerts`."""

    flag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOctets:
    """Print the server's octets as they are, up to the reply to `command`."""

    command: Literal["QUIT", "STARTTLS"] = "QUIT"


@dataclass(frozen=True, slots=True)
class RepeatSession:
    """Repeat the session up to the step at which it was refused or ended."""


Reproduction: TypeAlias = (
    QueryDns
    | QueryReverse
    | OpenPort
    | HoldSession
    | RepeatTransactions
    | StartTlsHandshake
    | ReadOctets
    | RepeatSession
)
