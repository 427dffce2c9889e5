"""DNS messages, as octets and as answers.

The answer section is told whole, one line a record as `dig` prints it, in lower case because names have
none; the status says what the end of its alias chain is. A server that is no resolver (it leads
elsewhere instead of answering) has not said that there is no such record: that is an error, not NODATA.

What is plain, which is nearly everything, is written and read by `dns_plain`; `dns_any` does the rest.

Not here: DNSSEC, and any section but the answer, except for the extended error (RFC 8914) where a server
tells why it failed.
"""

import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from dns.rcode import Rcode

from checker_smtp.backends.transport.os_errors import MAX_DETAIL
from checker_smtp.probes.ports import DnsStatus

from .codec_fast import HEADER, Contents, plain_question, read_plain

__all__ = ["Question", "Response"]

# Every resolver follows fewer: unbound 11, BIND 16, dnspython 16.
_MAX_ALIASES = 16
# No honest answer a mail check asks for is near; a hostile zone can fill 64 KiB.
_MAX_RECORDS = 100
# Reading 64 KiB of records takes a second, in which nothing else gets its turn.
_MAX_MESSAGE = 16 * 1024
_MAX_RECORD = 1000

_AA, _TC, _RD, _RA = 0x0400, 0x0200, 0x0100, 0x0080
# RFC 6891 §6.1.2: the root, OPT, the payload of the DNS flag day 2020 (what no path fragments), no options.
_EDNS = struct.pack("!BHHIH", 0, 41, 1232, 0, 0)

_FAILURES = {Rcode.SERVFAIL: DnsStatus.SERVFAIL, Rcode.REFUSED: DnsStatus.REFUSED}


@dataclass(frozen=True, slots=True)
class Response:
    """What came of one try."""

    status: DnsStatus
    records: tuple[str, ...] = ()
    detail: str = ""
    truncated: bool = False


class Question:
    """One question under one random ID."""

    def __init__(self, name: str, rdtype: str) -> None:
        """Raises ValueError, in one sentence, for a name or a type that cannot be asked for."""
        self._name, self._rdtype, self._section = plain_question(name, rdtype) or _question(name, rdtype)
        self.wire = HEADER.pack(secrets.randbits(16), _RD, 1, 0, 0, 1) + self._section + _EDNS

    def read(self, data: bytes) -> Response | None:
        """What the message `data` answers; None where it is no answer to this question."""
        if data[:2] != self.wire[:2]:
            return None
        if len(data) > _MAX_MESSAGE:
            return Response(DnsStatus.ERROR, detail=f"an answer of more than {_MAX_MESSAGE} octets")
        try:
            contents = read_plain(data, self._section) or _read(data, self.wire)
        except ValueError as error:
            return Response(DnsStatus.ERROR, detail=_bounded(f"an answer that cannot be read: {error}"))
        if contents is None:
            return None
        status, detail = self._status(contents)
        truncated = bool(contents.flags & _TC)
        return Response(status, tuple(islice(_records(contents), _MAX_RECORDS)), detail, truncated)

    def _status(self, contents: Contents) -> tuple[DnsStatus, str]:
        rcode = Rcode.make(contents.rcode)
        if rcode is Rcode.NOERROR:
            return self._end_of_chain(contents)
        if rcode is Rcode.NXDOMAIN:
            return DnsStatus.NXDOMAIN, ""
        detail = "; ".join([Rcode.to_text(rcode), *contents.reasons])
        return _FAILURES.get(rcode, DnsStatus.ERROR), _bounded(detail)

    def _end_of_chain(self, contents: Contents) -> tuple[DnsStatus, str]:
        answer = {(rrset.owner, rrset.rdtype): rrset for rrset in contents.answer}
        name, seen = self._name, {self._name}
        while (name, self._rdtype) not in answer:
            alias = answer.get((name, "CNAME"))
            if alias is None:
                return _nothing(contents, aliased=len(seen) > 1)
            (name,) = alias.data
            if name in seen:
                return DnsStatus.ERROR, "the aliases lead in a circle"
            seen.add(name)
            if len(seen) > _MAX_ALIASES:
                return DnsStatus.ERROR, f"more than {_MAX_ALIASES} aliases"
        return DnsStatus.ANSWER, ""


def _question(name: str, rdtype: str) -> tuple[str, str, bytes]:
    from .codec_full import any_question  # late: it takes its time

    try:
        return any_question(name, rdtype)
    except ValueError as error:
        raise ValueError(_bounded(str(error))) from None


def _read(data: bytes, query: bytes) -> Contents | None:
    from .codec_full import read_any  # late: it takes its time

    return read_any(data, query)


def _nothing(contents: Contents, *, aliased: bool) -> tuple[DnsStatus, str]:
    if contents.flags & _RA or (contents.flags & _AA and not aliased):
        return DnsStatus.NODATA, ""
    return DnsStatus.ERROR, "the server asked is no resolver: it offers no recursion"


def _records(contents: Contents) -> Iterator[str]:
    for owner, rdtype, ttl, texts in contents.answer:
        for text in texts:
            yield f"{owner} {ttl} IN {rdtype} {text}"[:_MAX_RECORD]


def _bounded(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")[:MAX_DETAIL]
