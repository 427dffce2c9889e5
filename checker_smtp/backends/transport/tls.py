"""TLS as a mail sender without a policy does it: encrypted if at all possible, verified never.

A checker has to meet what is there in order to tell it, so the one context here takes every version and
every cipher suite OpenSSL was built with, down to security level 0, and a server without secure
renegotiation. What of that is acceptable is for the rules. Suites without a certificate come last: they are
met where nothing else is offered, and never preferred.

The context is shared: it costs a millisecond to build, and holds nothing of a session.
"""

import re
import socket
import ssl
from functools import cache

__all__ = ["client_context", "wrap"]

# ssl.OP_LEGACY_SERVER_CONNECT, which has that name from Python 3.12 on
_LEGACY_SERVER_CONNECT = 0x4
# RFC 6066 §3: the name of a host, in ASCII, without the final dot. OpenSSL takes less than any octets.
_fits_sni = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*").fullmatch


@cache
def client_context() -> ssl.SSLContext:
    """The context every handshake shares."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:+aNULL:@SECLEVEL=0")
    context.options |= ssl.Options(_LEGACY_SERVER_CONNECT)
    return context


def wrap(sock: socket.socket, server_name: str) -> ssl.SSLSocket:
    """`sock` under TLS, its handshake still to be done; it takes the file descriptor over.

    `server_name` is sent as SNI where it is a host name, and none is sent where it is not. Raises OSError
    where the connection is gone already.
    """
    return client_context().wrap_socket(
        sock,
        server_hostname=server_name if _fits_sni(server_name) else None,
        do_handshake_on_connect=False,
    )
