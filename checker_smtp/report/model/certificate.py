"""The server's certificate in one line. It is shown as it describes itself, and never judged here."""

from checker_smtp.report.visible import visible
from smtp_sansio import Certificate

__all__ = ["describe_certificate"]

# Characters of a name, and of a part of the line
_MAX_NAMES, _MAX_NAME, _MAX_CHARS = 3, 100, 400
_DATE = len("2026-01-01")


def describe_certificate(certificate: Certificate) -> str:
    """Return the known fields of a certificate, safe to display; the JSON document has the whole of them.

    A common name that is one of the DNS names shown is not repeated.
    """
    names = list(certificate.dns_names[:_MAX_NAMES])
    more = len(certificate.dns_names) - len(names) + certificate.omitted_names
    shown_names = ", ".join(_cut(name, _MAX_NAME) for name in names)
    listed = " and ".join(filter(None, (shown_names, f"{more} more" if more else "")))
    common_name = "" if certificate.common_name in names else certificate.common_name
    same = "issuer and subject are the same (self-signed)"
    parts = (
        ("common name", common_name),
        ("DNS names", listed),
        ("", same) if certificate.self_issued else ("issuer", certificate.issuer),
        ("from", certificate.not_before[:_DATE]),
        ("to", certificate.not_after[:_DATE]),
        ("SHA-256", certificate.sha256),
        ("", certificate.note),
    )
    words = (f"{label} {visible(_cut(value, _MAX_CHARS))}".strip() for label, value in parts if value)
    return "seen, not judged: " + " · ".join(words)


def _cut(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"
