"""The certificate that a server showed in a TLS handshake, as fields for people to read."""

from dataclasses import dataclass

__all__ = ["Certificate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The leaf certificate of a server, as it describes itself: nothing in it is verified.

    `sha256` is the fingerprint of the DER encoding in lower-case hexadecimal digits. `common_name` is the
    last one of the subject. `dns_names` are the first DNS names of the subject alternative name (RFC 5280
    §4.2.1.6), and `omitted_names` counts the others. `issuer` is in the notation of RFC 4514, `not_before`
    and `not_after` are in that of RFC 3339. `self_issued` is True where issuer and subject are the same name,
    as in a self-signed certificate, and None where they are not known. A field that is absent or could not be
    read is empty; `note` says why something could not be read.
    """

    sha256: str
    common_name: str = ""
    dns_names: tuple[str, ...] = ()
    omitted_names: int = 0
    issuer: str = ""
    not_before: str = ""
    not_after: str = ""
    self_issued: bool | None = None
    note: str = ""
