"""DNS questions as octets, and the octets of responses as answers.

The answer section is kept, one line a record as `dig` prints it, in lower case because names are
case-insensitive; the status is that of the end of its alias chain. A server that is no resolver (it refers to
another one instead of answering) has not denied that there is such a record: its response is unusable, and
no NODATA.

`codec_fast` writes and reads the usual messages, nearly all; `codec_full` does the rest.

Not here: DNSSEC, and any section but the answer, except for the SOA of a negative answer and the extended
errors (RFC 8914) in which a server gives its reasons.
"""

import re
import secrets
import struct
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

from dns.rcode import Rcode

from checker_smtp.backends.transport.os_errors import MAX_DETAIL
from checker_smtp.probes.dns.chain import AliasChain, follow_aliases
from checker_smtp.probes.ports import DnsStatus

from . import codec_fast
from .codec_fast import HEADER, DnsMessage, RRset

__all__ = ["Question", "Response"]

# Records of one answer, and octets of their text; a legal answer of 300 MX has 30,000 octets, and a hostile
# one of 64 KiB, its names compressed, 2 MB.
_MAX_RECORDS = 1000
_MAX_TEXT = 64 * 1024
# No name is longer in escapes than 4 times 254 characters, so that no record with two names is cut.
_MAX_RECORD = 2200
# 64 KiB of the longest names take dnspython 1.3 s, in which no other task runs, and codec_fast 0.02 s (`read`
# on the hostile answers of tests/runtimes/test_dns_limits.py).
_MAX_UNUSUAL = 16 * 1024

_AA, _TC, _RD, _RA, _CD = 0x0400, 0x0200, 0x0100, 0x0080, 0x0010
# RFC 6891 §6.1.2: the root, OPT, the payload of the DNS flag day 2020 (no path fragments it), no options.
_EDNS = struct.pack("!BHHIH", 0, 41, 1232, 0, 0)

_FAILURES = {Rcode.SERVFAIL: DnsStatus.SERVFAIL, Rcode.REFUSED: DnsStatus.REFUSED}
# Among them is the response of a server that does not know EDNS (RFC 6891 §7), or not this version of it.
_NOT_UNDERSTOOD = (Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS)
# RFC 8914 §4.5, §4.16 to §4.18: forged, blocked, censored or filtered, by who runs the resolver.
_is_blocked = re.compile(r"EDE (?:4|15|16|17)\b").match
_NO_SOA = "no SOA beside it (RFC 2308 §3)"
_CHAIN_PROBLEMS = {"loop": "the aliases lead in a circle", "too-long": "more than {} aliases"}


@dataclass(frozen=True, slots=True)
class Response:
    """The result of one try to ask one server, be it a failure.

    `omitted` is the number of records beyond the limits, the least preferred MX; `not_understood` is True for
    the errors with which a server refuses EDNS, among other things; `blocked` where it says that it keeps the
    answer back.
    """

    status: DnsStatus
    records: tuple[str, ...] = ()
    detail: str = ""
    omitted: int = 0
    truncated: bool = False
    not_understood: bool = False
    blocked: bool = False


