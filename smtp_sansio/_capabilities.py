"""What a server said it can do: the keywords of its answer to EHLO (RFC 5321 §4.1.1.1).

Keywords are kept in the order given, in upper case because they have no case, their parameters
verbatim. `AUTH=LOGIN`, which old servers send for clients older still, is read as the keyword AUTH with
the parameter LOGIN. The verbatim lines stay in the reply; nothing is dropped here but empty lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ._deviations import DeviationKind, Irregularities

__all__ = ["Capabilities", "parse_capabilities"]

_well_formed = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]*(?: +[!-~]+)* *").fullmatch
_split_keyword = re.compile(r"([^ \t=]+)[ \t=]*(.*)", re.DOTALL).match


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The keywords advertised, each with its parameters, in the server's order."""

    entries: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __contains__(self, keyword: object) -> bool:
        return any(keyword == known for known, _ in self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(keyword for keyword, _ in self.entries))

    def parameters(self, keyword: str) -> tuple[str, ...]:
        """The parameters of every line with this keyword, in order, without repetition."""
        given = (p for known, parameters in self.entries if known == keyword for p in parameters)
        return tuple(dict.fromkeys(given))

    @property
    def auth_mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms offered, in upper case, both spellings of the keyword together."""
        return tuple(dict.fromkeys(m.upper() for m in self.parameters("AUTH")))

    @property
    def size(self) -> int | None:
        """The largest message taken, in octets; None where no fixed limit is told (RFC 1870 §3)."""
        numbers = [int(p) for p in self.parameters("SIZE") if p.isdecimal() and p.isascii() and len(p) <= 20]
        return min((n for n in numbers if n), default=None)


def parse_capabilities(
    lines: tuple[bytes, ...], offsets: tuple[int, ...], irregular: Irregularities, *, over_tls: bool
) -> Capabilities:
    """Read the lines of a positive answer to EHLO, noting what is irregular about them.

    `offsets` says where in the reply each line begins. The first line is the server's name and a
    greeting, never a keyword.
    """
    entries: list[tuple[str, tuple[str, ...]]] = []
    seen: set[str] = set()
    for number, raw in enumerate(lines[1:], start=2):

        def note(kind: DeviationKind, number: int = number, raw: bytes = raw) -> None:
            irregular.note(kind, number, offsets[number - 1], raw)

        if not _well_formed(raw):
            note(DeviationKind.KEYWORD_SYNTAX)
        m = _split_keyword(raw.decode("ascii", "backslashreplace").strip())
        if m is None:
            continue
        keyword, parameters = m[1].upper(), tuple(m[2].split())
        if m[1] != keyword:
            note(DeviationKind.KEYWORD_CASE)
        if keyword in seen:
            note(DeviationKind.KEYWORD_REPEATED)
        if keyword == "SIZE" and all(p.strip("0") == "" for p in parameters):
            note(DeviationKind.SIZE_UNSPECIFIED)
        if keyword == "STARTTLS" and over_tls:
            note(DeviationKind.STARTTLS_AGAIN)
        seen.add(keyword)
        entries.append((keyword, parameters))
    return Capabilities(tuple(entries))
