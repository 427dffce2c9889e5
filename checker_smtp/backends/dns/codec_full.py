"""The full codec: any DNS question and message, by dnspython, where `codec_fast` returns None.

Imported when the first such message is met, because loading dnspython's messages takes longer than most
checks need until their first packet is sent (python -X importtime -c "import dns.message").
"""

import struct

import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from .codec_fast import DnsMessage, RRset

__all__ = ["decode_message", "encode_question"]


def encode_question(name: str, rdtype: str) -> tuple[str, str, bytes]:
    """Return name and type in presentation format, and the question section for them.

    Raises ValueError, in one sentence, for a name or a type that cannot be asked for.
    """
    if not name.isascii():
        raise ValueError("the name is not in A-labels")
    try:
        qname = dns.name.from_text(name or "..")
        number = dns.rdatatype.from_text(rdtype)
    except dns.exception.DNSException as error:
        raise ValueError(str(error)) from None
    except struct.error:  # dnspython 2.7, at an escape above \\255
        raise ValueError("an escaped octet of the name is above 255") from None
    section = (qname.to_wire() or b"") + struct.pack("!HH", number, dns.rdataclass.IN)
    return str(qname).lower(), dns.rdatatype.to_text(number), section


def decode_message(data: bytes, query: bytes) -> DnsMessage | None:
    """Decode the message `data`; return None where it is no response to the message `query`.

    Raises ValueError, in one sentence, where it is no message.
    """
    try:
        response = dns.message.from_wire(data, ignore_trailing=True)
    except dns.exception.DNSException as error:
        raise ValueError(str(error)) from None
    if not dns.message.from_wire(query).is_response(response):
        return None
    answer = tuple(
        RRset(
            str(rrset.name).lower(),
            dns.rdatatype.to_text(rrset.rdtype),
            rrset.ttl,
            tuple(map(_data, rrset)),
        )
        for rrset in response.answer
        if rrset.rdclass == dns.rdataclass.IN
    )
    reasons = (option.to_text() for option in response.options if isinstance(option, dns.edns.EDEOption))
    has_soa = any(
        rrset.rdtype == dns.rdatatype.SOA and rrset.rdclass == dns.rdataclass.IN
        for rrset in response.authority
    )
    return DnsMessage(int(response.flags), int(response.rcode()), answer, tuple(reasons), has_soa)


def _data(rdata: dns.rdata.Rdata) -> str:
    try:
        return rdata.to_text().lower()
    except ValueError:  # octets that are no text, in a type that has text: the form of RFC 3597 instead
        return dns.rdata.GenericRdata(rdata.rdclass, rdata.rdtype, rdata.to_wire() or b"").to_text()
