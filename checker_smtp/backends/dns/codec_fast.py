"""The fast codec: usual DNS questions and answers; `codec_full` has the rest.

Nearly every answer that a mail check receives is a few records of seven types with host names in them. To
read one takes dnspython as long as a whole SMTP session takes, and a scan receives millions. With this codec
a question costs 0.4 of dnspython's processor time (python -m benchmarks dns).

Three rules keep this short and safe. It never decides alone: octets it does not expect, damaged ones
included, give None, and `codec_full` reads them. So it names no error and writes no escape, and it reads
nothing otherwise than dnspython does: a test compares the two on damaged messages. All sections are parsed,
as dnspython does, though only the answer is returned. And a compression pointer may only lead to a name, or
the end of one, that was read before it: names are kept by their offsets, so that following a pointer is one
look into a dict and no circle is possible.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import dns.ipv6

__all__ = ["HEADER", "DnsMessage", "RRset", "decode_message", "encode_question"]

HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!BHH")
_RECORD = struct.Struct("!HHIH")
_MX = struct.Struct("!H")
_SOA = struct.Struct("!IIIII")

_QR, _OPCODE, _RCODE = 0x8000, 0x7800, 0x000F
_IN = 1
_OPT = 41
_ONE_AT_MOST = ("CNAME", "SOA")
# Above it RFC 2181 says zero and RFC 8767 says this.
_MAX_TTL = 0x7FFFFFFF
_POINTER = 0xC0
_MAX_LABEL = 63
# Characters in a name of 255 octets.
_MAX_NAME = 254
# In one name. dnspython follows 16; servers write one or two.
_MAX_POINTERS = 8

# Characters of host names and of reverse zones (RFC 2317), which presentation format never escapes.
_LABEL = "[-/0-9_a-z]{1,63}"
_is_usual = re.compile(_LABEL).fullmatch
_is_usual_name = re.compile(rf"{_LABEL}(?:\.{_LABEL})*").fullmatch


class RRset(NamedTuple):
    """The records of one owner and type: presentation format, in lower case but for the type."""

    owner: str
    rdtype: str
    ttl: int
    data: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DnsMessage:
    """A response: flags, response code, answer section, and the texts of its extended errors (RFC 8914).

    `has_soa` is True where the authority section has an SOA, as that of a negative answer has (RFC 2308 §3).
    """

    flags: int
    rcode: int
    answer: tuple[RRset, ...]
    reasons: tuple[str, ...] = ()
    has_soa: bool = False


class _UnusualError(Exception):
    """The message has to be read by `codec_full`."""


class _Names:
    """The names of one message, in lower case; a name that needs an escape is unusual."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        # each octet is one character, so that offsets are the same
        self._text = data.decode("latin-1").lower()
        # by the offset of each label: the name from there on, and how many pointers were followed for it
        self._known: dict[int, tuple[str, int]] = {}

    def read(self, at: int) -> tuple[str, int]:
        """Return the name at the offset `at`, and the offset behind it."""
        name, pointers, labels = "", 0, []
        while size := self._data[at]:
            if size > _MAX_LABEL:
                name, pointers = self._follow_pointer(at)
                at += 1
                break
            labels.append((at, size))
            at += 1 + size
        for start, size in reversed(labels):
            label = self._text[start + 1 : start + 1 + size]
            name = f"{label}.{name}"
            if not _is_usual(label) or len(name) > _MAX_NAME:
                raise _UnusualError
            self._known[start] = name, pointers
        return name or ".", at + 1

    def _follow_pointer(self, at: int) -> tuple[str, int]:
        name, pointers = self._known[(self._data[at] & ~_POINTER) << 8 | self._data[at + 1]]
        if self._data[at] < _POINTER or pointers == _MAX_POINTERS:
            raise _UnusualError
        return name, pointers + 1


def encode_question(name: str, rdtype: str) -> tuple[str, str, bytes] | None:
    """Return name and type in presentation format, and the question section; None for an unusual one."""
    if rdtype not in _NUMBERS or len(name) >= _MAX_NAME or not _is_usual_name(name):
        return None
    labels = [chr(len(label)) + label for label in name.split(".")]
    return f"{name}.", rdtype, "".join(labels).encode() + _QUESTION.pack(0, _NUMBERS[rdtype], _IN)


