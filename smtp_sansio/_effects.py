"""Effects, which a script yields, and outcomes, which it is sent.

A script is a generator: it yields an effect and is sent its outcome. Four effects are enough for any
SMTP session, and each has a timeout, the longest time it may take, in seconds. Outcomes carry the
clock: `at` is seconds since the script began, in whole milliseconds, so that a script that counts time
does the same thing when it is replayed from a record of those outcomes.

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
    "Receive",
    "Received",
    "Script",
    "Secured",
    "Send",
    "Upgrade",
]


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a TCP connection to the address `host` (never a name), within `timeout` seconds."""

    host: str
    port: int
    timeout: float


@dataclass(frozen=True, slots=True)
class Send:
    """Write all of `data` in one go."""

    data: bytes
    timeout: float


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for octets; answered by `Received`, whose `data` is empty at the end of the stream."""

    timeout: float


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Do a TLS handshake as client, unverified, with `server_name` as SNI (none where empty).

    Answered by `Secured`. A driver that reads ahead and holds octets now begins no handshake and answers with
    them, as `Received`: they came in the clear, so they are injected (RFC 3207 §6).
    """

    server_name: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Done:
    """A `Connect` or a `Send` succeeded."""

    at: float


@dataclass(frozen=True, slots=True)
class Received:
    """Octets arrived; empty `data` is the end of the stream."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Secured:
    """The handshake succeeded, with this protocol version and cipher suite (OpenSSL's names).

    `certificate` is the server's, None where it showed none or the driver does not report it.
    """

    at: float
    version: str
    cipher: str
    certificate: Certificate | None = None


class FailureKind(StrEnum):
    """Why an effect failed, fine enough to decide which side is to blame."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    CLOSED = "closed"
    HOST_UNREACHABLE = "host-unreachable"
    NETWORK_UNREACHABLE = "network-unreachable"
    NOT_PERMITTED = "not-permitted"
    TLS = "tls"
    BUDGET = "budget"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failed:
    """An effect failed; `detail` is the operating system's or OpenSSL's text for it."""

    at: float
    kind: FailureKind
    detail: str = ""


Effect: TypeAlias = Connect | Send | Receive | Upgrade
Outcome: TypeAlias = Done | Received | Secured | Failed

_T = TypeVar("_T")
Script: TypeAlias = Generator[Effect, Outcome, _T]
