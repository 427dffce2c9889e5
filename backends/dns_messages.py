"""DNS messages, as octets and as answers; dnspython reads and writes them.

The answer section is told whole, one line a record as `dig` prints it, in lower case because names have
none; the status says what the end of its alias chain is. A server that is no resolver (it leads
elsewhere instead of answering) has not said that there is no such record: that is an error, not NODATA.

Not here: DNSSEC, and any section but the answer, except for the extended error (RFC 8914) where a server
tells why it failed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from probes.ports import DnsStatus

from .failures import MAX_DETAIL

__all__ = ["Heard", "Question"]

# Every resolver follows fewer: unbound 11, BIND 16, dnspython 16.
_MAX_ALIASES = 16
# No honest answer a mail check asks for is near; a hostile zone can fill 64 KiB.
_MAX_RECORDS = 100
# Reading 64 KiB of records takes a second, in which nothing else gets its turn.
_MAX_MESSAGE = 16 * 1024
_MAX_RECORD = 1000
# The payload of the DNS flag day 2020: what no path fragments.
_PAYLOAD = 1232

_RCODES = {
    dns.rcode.NXDOMAIN: DnsStatus.NXDOMAIN,
    dns.rcode.SERVFAIL: DnsStatus.SERVFAIL,
    dns.rcode.REFUSED: DnsStatus.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one try."""

    status: DnsStatus
    records: tuple[str, ...] = ()
    detail: str = ""
    truncated: bool = False


class Question:
    """One question under one random ID."""

    def __init__(self, name: str, rdtype: str) -> None:
        """Raises ValueError, in one sentence, for a name or a type that cannot be asked for."""
        if not name.isascii():
            raise ValueError("the name is not in A-labels")
        try:
            self._name = dns.name.from_text(name or "..")
            self._rdtype = dns.rdatatype.from_text(rdtype)
            self._query = dns.message.make_query(
                self._name, self._rdtype, use_edns=0, payload=_PAYLOAD, want_dnssec=False
            )
            self.wire = self._query.to_wire()
        except dns.exception.DNSException as error:
            raise ValueError(_bounded(str(error))) from None
        except struct.error:  # dnspython 2.7, at an escape above \\255
            raise ValueError("an escaped octet of the name is above 255") from None

    def read(self, data: bytes) -> Heard | None:
        """What the message `data` answers; None where it is no answer to this question."""
        if data[:2] != self.wire[:2]:
            return None
        if len(data) > _MAX_MESSAGE:
            return Heard(DnsStatus.ERROR, detail=f"an answer of more than {_MAX_MESSAGE} octets")
        try:
            response = dns.message.from_wire(data, ignore_trailing=True)
        except dns.exception.DNSException as error:
            return Heard(DnsStatus.ERROR, detail=_bounded(f"an answer that cannot be read: {error}"))
        if not self._query.is_response(response):
            return None
        status, detail = self._status(response)
        truncated = bool(response.flags & dns.flags.TC)
        return Heard(status, tuple(islice(_records(response), _MAX_RECORDS)), detail, truncated)

    def _status(self, response: dns.message.Message) -> tuple[DnsStatus, str]:
        rcode = response.rcode()
        if rcode == dns.rcode.NOERROR:
            return self._end_of_chain(response)
        status = _RCODES.get(rcode, DnsStatus.ERROR)
        if status is DnsStatus.NXDOMAIN:
            return status, ""
        reasons = [o.to_text() for o in response.options if isinstance(o, dns.edns.EDEOption)]
        return status, _bounded("; ".join([dns.rcode.to_text(rcode), *reasons]))

    def _end_of_chain(self, response: dns.message.Message) -> tuple[DnsStatus, str]:
        name, seen = self._name, {self._name}
        while not response.get_rrset(response.answer, name, dns.rdataclass.IN, self._rdtype):
            alias = response.get_rrset(response.answer, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
            if not alias:
                return self._nothing(response, aliased=len(seen) > 1)
            name = alias[0].target
            if name in seen:
                return DnsStatus.ERROR, "the aliases lead in a circle"
            seen.add(name)
            if len(seen) > _MAX_ALIASES:
                return DnsStatus.ERROR, f"more than {_MAX_ALIASES} aliases"
        return DnsStatus.ANSWER, ""

    def _nothing(self, response: dns.message.Message, *, aliased: bool) -> tuple[DnsStatus, str]:
        if response.flags & dns.flags.RA or (response.flags & dns.flags.AA and not aliased):
            return DnsStatus.NODATA, ""
        return DnsStatus.ERROR, "the server asked is no resolver: it offers no recursion"


def _records(response: dns.message.Message) -> Iterator[str]:
    for rrset in response.answer:
        if rrset.rdclass == dns.rdataclass.IN:
            rdtype = dns.rdatatype.to_text(rrset.rdtype)
            for rdata in rrset:
                line = f"{str(rrset.name).lower()} {rrset.ttl} IN {rdtype} {_data(rdata)}"
                yield line[:_MAX_RECORD]


def _data(rdata: dns.rdata.Rdata) -> str:
    try:
        return rdata.to_text().lower()
    except ValueError:  # octets that are no text, in a type that has text: the form of RFC 3597 instead
        return dns.rdata.GenericRdata(rdata.rdclass, rdata.rdtype, rdata.to_wire() or b"").to_text()


def _bounded(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")[:MAX_DETAIL]