def decode_message(data: bytes, question: bytes) -> DnsMessage | None:
    """Decode the message `data` as the response to the question section `question`.

    Return None where it is unusual: `codec_full` decides whether it is a response at all.
    """
    try:
        return _decode(data, question)
    except (_UnusualError, LookupError, ValueError, struct.error):
        return None


def _decode(data: bytes, question: bytes) -> DnsMessage:
    _, flags, questions, answers, authorities, additional = HEADER.unpack_from(data)
    at = HEADER.size + len(question)
    if not flags & _QR or flags & _OPCODE or questions != 1 or data[HEADER.size : at] != question:
        raise _UnusualError
    names = _Names(data)
    names.read(HEADER.size)
    sets: dict[tuple[str, str], tuple[int, dict[str, None]]] = {}
    for _ in range(answers):
        owner, rdtype, ttl, text, at = _record(data, names, at)
        first_ttl, texts = sets.setdefault((owner, rdtype), (ttl, {}))
        if ttl != first_ttl or (texts and rdtype in _ONE_AT_MOST):
            raise _UnusualError
        texts[text] = None
    has_soa = False
    for _ in range(authorities):
        _, rdtype, *_, at = _record(data, names, at)
        has_soa = has_soa or rdtype == "SOA"
    for left in reversed(range(additional)):
        at = _edns(data, at) if left == 0 and data[at] == 0 else _record(data, names, at)[-1]
    answer = tuple(RRset(*key, ttl, tuple(texts)) for key, (ttl, texts) in sets.items())
    return DnsMessage(flags, flags & _RCODE, answer, has_soa=has_soa)


def _record(data: bytes, names: _Names, at: int) -> tuple[str, str, int, str, int]:
    """Return owner, type, TTL and data of the record at the offset `at`, and the offset behind it."""
    owner, at = names.read(at)
    rdtype, rdclass, ttl, length = _RECORD.unpack_from(data, at)
    at += _RECORD.size
    if rdclass != _IN or ttl > _MAX_TTL or rdtype not in _TYPES:
        raise _UnusualError
    name, read = _TYPES[rdtype]
    text, end = read(data, names, at)
    if end != at + length or end > len(data):
        raise _UnusualError
    return owner, name, ttl, text, end


def _edns(data: bytes, at: int) -> int:
    """Return the offset behind the OPT record at the offset `at`; it may add nothing to the message."""
    rdtype, _, extended, length = _RECORD.unpack_from(data, at + 1)
    if rdtype != _OPT or extended >> 24 or length:
        raise _UnusualError
    return at + 1 + _RECORD.size


def _a(data: bytes, _: _Names, at: int) -> tuple[str, int]:
    return ".".join(map(str, data[at : at + 4])), at + 4


def _aaaa(data: bytes, _: _Names, at: int) -> tuple[str, int]:
    return dns.ipv6.inet_ntoa(data[at : at + 16]), at + 16


def _name(_: bytes, names: _Names, at: int) -> tuple[str, int]:
    return names.read(at)


def _mx(data: bytes, names: _Names, at: int) -> tuple[str, int]:
    target, end = names.read(at + _MX.size)
    return f"{_MX.unpack_from(data, at)[0]} {target}", end


def _soa(data: bytes, names: _Names, at: int) -> tuple[str, int]:
    primary, at = names.read(at)
    mailbox, at = names.read(at)
    return " ".join((primary, mailbox, *map(str, _SOA.unpack_from(data, at)))), at + _SOA.size


_TYPES: dict[int, tuple[str, Callable[[bytes, _Names, int], tuple[str, int]]]] = {
    1: ("A", _a),
    2: ("NS", _name),
    5: ("CNAME", _name),
    6: ("SOA", _soa),
    12: ("PTR", _name),
    15: ("MX", _mx),
    28: ("AAAA", _aaaa),
}
_NUMBERS = {name: number for number, (name, _) in _TYPES.items()}
