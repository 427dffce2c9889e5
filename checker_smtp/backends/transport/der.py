"""DER (ITU-T X.690), as far as the readable fields of a certificate need it: elements, text, times, names.

There is no recursion, so deep nesting costs nothing, and all work is linear. BER's indefinite lengths and
tags of several octets are errors, because no field that is read has them.
"""

import re
from collections.abc import Iterator
from datetime import datetime

__all__ = [
    "OCTET_STRING",
    "OID",
    "SEQUENCE",
    "DerError",
    "DerReader",
    "decode_name",
    "decode_time",
]

INTEGER, OCTET_STRING, OID, SEQUENCE, SET = 0x02, 0x04, 0x06, 0x30, 0x31

# The character set of each string type; T.61 is read as latin-1, as OpenSSL does.
_CHARSETS = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
# UTCTime, with years from 1950 to 2049, and GeneralizedTime, as RFC 5280 §4.1.2.5 restricts them
_TIMES = {
    0x17: re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z").fullmatch,
    0x18: re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z").fullmatch,
}
# RFC 4514 §3, and two that certificates of mail servers often have
_ATTRIBUTES = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
# The longest registered identifiers have about 20 octets.
_MAX_OID = 64
_MAX_LENGTH_OCTETS = 4


class DerError(ValueError):
    """The octets are not what is expected here; the message says in which way."""


class DerReader:
    """Reads the elements of a constructed value, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def at_end(self) -> bool:
        """True where no element is left."""
        return self._at >= len(self._data)

    def read(self) -> tuple[int, bytes]:
        """Return the tag and the content of the next element. Raises `DerError`."""
        data, at = self._data, self._at
        if at + 2 > len(data):
            raise DerError("it ends too early")
        tag, length, at = data[at], data[at + 1], at + 2
        if tag & 0x1F == 0x1F:
            raise DerError("it has a tag of several octets")
        if length >= 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= _MAX_LENGTH_OCTETS:
                raise DerError("it has an invalid length")
            length, at = int.from_bytes(data[at : at + octets]), at + octets
        if at + length > len(data):
            raise DerError("it ends too early")
        self._at = at + length
        return tag, data[at : at + length]

    def take(self, tag: int) -> bytes:
        """Return the content of the next element, which has this tag. Raises `DerError`."""
        found, content = self.read()
        if found != tag:
            raise DerError(f"it has tag {found:#04x} in place of {tag:#04x}")
        return content

    def take_optional(self, tag: int) -> bytes | None:
        """Return the content of the next element where it has this tag, else None. Raises `DerError`."""
        has_tag = not self.at_end and self._data[self._at] == tag
        return self.take(tag) if has_tag else None

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Read the elements that are left. Raises `DerError`."""
        while not self.at_end:
            yield self.read()


def decode_time(tag: int, content: bytes) -> str:
    """Return a time in the notation of RFC 3339, in UTC. Raises `DerError`."""
    parse = _TIMES.get(tag)
    match = parse(content) if parse is not None else None
    if match is None:
        raise DerError(f"it has an invalid time, {content[:20]!r}")
    year, month, day, hour, minute, second = map(int, match.groups())
    if tag == 0x17:
        year += 1900 if year >= 50 else 2000
    try:
        return datetime(year, month, day, hour, minute, second).isoformat() + "Z"
    except ValueError:
        raise DerError(f"it has an invalid time, {content[:20]!r}") from None


def decode_name(content: bytes) -> list[tuple[str, str]]:
    """Return the attributes of a name (RFC 5280 §4.1.2.4) in order, each as its type and its value.

    The type is the short one of RFC 4514 §3, else the object identifier. Raises `DerError`.
    """
    attributes = []
    for tag, relative in DerReader(content):
        if tag != SET:
            raise DerError("it has an invalid name")
        for _, attribute in DerReader(relative):
            reader = DerReader(attribute)
            kind = _dotted(reader.take(OID))
            attributes.append((_ATTRIBUTES.get(kind, kind), _text(*reader.read())))
    return attributes


def _text(tag: int, content: bytes) -> str:
    """Return a string of any type; octets outside of its character set become backslash escapes."""
    charset = _CHARSETS.get(tag)
    return content.decode(charset, "backslashreplace") if charset else "#" + content.hex()


def _dotted(content: bytes) -> str:
    """Return an object identifier with dots (ITU-T X.690 §8.19)."""
    if not 1 <= len(content) <= _MAX_OID or content[-1] >= 0x80:
        raise DerError("it has an invalid object identifier")
    arcs, arc = [], 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
