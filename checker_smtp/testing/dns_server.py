"""Answers DNS queries over UDP from a function, such as `Zone.lookup`: the part of RFC 1034 a check needs.

Not here: TCP and truncation, so answers have to fit a datagram; delegation, wildcards, DNSSEC.
"""

import asyncio
from functools import lru_cache
from typing import Any, Final, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from anyio.abc import UDPSocket

from checker_smtp.probes.ports import DnsStatus

from .zone import Lookup, Zone

__all__ = ["DnsProtocol", "answer_query", "respond", "serve_dns"]

_RCODES: Final = {
    DnsStatus.NXDOMAIN: dns.rcode.NXDOMAIN,
    DnsStatus.SERVFAIL: dns.rcode.SERVFAIL,
    DnsStatus.REFUSED: dns.rcode.REFUSED,
    # What resolvers answer for aliases in a circle; nothing in RFC 1034 names a code for it.
    DnsStatus.ERROR: dns.rcode.SERVFAIL,
}
_NEGATIVE: Final = (DnsStatus.NODATA, DnsStatus.NXDOMAIN)


def answer_query(query: dns.message.Message, lookup: Lookup) -> dns.message.Message | None:
    """Return the response to `query`, or None where the answer is a timeout.

    NXDOMAIN and NODATA carry the root's SOA (RFC 2308 §2). A query that is not a standard one is answered
    NOTIMP, one that is not a single question of class IN is answered FORMERR or REFUSED.
    """
    response = dns.message.make_response(query, recursion_available=True)
    if query.opcode() != dns.opcode.QUERY:
        response.set_rcode(dns.rcode.NOTIMP)
        return response
    if len(query.question) != 1:
        response.set_rcode(dns.rcode.FORMERR)
        return response
    question = query.question[0]
    if question.rdclass != dns.rdataclass.IN or dns.rdatatype.is_metatype(question.rdtype):
        response.set_rcode(dns.rcode.REFUSED)
        return response

    name = question.name.to_text(omit_final_dot=True) or "."
    answer = lookup(name, dns.rdatatype.to_text(question.rdtype))
    if answer.status is DnsStatus.TIMEOUT:
        return None
    response.set_rcode(_RCODES.get(answer.status, dns.rcode.NOERROR))
    for record in answer.records:
        _add(response, response.answer, record)
    if answer.status in _NEGATIVE:
        (soa,) = (lookup(".", "SOA").records or Zone().lookup(".", "SOA").records)[:1]
        _add(response, response.authority, soa)
    return response


def respond(packet: bytes, lookup: Lookup) -> bytes | None:
    """Return the datagram that answers `packet`, or None where none is sent.

    That is for timeouts, for what cannot be parsed, and for responses: two servers must never answer each
    other.
    """
    try:
        query = dns.message.from_wire(packet)
    except dns.exception.DNSException:
        return None
    if query.flags & dns.flags.QR:
        return None
    response = answer_query(query, lookup)
    return response.to_wire() if response is not None else None


async def serve_dns(socket: UDPSocket, lookup: Lookup) -> None:
    """Answer on `socket` until cancelled."""
    async for packet, (host, port) in socket:
        response = respond(packet, lookup)
        if response is not None:
            await socket.sendto(response, host, port)


class DnsProtocol(asyncio.DatagramProtocol):
    """Answers on an asyncio datagram endpoint, without the queue of 100 queries that `serve_dns` has.

    >>> import asyncio
    >>> async def serve():
    ...     loop = asyncio.get_running_loop()
    ...     lookup = Zone("example.test MX 0 .").lookup
    ...     return await loop.create_datagram_endpoint(lambda: DnsProtocol(lookup), ("127.0.0.1", 0))
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answer one query."""
        response = respond(data, self._lookup)
        if response is not None:
            self._transport.sendto(response, addr)


def _add(response: dns.message.Message, section: list[dns.rrset.RRset], record: str) -> None:
    parsed = _parse(record)
    rrset = response.find_rrset(section, parsed.name, parsed.rdclass, parsed.rdtype, create=True)
    rrset.add(parsed[0], parsed.ttl)


# Reading a record from text takes longer than the rest of an answer, and load tests repeat the same ones.
@lru_cache(maxsize=4096)
def _parse(record: str) -> dns.rrset.RRset:
    """Return a record in presentation format, `name ttl IN type data`, as a set of one."""
    name, ttl, rdclass, rdtype, data = record.split(maxsplit=4)
    return dns.rrset.from_text(name, int(ttl), rdclass, rdtype, data)
