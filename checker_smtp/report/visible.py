"""Text from servers and DNS, made safe to show and impossible to hide in.

Control characters could drive a terminal, bidi marks could reorder a line, invisible ones could hide words.
All of them come out as backslash escapes; anything a person can read stays as it is.
"""

import unicodedata

__all__ = ["octets_visible", "visible"]


def visible(text: str, *, ascii_only: bool = False) -> str:
    """`text` on one line, with everything that is not plainly readable escaped."""
    # nearly all text; what is hidden is what Python calls not printable
    if text.isprintable() and (text.isascii() or not ascii_only):
        return text
    return "".join(_escaped(c) if _hidden(c) or (ascii_only and not c.isascii()) else c for c in text)


def octets_visible(raw: str, *, ascii_only: bool = False) -> str:
    """Octets kept as latin-1 text, shown as UTF-8 where they are that and as escapes where not.

    Text that cannot be octets, as what a failure says in a record edited by hand, is shown as text.
    """
    try:
        text = raw.encode("latin-1").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        text = raw
    return visible(text, ascii_only=ascii_only)


def _hidden(c: str) -> bool:
    # Cc and Cf: controls, bidi marks, joiners; Zl and Zp: line breaks; Cs, Co, Cn: no character at all
    return c != " " and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")


def _escaped(c: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(c)
    point = ord(c)
    if short is not None:
        return short
    return f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}" if point < 65536 else f"\\U{point:08x}"
