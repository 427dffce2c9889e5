"""The readable fields of a server's certificate, from its DER encoding. Nothing is verified or judged.

`ssl` decodes a certificate only where it verifies it, which a checker does not do, so the DER is read here
and in `der`, without a library. cryptography takes 130 ms to import, which is several times the start of this
program (python -X importtime), and raises for an odd time or an octet over 127 in a DNS name, which OpenSSL
accepts and a reader should see; asn1crypto takes 45 ms, and had its last release in 2022. The fields are few,
and their places fixed.

A certificate may be hostile: its size, the number of its names and the length of each text are limited,
and no error leaves this module. The fields read before an error are kept, with a note.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from smtp_sansio import Certificate

from .der import INTEGER, OCTET_STRING, OID, SEQUENCE, DerError, DerReader, decode_name, decode_time

__all__ = ["MAX_DER", "MAX_NAMES", "MAX_TEXT", "parse_certificate"]

# Octets of a certificate that are parsed: the largest in use have 100 names and less than 10 KiB.
MAX_DER = 65536
MAX_NAMES = 20
# Characters: the longest DNS name has 253, the longest common name 64 (RFC 5280, appendix A.1).
MAX_TEXT = 255

# A server shows one certificate to all domains of a scan. Parsing takes 77 µs, finding a known one 1.4 µs
# (timeit). At 6 KB for the largest, these take 1.5 MB at most.
_MAX_CACHED = 256
_cache: dict[str, Certificate] = {}

_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
_BOOLEAN, _DNS_NAME = 0x01, 0x82
_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3
# RFC 4514 §2.4
_to_escape = re.compile(r'^[ #]|[,+"\\<>;]| $')


def parse_certificate(der: bytes) -> Certificate:
    """Return the fields of a certificate; raises nothing. A known certificate is not parsed again."""
    fingerprint = sha256(der).hexdigest()
    known = _cache.get(fingerprint)
    if known is None:
        known = _parse(der, fingerprint)
        if len(_cache) >= _MAX_CACHED:
            _cache.clear()
        _cache[fingerprint] = known
    return known


def _parse(der: bytes, fingerprint: str) -> Certificate:
    if len(der) > MAX_DER:
        return Certificate(sha256=fingerprint, note=f"not parsed: it has more than {MAX_DER // 1024} KiB")
    found: dict[str, Any] = {}
    try:
        for fields in _read_fields(der):
            found |= fields
    except DerError as error:
        found["note"] = f"not parsed{' to the end' if found else ''}: {error}"
    return Certificate(sha256=fingerprint, **found)


def _read_fields(der: bytes) -> Iterator[dict[str, Any]]:
    """Yield groups of fields. Raises `DerError` at the first that cannot be read (RFC 5280 §4.1)."""
    tbs = DerReader(DerReader(DerReader(der).take(SEQUENCE)).take(SEQUENCE))
    tbs.take_optional(_VERSION)
    tbs.take(INTEGER)
    tbs.take(SEQUENCE)  # the signature algorithm
    issuer, validity, subject = (tbs.take(SEQUENCE) for _ in range(3))
    yield {"self_issued": issuer == subject}
    names = [value for kind, value in decode_name(subject) if kind == "CN"]
    yield {"common_name": _limit(names[-1]) if names else ""}
    yield {"issuer": _limit(_distinguished(decode_name(issuer)))}
    times = DerReader(validity)
    yield {"not_before": decode_time(*times.read())}
    yield {"not_after": decode_time(*times.read())}
    tbs.take(SEQUENCE)  # the key
    tbs.take_optional(_ISSUER_ID)
    tbs.take_optional(_SUBJECT_ID)
    yield from _read_dns_names(tbs.take_optional(_EXTENSIONS))


def _read_dns_names(extensions: bytes | None) -> Iterator[dict[str, Any]]:
    names: list[str] = []
    omitted = 0
    for _, extension in DerReader(DerReader(extensions).take(SEQUENCE) if extensions is not None else b""):
        reader = DerReader(extension)
        if reader.take(OID) != _SUBJECT_ALT_NAME:
            continue
        reader.take_optional(_BOOLEAN)
        for tag, name in DerReader(DerReader(reader.take(OCTET_STRING)).take(SEQUENCE)):
            if tag == _DNS_NAME and len(names) < MAX_NAMES:
                names.append(_limit(name.decode("ascii", "backslashreplace")))
            elif tag == _DNS_NAME:
                omitted += 1
    yield {"dns_names": tuple(names), "omitted_names": omitted}


def _distinguished(attributes: list[tuple[str, str]]) -> str:
    """Return a name in the notation of RFC 4514: the last attribute first, special characters escaped."""
    escaped = [(kind, _to_escape.sub(r"\\\g<0>", value)) for kind, value in reversed(attributes)]
    return ",".join(f"{kind}={value}" for kind, value in escaped)


def _limit(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
