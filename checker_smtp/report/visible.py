"""Escaping of text from servers and DNS, so that it is safe to display and hides nothing.

Control characters could control a terminal, bidi marks could reorder a line, invisible characters could hide
words. All of them become backslash escapes. Readable characters do not change.
"""

import unicodedata

__all__ = ["octets_visible", "visible"]


def visible(text: str, *, ascii_only: bool = False) -> str:
    """Return `text` on one line with all characters escaped that are not readable."""
    # saves the loop for nearly all text: the hidden characters are those that Python calls not printable
    if text.isprintable() and (text.isascii() or not ascii_only):
        return text
    return "".join(_escaped(c) if _hidden(c) or (ascii_only and not c.isascii()) else c for c in text)


def octets_visible(raw: str) -> str:
    """Return octets, which are stored as latin-1 text, as visible UTF-8; invalid UTF-8 is escaped.

    Text with characters above U+00FF is not octets (a recording edited by hand may have it) and stays text.
    """
    try:
        return visible(raw.encode("latin-1").decode("utf-8", "backslashreplace"))
    except UnicodeEncodeError:
        return visible(raw)


def _hidden(c: str) -> bool:
    # Cc and Cf: controls, bidi marks, joiners; Zl and Zp: line breaks; Cs, Co, Cn: not characters
    return c != " " and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")


def _escaped(c: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(c)
    point = ord(c)
    if short is not None:
        return short
    return f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}" if point < 65536 else f"\\U{point:08x}"
