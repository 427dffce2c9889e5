"""The peer of a driver under test, with a certificate for mx.test in place of the one of the package."""

import ssl
from functools import cache

import trustme

from checker_smtp.testing.socket_peer import SocketPeer

__all__ = ["ScriptedPeer", "leaf_der"]


@cache
def _certificate() -> trustme.LeafCert:
    return trustme.CA().issue_cert("mx.test")


def leaf_der() -> bytes:
    """Return the certificate that the peer shows."""
    return ssl.PEM_cert_to_DER_cert(_certificate().cert_chain_pems[0].bytes().decode())


class ScriptedPeer(SocketPeer):
    """A peer that is mx.test."""

    def __init__(self, steps: str) -> None:
        super().__init__(steps, tls=_context)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _certificate().configure_cert(context)
    return context
