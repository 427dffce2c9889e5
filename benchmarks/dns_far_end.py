"""The DNS server of `dns`: it answers every name at once, with the same records.

Run as `python -m benchmarks.dns_far_end`, in a process of its own, so that it does not slow down the client.
It prints its port and runs until it is terminated. An answer has the records that a mail check usually gets
from a recursive resolver: no authority section, nothing additional but EDNS.

It writes packets itself, in place of `testing.DnsProtocol`, because it has to be faster than the clients
that are measured.
"""

import socket
from struct import pack

__all__ = ["HOST", "RECORDS", "respond"]

HOST = "127.0.0.1"
_MX = b"\x03mx1\x07example\x03net\x00", b"\x03mx2\x07example\x03net\x00"
_V6 = b"\x20\x01\x0d\xb8" + bytes(11)
_DATA = {
    "MX": (15, (b"\x00\x0a" + _MX[0], b"\x00\x14" + _MX[1])),
    "A": (1, (b"\xc0\x00\x02\x01", b"\xc0\x00\x02\x02")),
    "AAAA": (28, (_V6 + b"\x01", _V6 + b"\x02")),
    "PTR": (12, (_MX[0],)),
}
# How many records the answer has, by type.
RECORDS = {rdtype: len(data) for rdtype, (_, data) in _DATA.items()}
# The number of answers and the answer section, by type.
_ANSWERS = {
    number: (
        pack("!H", len(data)),
        b"".join(b"\xc0\x0c" + pack("!HHIH", number, 1, 300, len(one)) + one for one in data),
    )
    for number, data in _DATA.values()
}


def respond(query: bytes) -> bytes:
    """Return the answer to `query`."""
    end = query.index(b"\0", 12) + 5
    count, answer = _ANSWERS[int.from_bytes(query[end - 4 : end - 2], "big")]
    return b"".join(
        (query[:2], b"\x81\x80\0\1", count, b"\0\0", query[10:12], query[12:end], answer, query[end:])
    )


def _main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        print(sock.getsockname()[1], flush=True)
        while True:
            query, client = sock.recvfrom(2048)
            sock.sendto(respond(query), client)


if __name__ == "__main__":
    _main()
