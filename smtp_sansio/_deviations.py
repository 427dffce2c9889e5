"""Deviations: the irregularities of replies, and the one place that tolerates them or not.

A deviation has a kind, its line and offset in the reply, and an excerpt of the octets. Kinds with a
`reference` break that section; kinds without one are legal, but rare enough to have broken clients, so
they are noted as well. `DeviationLog.note` is the only place where strictness exists: a lenient policy
keeps the deviation, a strict one raises for those that break an RFC.
"""

from dataclasses import dataclass
from enum import StrEnum

from ._errors import RemoteProtocolError
from ._policy import Policy

__all__ = ["Deviation", "DeviationKind", "DeviationLog"]


class DeviationKind(StrEnum):
    """A kind of irregularity: `reference` is the section it breaks, empty where it is legal.

    `words` are the kind in a sentence, as in "the reply has ...".
    """

    reference: str
    words: str

    def __new__(cls, slug: str, reference: str, words: str) -> "DeviationKind":
        member = str.__new__(cls, slug)
        member._value_ = slug
        member.reference = reference
        member.words = words
        return member

    BARE_LF = "bare-lf", "RFC 5321 §2.3.8", "a line that ends with LF alone"
    BARE_CR = "bare-cr", "RFC 5321 §2.3.8", "a CR without LF"
    CONTROL = "control-character", "RFC 5321 §4.2", "a control character"
    NON_ASCII = "non-ascii", "RFC 5321 §4.2", "a character that is not ASCII"
    LONG_LINE = "line-over-512", "RFC 5321 §4.5.3.1.5", "a line of more than 512 octets"
    NO_SEPARATOR = "no-separator", "RFC 5321 §4.2", "a code without a space after it"
    BAD_SEPARATOR = "bad-separator", "RFC 5321 §4.2", "a code with neither a space nor a hyphen after it"
    MISSING_CODE = "missing-code", "RFC 5321 §4.2.1", "a line without a code"
    MIXED_CODES = "mixed-codes", "RFC 5321 §4.2.1", "lines with different codes"
    CODE_OUT_OF_RANGE = "code-out-of-range", "RFC 5321 §4.2", "a code that SMTP does not have"
    UNEXPECTED_CODE = "unexpected-code", "RFC 5321 §4.3.2", "a code that does not belong to the command"
    UNEXPECTED_CLASS = (
        "unexpected-class",
        "RFC 5321 §4.3.2",
        "a code that is no final reply",
    )
    UNSOLICITED = "unsolicited-reply", "RFC 5321 §4.2", "text that replies to no command"
    OUT_OF_SEQUENCE = "out-of-sequence-accept", "RFC 5321 §4.1.4", "a success for a command out of sequence"
    KEYWORD_SYNTAX = (
        "ehlo-keyword-syntax",
        "RFC 5321 §4.1.1.1",
        "an EHLO line without a well-formed keyword",
    )
    STARTTLS_AGAIN = "starttls-after-tls", "RFC 3207 §4.2", "STARTTLS offered again inside TLS"
    KEYWORD_CASE = "ehlo-keyword-case", "", "a keyword in lower case"
    KEYWORD_REPEATED = "ehlo-keyword-repeated", "", "a keyword that is repeated"
    SIZE_UNSPECIFIED = "size-unspecified", "", "SIZE without a limit"


@dataclass(frozen=True, slots=True)
class Deviation:
    """One irregularity: its kind, the line (from 1), the offset in the reply's octets, the octets."""

    kind: DeviationKind
    line: int
    offset: int
    excerpt: bytes


class DeviationLog:
    """The deviations of the reply that is being read; the only class that knows of strictness."""

    __slots__ = ("_kept", "_policy")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._kept: list[Deviation] = []

    def note(self, kind: DeviationKind, line: int, offset: int, octets: bytes) -> None:
        """Keep a deviation; raises `RemoteProtocolError` where it breaks an RFC and the policy is strict."""
        excerpt = octets[: self._policy.max_excerpt]
        if self._policy.strict and kind.reference:
            raise RemoteProtocolError(
                f"deviation.{kind}", f"the peer broke {kind.reference}: {kind}", excerpt
            )
        if len(self._kept) < self._policy.max_deviations:
            self._kept.append(Deviation(kind, line, offset, excerpt))

    def take(self) -> tuple[Deviation, ...]:
        """Return the deviations noted since the last call, oldest first."""
        if not self._kept:
            return ()
        kept = tuple(self._kept)
        self._kept.clear()
        return kept
