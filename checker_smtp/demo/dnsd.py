"""A DNS responder for one view of the world: enough of RFC 1034 §4.3.2 for a resolver to be content.

Theory: `answer` is a pure function from a query and a zone to a response, `respond` adds the wire format and
`serve` a socket. The zone is rooted at `.`, so that every name there is has an answer and nothing ever leaves
this process.

Not here: TCP and truncation (no answer of the demo comes near 512 octets), delegation, wildcards, DNSSEC.
"""

from collections.abc import Iterable

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.zone
from anyio.abc import UDPSocket

__all__ = ["answer", "parse", "respond", "serve"]


def parse(records: Iterable[str]) -> dns.zone.Zone:
    """The zone of these records, each "owner type data" with absolute names; `.` must have its SOA and NS.

    Raises `dns.exception.DNSException` for records which make no zone.
    """
    return dns.zone.from_text("\n".join(["$TTL 60", *records]), origin=dns.name.root, relativize=False)


def answer(query: dns.message.Message, zone: dns.zone.Zone) -> dns.message.Message:
    """The response to `query`: CNAMEs followed, NXDOMAIN and NODATA (RFC 2308 §2) told apart.

    A name which only has names below it exists (RFC 8020 §2). What is not a standard query is answered
    NOTIMP, what is not one question of class IN is answered FORMERR or REFUSED.
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

    name = question.name
    found = zone.get_rrset(name, question.rdtype)
    while found is None and (alias := zone.get_rrset(name, dns.rdatatype.CNAME)):
        if alias in response.answer:
            # What a resolver says of a chain that never ends; nothing in RFC 1034 names a code for it.
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        response.answer.append(alias)
        name = dns.name.from_text(alias[0].to_text())
        found = zone.get_rrset(name, question.rdtype)

    if found is not None:
        response.answer.append(found)
        return response
    response.authority.append(zone.find_rrset(dns.name.root, dns.rdatatype.SOA))
    if not any(owner.is_subdomain(name) for owner in zone.nodes):
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response


def respond(packet: bytes, zone: dns.zone.Zone) -> bytes | None:
    """The datagram to answer `packet` with, or nothing where it is no query.

    Silence is for what cannot be parsed, and for responses: two responders must never talk to each other.
    """
    try:
        query = dns.message.from_wire(packet)
    except dns.exception.DNSException:
        return None
    if query.flags & dns.flags.QR:
        return None
    return answer(query, zone).to_wire()


async def serve(socket: UDPSocket, zone: dns.zone.Zone) -> None:
    """Answer on `socket` until cancelled."""
    async for packet, (host, port) in socket:
        response = respond(packet, zone)
        if response is not None:
            await socket.sendto(response, host, port)