class Question:
    """One question under one random ID."""

    def __init__(self, name: str, rdtype: str, *, unvalidated: bool = False) -> None:
        """Encode the question; raises ValueError, in one sentence, for a name or a type that cannot be.

        `unvalidated` sets CD=1 (RFC 4035 §3.2.2).
        """
        self._flags = _RD | (_CD if unvalidated else 0)
        self._name, self._rdtype, self._section = _encode(name, rdtype)
        self._write(edns=True)

    def again(self, *, edns: bool) -> "Question":
        """Return the same question under another ID, with EDNS (RFC 6891) or without."""
        other = copy(self)
        other._write(edns=edns)
        return other

    def _write(self, *, edns: bool) -> None:
        header = HEADER.pack(secrets.randbits(16), self._flags, 1, 0, 0, edns)
        self.wire = header + self._section + (_EDNS if edns else b"")

    def read(self, data: bytes) -> Response | None:
        """Return the result in the message `data`; None where it is no response to this question."""
        if data[:2] != self.wire[:2]:
            return None
        message = codec_fast.decode_message(data, self._section)
        if message is None:
            if len(data) > _MAX_UNUSUAL:
                detail = f"an answer of {len(data)} octets with unusual records, which is not read"
                return Response(DnsStatus.UNUSABLE, detail=detail)
            try:
                message = _decode_fully(data, self.wire)
            except ValueError as error:
                detail = _bounded(f"an answer that cannot be read: {error}")
                return Response(DnsStatus.UNUSABLE, detail=detail)
        return None if message is None else self._response(message)

    def _response(self, message: DnsMessage) -> Response:
        chain = self._chain(message)
        rcode = Rcode.make(message.rcode)
        status, reason = _status(rcode, message, chain, found=self._has_records(message, chain))
        detail = _bounded("; ".join(filter(None, (reason, *message.reasons))))
        if status in (DnsStatus.NODATA, DnsStatus.NXDOMAIN) and not message.has_soa:
            detail = f"{detail}; {_NO_SOA}" if detail else _NO_SOA
        records, omitted = self._records(message, chain)
        blocked = any(map(_is_blocked, message.reasons))
        return Response(
            DnsStatus.UNUSABLE if blocked else status,
            records,
            detail,
            omitted,
            truncated=bool(message.flags & _TC),
            not_understood=rcode in _NOT_UNDERSTOOD,
            blocked=blocked,
        )

    def _chain(self, message: DnsMessage) -> AliasChain:
        owners, cnames, dnames = set(), {}, {}
        for owner, rdtype, _, data in message.answer:
            if rdtype == self._rdtype:
                owners.add(owner)
            elif rdtype == "CNAME":
                cnames[owner] = data[0]
            elif rdtype == "DNAME":
                dnames[owner] = data[0]
        return follow_aliases(self._name, owners, cnames, dnames)

    def _has_records(self, message: DnsMessage, chain: AliasChain) -> bool:
        end = (self._name, *chain.names)[-1], self._rdtype
        return any(rrset[:2] == end for rrset in message.answer)

    def _records(self, message: DnsMessage, chain: AliasChain) -> tuple[tuple[str, ...], int]:
        """Return the records within the limits, and the number of those that are not."""
        kept: list[str] = []
        room = _MAX_TEXT
        for text in self._sorted(message, chain):
            room -= len(text)
            if room < 0 or len(kept) == _MAX_RECORDS:
                break
            kept.append(text)
        return tuple(kept), sum(len(rrset.data) for rrset in message.answer) - len(kept)

    def _sorted(self, message: DnsMessage, chain: AliasChain) -> Iterator[str]:
        """Yield the records: the aliases, what they lead to, and last what was not asked for."""
        names = (self._name, *chain.names)

        def rank(rrset: RRset) -> int:
            if rrset.rdtype == self._rdtype:
                return 1 if rrset.owner == names[-1] else 2
            is_alias = rrset.rdtype == "CNAME" and rrset.owner in names
            is_alias |= rrset.rdtype == "DNAME" and any(name.endswith(f".{rrset.owner}") for name in names)
            return 0 if is_alias else 2

        for owner, rdtype, ttl, data in sorted(message.answer, key=rank):
            for text in sorted(data, key=_preference) if rdtype == "MX" else data:
                yield f"{owner} {ttl} IN {rdtype} {text}"[:_MAX_RECORD]


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


def _status(rcode: Rcode, message: DnsMessage, chain: AliasChain, *, found: bool) -> tuple[DnsStatus, str]:
    """Return the status and the reason for it; `found` is True where the chain's end has records."""
    if rcode is Rcode.NXDOMAIN:
        return DnsStatus.NXDOMAIN, ""
    if rcode is not Rcode.NOERROR:
        return _FAILURES.get(rcode, DnsStatus.ERROR), Rcode.to_text(rcode)
    if chain.problem:
        return DnsStatus.ERROR, _CHAIN_PROBLEMS[chain.problem].format(len(chain.names))
    if found:
        return DnsStatus.ANSWER, ""
    if message.flags & _RA or (message.flags & _AA and not chain.names):
        return DnsStatus.NODATA, ""
    return DnsStatus.UNUSABLE, "the server asked is no resolver: it offers no recursion"


def _preference(data: str) -> int:
    preference = data.partition(" ")[0]
    return int(preference) if preference.isdecimal() else 0xFFFF


def _bounded(text: str) -> str:
    """Return `text` in printable ASCII, and in `MAX_DETAIL` characters at most."""
    text = text[:MAX_DETAIL].encode("ascii", "backslashreplace").decode("ascii")
    return re.sub(r"[^ -~]", lambda match: f"\\x{ord(match[0]):02x}", text)[:MAX_DETAIL]
