"""TLS as a mail sender without a policy does it: encrypted if at all possible, never verified.

A checker has to complete a handshake to report its version and its suite, so the one context here takes
every version and every cipher suite OpenSSL was built with, down to security level 0, and a server without
secure renegotiation. The rules decide what of that is acceptable. Suites without a certificate are last:
they are used where the server offers no other, and never preferred.

The context is shared: it holds nothing of a session, and takes 0.4 ms to build (python -m timeit -s
"from checker_smtp.backends.transport.tls import client_context as c" "c.cache_clear(); c()").
"""

import re
import socket
import ssl
from functools import cache

__all__ = ["client_context", "sni_name", "wrap"]

# ssl.OP_LEGACY_SERVER_CONNECT, which has that name from Python 3.12 on
_LEGACY_SERVER_CONNECT = 0x4
# RFC 6066 §3: the name of a host, in ASCII, without the final dot. OpenSSL does not take arbitrary octets.
_fits_sni = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*").fullmatch


@cache
def client_context() -> ssl.SSLContext:
    """Return the context that every handshake shares: any version and suite, and nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:+aNULL:@SECLEVEL=0")
    context.options |= ssl.Options(_LEGACY_SERVER_CONNECT)
    return context


def sni_name(server_name: str) -> str | None:
    """Return `server_name` if it can be sent as SNI (RFC 6066 §3), else None: it is empty or no host name."""
    return server_name if _fits_sni(server_name) else None


def wrap(sock: socket.socket, server_name: str) -> ssl.SSLSocket:
    """Return `sock` under TLS, before its handshake; it takes the file descriptor over.

    `server_name` is sent as SNI where it is a host name, and none is sent where it is not. Raises OSError
    where the connection is closed already.
    """
    return client_context().wrap_socket(
        sock,
        server_hostname=sni_name(server_name),
        do_handshake_on_connect=False,
    )
