"""DNS questions as octets, and the octets of responses as answers.

The answer section is kept whole, one line a record as `dig` prints it, in lower case because names are
case-insensitive; the status is that of the end of its alias chain. A server that is no resolver (it refers to
another one instead of answering) has not denied that there is such a record: that is an error, not NODATA.

`codec_fast` writes and reads the usual messages, nearly all; `codec_full` does the rest.

Not here: DNSSEC, and any section but the answer, except for the extended error (RFC 8914) in which a server
gives its reason for a failure.
"""

import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from dns.rcode import Rcode

from checker_smtp.backends.transport.os_errors import MAX_DETAIL
from checker_smtp.probes.ports import DnsStatus

from . import codec_fast
from .codec_fast import HEADER, DnsMessage

__all__ = ["Question", "Response"]

# Every resolver follows fewer: unbound 11, BIND 16, dnspython 16.
_MAX_ALIASES = 16
# No honest answer a mail check asks for is near; a hostile zone can fill 64 KiB.
_MAX_RECORDS = 100
# To read 64 KiB of records blocks the event loop for a second.
_MAX_MESSAGE = 16 * 1024
_MAX_RECORD = 1000

_AA, _TC, _RD, _RA, _CD = 0x0400, 0x0200, 0x0100, 0x0080, 0x0010
# RFC 6891 §6.1.2: the root, OPT, the payload of the DNS flag day 2020 (no path fragments it), no options.
_EDNS = struct.pack("!BHHIH", 0, 41, 1232, 0, 0)

_FAILURES = {Rcode.SERVFAIL: DnsStatus.SERVFAIL, Rcode.REFUSED: DnsStatus.REFUSED}


@dataclass(frozen=True, slots=True)
class Response:
    """The result of one try to ask one server, be it a failure."""

    status: DnsStatus
    records: tuple[str, ...] = ()
    detail: str = ""
    truncated: bool = False


class Question:
    """One question under one random ID."""

    def __init__(self, name: str, rdtype: str, *, unvalidated: bool = False) -> None:
        """Encode the question; raises ValueError, in one sentence, for a name or a type that cannot be.

        `unvalidated` sets CD=1 (RFC 4035 §3.2.2).
        """
        flags = _RD | (_CD if unvalidated else 0)
        self._name, self._rdtype, self._section = _encode(name, rdtype)
        self.wire = HEADER.pack(secrets.randbits(16), flags, 1, 0, 0, 1) + self._section + _EDNS

    def read(self, data: bytes) -> Response | None:
        """Return the result in the message `data`; None where it is no response to this question."""
        if data[:2] != self.wire[:2]:
            return None
        if len(data) > _MAX_MESSAGE:
            return Response(DnsStatus.ERROR, detail=f"an answer of more than {_MAX_MESSAGE} octets")
        try:
            message = codec_fast.decode_message(data, self._section) or _decode_fully(data, self.wire)
        except ValueError as error:
            return Response(DnsStatus.ERROR, detail=_bounded(f"an answer that cannot be read: {error}"))
        if message is None:
            return None
        status, detail = self._status(message)
        truncated = bool(message.flags & _TC)
        return Response(status, tuple(islice(_records(message), _MAX_RECORDS)), detail, truncated)

    def _status(self, message: DnsMessage) -> tuple[DnsStatus, str]:
        rcode = Rcode.make(message.rcode)
        if rcode is Rcode.NOERROR:
            return self._end_of_chain(message)
        if rcode is Rcode.NXDOMAIN:
            return DnsStatus.NXDOMAIN, ""
        detail = "; ".join([Rcode.to_text(rcode), *message.reasons])
        return _FAILURES.get(rcode, DnsStatus.ERROR), _bounded(detail)

    def _end_of_chain(self, message: DnsMessage) -> tuple[DnsStatus, str]:
        answer = {(rrset.owner, rrset.rdtype): rrset for rrset in message.answer}
        name, passed = self._name, {self._name}
        while (name, self._rdtype) not in answer:
            alias = answer.get((name, "CNAME"))
            if alias is None:
                return _no_records(message, aliased=len(passed) > 1)
            (name,) = alias.data
            if name in passed:
                return DnsStatus.ERROR, "the aliases lead in a circle"
            passed.add(name)
            if len(passed) > _MAX_ALIASES:
                return DnsStatus.ERROR, f"more than {_MAX_ALIASES} aliases"
        return DnsStatus.ANSWER, ""


def _encode(name: str, rdtype: str) -> tuple[str, str, bytes]:
    if (usual := codec_fast.encode_question(name, rdtype)) is not None:
        return usual
    from . import codec_full  # late: it loads dnspython's messages

    try:
        return codec_full.encode_question(name, rdtype)
    except ValueError as error:
        raise ValueError(_bounded(str(error))) from None


def _decode_fully(data: bytes, query: bytes) -> DnsMessage | None:
    from . import codec_full  # late: it loads dnspython's messages

    return codec_full.decode_message(data, query)


def _no_records(message: DnsMessage, *, aliased: bool) -> tuple[DnsStatus, str]:
    if message.flags & _RA or (message.flags & _AA and not aliased):
        return DnsStatus.NODATA, ""
    return DnsStatus.ERROR, "the server asked is no resolver: it offers no recursion"


def _records(message: DnsMessage) -> Iterator[str]:
    for owner, rdtype, ttl, texts in message.answer:
        for text in texts:
            yield f"{owner} {ttl} IN {rdtype} {text}"[:_MAX_RECORD]


def _bounded(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")[:MAX_DETAIL]
