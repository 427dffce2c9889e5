"""Effects, which a script yields, and outcomes, which it is sent.

A script is a generator: it yields an effect and is sent its outcome. Four effects are enough for any
SMTP session, and each has a timeout, the longest time it may take, in seconds, and `late`, the failure where
that is over. With the timeout 0 it is not performed, so that a wrapper ends a script for a reason that
is on record. Outcomes carry the clock: `at` is seconds since the script began, in whole milliseconds, so
that a script that counts time does the same thing when it is replayed from a record of those outcomes.

Network trouble is the outcome `Failed`, never an exception thrown into the script. A script must not
yield inside `finally`: its driver closes the transport.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar

from ._certificate import Certificate

__all__ = [
    "Connect",
    "Done",
    "Effect",
    "Failed",
    "FailureKind",
    "Outcome",
    "ReadRun",
    "Receive",
    "Received",
    "Script",
    "Secured",
    "Send",
    "Upgrade",
]


class FailureKind(StrEnum):
    """Why an effect failed, fine enough to decide which side is to blame.

    The client's own limits are `BUDGET` (the time of a session), `CHECK_BUDGET` (that of all its sessions)
    and `EVIDENCE` (the octets that it keeps).
    """

    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    CLOSED = "closed"
    HOST_UNREACHABLE = "host-unreachable"
    NETWORK_UNREACHABLE = "network-unreachable"
    NOT_PERMITTED = "not-permitted"
    TLS = "tls"
    BUDGET = "budget"
    CHECK_BUDGET = "check-budget"
    EVIDENCE = "evidence"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a TCP connection to the address `host` (never a name), within `timeout` seconds."""

    host: str
    port: int
    timeout: float
    late: FailureKind = FailureKind.TIMEOUT


@dataclass(frozen=True, slots=True)
class Send:
    """Write all of `data` in one go."""

    data: bytes
    timeout: float
    late: FailureKind = FailureKind.TIMEOUT


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for octets; answered by `Received`, whose `data` is empty at the end of the stream."""

    timeout: float
    late: FailureKind = FailureKind.TIMEOUT


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Do a TLS handshake as client, unverified, with `server_name` as SNI (none where empty).

    Answered by `Secured`. A driver that reads ahead and holds octets now begins no handshake and answers with
    them, as `Received`: they came in the clear, so they are injected (RFC 3207 §6).
    """

    server_name: str
    timeout: float
    late: FailureKind = FailureKind.TIMEOUT


@dataclass(frozen=True, slots=True)
class Done:
    """A `Connect` or a `Send` succeeded."""

    at: float


@dataclass(frozen=True, slots=True)
class Received:
    """Octets arrived; empty `data` is the end of the stream.

    Where a record has joined several `reads` in a row, `at` is the time of the last one, and `first_at` that
    of the first.
    """

    at: float
    data: bytes
    reads: int = 1
    first_at: float | None = None


@dataclass(frozen=True, slots=True)
class Secured:
    """The handshake succeeded, with this protocol version and cipher suite (OpenSSL's names).

    `certificate` is the server's, None where it showed none or the driver does not report it.
    """

    at: float
    version: str
    cipher: str
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An effect failed; `detail` is the operating system's or OpenSSL's text for it."""

    at: float
    kind: FailureKind
    detail: str = ""


Effect: TypeAlias = Connect | Send | Receive | Upgrade
Outcome: TypeAlias = Done | Received | Secured | Failed


class ReadRun:
    """Counts the reads in a row: those past `MAX_READS` are joined into one entry of a record.

    A replay gives a joined entry as one read, so that joins are counted by entry and not by read.
    """

    # a server that needs more for its replies sends octet by octet
    MAX_READS = 64

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries = 0

    def is_joined(self, effect: Effect, outcome: Outcome) -> bool:
        """Count an effect; return True where its outcome is part of the entry before it."""
        if not (isinstance(effect, Receive) and isinstance(outcome, Received) and outcome.data):
            self._entries = 0
        elif self._entries > self.MAX_READS:
            return True
        else:
            self._entries += 1
        return False


_T = TypeVar("_T")
Script: TypeAlias = Generator[Effect, Outcome, _T]
