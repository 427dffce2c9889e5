"""The capabilities of a server: the keywords of its answer to EHLO (RFC 5321 §4.1.1.1).

Keywords are kept in the order given, in upper case because they are case-insensitive, their parameters
verbatim. `AUTH=LOGIN`, which old servers send for clients older still, is read as the keyword AUTH with
the parameter LOGIN. The verbatim lines stay in the reply; only empty lines are dropped here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ._deviations import DeviationKind, DeviationLog
from ._reply import LINE

__all__ = ["Capabilities", "parse_capabilities"]

_well_formed = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)((?: +[!-~]+)*) *").fullmatch
_split_keyword = re.compile(r"([^ \t=]+)[ \t=]*(.*)", re.DOTALL).match
# All servers together send some hundred different lines, over and over.
_LINES_KNOWN = 256


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The keywords advertised, `keywords` as pairs of keyword and parameters, in the server's order."""

    keywords: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __contains__(self, keyword: object) -> bool:
        for known, _ in self.keywords:  # noqa: SIM110 - saves the generator of any(), three times as much
            if known == keyword:
                return True
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(keyword for keyword, _ in self.keywords))

    def parameters(self, keyword: str) -> tuple[str, ...]:
        """Return the parameters of every line with this keyword, in order, without repetition."""
        values = (p for known, parameters in self.keywords if known == keyword for p in parameters)
        return tuple(dict.fromkeys(values))

    @property
    def auth_mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms offered, in upper case, both spellings of the keyword together."""
        return tuple(dict.fromkeys(m.upper() for m in self.parameters("AUTH")))

    @property
    def size(self) -> int | None:
        """The largest message accepted, in octets; None where the server names no limit (RFC 1870 §3)."""
        numbers = [int(p) for p in self.parameters("SIZE") if p.isdecimal() and p.isascii() and len(p) <= 20]
        return min((n for n in numbers if n), default=None)


def parse_capabilities(octets: bytes, deviations: DeviationLog, *, over_tls: bool) -> Capabilities:
    """Read a positive answer to EHLO, noting the deviations of its lines.

    The first line is the server's name and a greeting, never a keyword.
    """
    keywords: list[tuple[str, tuple[str, ...]]] = []
    seen: set[str] = set()
    first, *lines, _ = octets.split(b"\n")
    for number, line in enumerate(lines):
        read, kinds = _keyword(line)
        keyword = read[0]
        if keyword in seen:
            kinds = (*kinds, DeviationKind.KEYWORD_REPEATED)
        if over_tls and keyword == "STARTTLS":
            kinds = (*kinds, DeviationKind.STARTTLS_AGAIN)
        if kinds:
            offset = sum(len(before) + 1 for before in (first, *lines[:number]))
            for kind in kinds:
                deviations.note(kind, number + 2, offset, _text(line))
        if keyword:
            seen.add(keyword)
            keywords.append(read)
    return Capabilities(tuple(keywords))


@lru_cache(_LINES_KNOWN)
def _keyword(line: bytes) -> tuple[tuple[str, tuple[str, ...]], tuple[DeviationKind, ...]]:
    """Return the keyword (empty for none) with its parameters, and the deviations of the line by itself."""
    kinds: list[DeviationKind] = []
    text = _text(line)
    if (well_formed := _well_formed(text)) is not None:
        given, rest = well_formed[1].decode("ascii"), well_formed[2].decode("ascii").lstrip(" =")
    else:
        kinds.append(DeviationKind.KEYWORD_SYNTAX)
        split = _split_keyword(text.decode("ascii", "backslashreplace").strip())
        given, rest = split.groups() if split is not None else ("", "")
    keyword, parameters = given.upper(), tuple(rest.split())
    if given != keyword:
        kinds.append(DeviationKind.KEYWORD_CASE)
    if keyword == "SIZE" and all(p.strip("0") == "" for p in parameters):
        kinds.append(DeviationKind.SIZE_UNSPECIFIED)
    return (keyword, parameters), tuple(kinds)


def _text(line: bytes) -> bytes:
    """Return the line, whose LF was removed before, without its code and its CR."""
    return LINE.sub(rb"\1", line + b"\n")
