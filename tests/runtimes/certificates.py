"""Certificates for tests: real ones, and ones put together from DER elements, which may be wrong anywhere."""

from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

__all__ = ["crafted", "issued", "sequence", "tlv"]

CN = bytes.fromhex("0603550403")
SAN = bytes.fromhex("0603551d11")
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def issued(
    *names: str,
    subject: str = "mx.test",
    issuer: str = "",
    since: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    until: datetime = datetime(2027, 1, 1, tzinfo=UTC),
) -> bytes:
    """Return a signed certificate for DNS names; self-signed without an issuer, without CN if empty."""

    def name(text: str) -> x509.Name:
        country = x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "NL")
        common = [x509.NameAttribute(x509.NameOID.COMMON_NAME, text)] if text else []
        return x509.Name([country, *common])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer or subject))
        .public_key(_key().public_key())
        .serial_number(0x7F01)
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if names:
        listed = x509.SubjectAlternativeName(
            [x509.RFC822Name("a@mx.test"), *(x509.DNSName(name) for name in names)]
        )
        builder = builder.add_extension(listed, critical=True)
    return builder.sign(_key(), SHA256()).public_bytes(Encoding.DER)


def tlv(tag: int, content: bytes) -> bytes:
    """Return an element."""
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([128 + len(octets)]) + octets) + content


def sequence(*contents: bytes) -> bytes:
    """Return a SEQUENCE."""
    return tlv(0x30, b"".join(contents))


def crafted(
    *dns_names: bytes,
    subject: bytes = tlv(0x0C, b"mx.test"),
    attribute: bytes = CN,
    since: bytes = tlv(UTC_TIME, b"260101000000Z"),
    until: bytes = tlv(UTC_TIME, b"270101000000Z"),
    version: bytes = bytes.fromhex("a003020102"),
    identifiers: bytes = b"",
    alternatives: bytes = b"",
) -> bytes:
    """Return a certificate without key and signature; each part is an element, `dns_names` are contents."""
    name = sequence(tlv(0x31, sequence(attribute, subject)))
    listed = alternatives or sequence(*(tlv(0x82, name) for name in dns_names))
    extensions = tlv(0xA3, sequence(sequence(SAN, tlv(0x04, listed))))
    key = algorithm = sequence()
    serial = tlv(0x02, b"\xff")  # -1
    validity = sequence(since, until)
    return sequence(
        sequence(version, serial, algorithm, name, validity, name, key, identifiers, extensions), algorithm
    )
