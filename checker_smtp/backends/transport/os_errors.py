"""Map an exception of the operating system or of OpenSSL to a kind of failure.

The kind decides the blame: `refused` and `closed` are the peer's doing, `network-unreachable` and
`not-permitted` this host's. The detail is for people, and the same on every driver and in every record:
the system's text for the error number (`os.strerror`), or OpenSSL's reason in lower-case words. Neither
names an address or a line of source code.
"""

import errno
import os
import re
import ssl

from smtp_sansio import FailureKind

__all__ = ["MAX_DETAIL", "classify"]

# One line of a terminal or a report; the longest reason OpenSSL has is 56 characters.
MAX_DETAIL = 200

_KINDS = {
    errno.ECONNREFUSED: FailureKind.REFUSED,
    errno.ECONNRESET: FailureKind.RESET,
    errno.EPIPE: FailureKind.CLOSED,
    errno.ECONNABORTED: FailureKind.CLOSED,
    errno.ENOTCONN: FailureKind.CLOSED,
    errno.ESHUTDOWN: FailureKind.CLOSED,
    errno.EHOSTUNREACH: FailureKind.HOST_UNREACHABLE,
    errno.EHOSTDOWN: FailureKind.HOST_UNREACHABLE,
    errno.ENETUNREACH: FailureKind.NETWORK_UNREACHABLE,
    errno.ENETDOWN: FailureKind.NETWORK_UNREACHABLE,
    errno.EADDRNOTAVAIL: FailureKind.NETWORK_UNREACHABLE,
    errno.EAFNOSUPPORT: FailureKind.NETWORK_UNREACHABLE,
    errno.EACCES: FailureKind.NOT_PERMITTED,
    errno.EPERM: FailureKind.NOT_PERMITTED,
    errno.ETIMEDOUT: FailureKind.TIMEOUT,
}


def classify(error: OSError) -> tuple[FailureKind, str]:
    """Return the kind and the detail of `error`, the detail in `MAX_DETAIL` characters at most."""
    # without a number: asyncio, where the peer closes during a handshake
    is_end = error.errno is None and isinstance(error, ConnectionError)
    if is_end or isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return FailureKind.CLOSED, "the peer closed the connection"
    if isinstance(error, ssl.SSLError):
        return FailureKind.TLS, _reason(error)[:MAX_DETAIL]
    if error.errno is None:
        kind = FailureKind.TIMEOUT if isinstance(error, TimeoutError) else FailureKind.OTHER
        return kind, type(error).__name__
    return _KINDS.get(error.errno, FailureKind.OTHER), os.strerror(error.errno)[:MAX_DETAIL]


def _reason(error: ssl.SSLError) -> str:
    if error.reason:
        return error.reason.replace("_", " ").lower()
    return re.sub(r"\s*\(_ssl\.c:\d+\)", "", error.strerror or type(error).__name__).lower()
