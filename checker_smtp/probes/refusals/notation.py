"""The notation of phrases in the words file, and the regular expressions it stands for.

A phrase is plain words and the few signs that the head of the words file explains. Every repeat in its
expression is bounded, so a text of bounded length is searched in bounded time.

One reply needs few of the expressions. So each phrase knows its literals: a text without them cannot match,
and the expression is neither compiled nor searched.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from .text import ADDRESS, CODE, HOST, IP, PREFIX, URL

__all__ = ["Phrase", "PhraseError", "any_of", "parse_phrase", "plain_phrase", "whole_words"]

_GAP: Final = r"""[ ,:"'()\[\]<>=/_*-]"""
_WORD: Final = r"[^ .!?;]{1,64}"
_SIGNS: Final = {
    # whole, from its first character on: else a long one would be tried from each of its characters
    "<url>": (f"(?<!{URL}){URL}++", (URL,)),
    "<address>": (f"(?<!{ADDRESS}){ADDRESS}++", (ADDRESS,)),
    "<host>": (f"(?<![{HOST}{IP}])[{HOST}{IP}]++", (HOST, IP)),
    "<ip>": (f"(?<!{IP}){IP}++", (IP,)),
    "<code>": (f"(?<!{CODE}){CODE}++", (CODE,)),
    "<prefix>": (f"(?<!{PREFIX}){PREFIX}++", (PREFIX,)),
    "*": (_WORD, ()),
    "~": (r"\w{0,32}", ()),
    # brackets and an enhanced code may come before the first word, anything but words behind the last
    "^": (rf"\A(?:[^\w{URL}{ADDRESS}{HOST}{IP}{PREFIX}])*+", ()),
    "$": (r"\W*+\Z", ()),
}
_FAR: Final = " ** "
_LETTER: Final = r"[a-z0-9.&#%+@=/-]"
_TOKEN: Final = re.compile(
    rf" \*\* | |[()|*~^$]|\{{[a-z-]+\}}|<[a-z]+>|(?:{_LETTER}(?![?']))+|(?:{_LETTER}|[a-z]?'[a-z]?)[?]?"
)

# One of these must be in the text. All of several such tuples must hold.
Literals = tuple[str, ...]


class PhraseError(ValueError):
    """A phrase that does not follow the notation; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Hold the regular expression of a phrase, and what a text must contain for it to match.

    Attributes:
        expression: matches the phrase in folded text.
        required: of each tuple, one literal is in every text that matches.
        optional: it may be left out.
    """

    expression: str
    required: tuple[Literals, ...] = ()
    optional: bool = False

    def search(self, text: str) -> re.Match[str] | None:
        """Return where the phrase stands in the folded text; None where it does not."""
        for literals in self.required:
            for literal in literals:
                if literal in text:
                    break
            else:
                return None
        return _compiled(self.expression).search(text)


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)


def parse_phrase(phrase: str, sets: Mapping[str, Phrase]) -> Phrase:
    """Return what a phrase stands for; `sets` holds the named sets.

    Raises:
        PhraseError: the phrase may match nothing, or does not follow the notation.
    """
    try:
        return _parsed(phrase, sets)
    except PhraseError as error:
        raise PhraseError(f"phrase {phrase!r}: {error}") from None


def _parsed(phrase: str, sets: Mapping[str, Phrase]) -> Phrase:
    parser = _Parser(_tokens(phrase), sets)
    parsed = parser.alternatives()
    if parser.rest:
        raise PhraseError("a bracket closes that was not opened")
    if parsed.optional or (not parsed.required and re.fullmatch(parsed.expression, "")):
        raise PhraseError("it may match nothing")
    return parsed


def plain_phrase(text: str) -> Phrase:
    """Return the phrase that matches just this text, inside words too."""
    return Phrase(re.escape(text), ((text,),))


def whole_words(phrase: Phrase) -> Phrase:
    """Return the phrase that matches only between the ends of words."""
    return replace(phrase, expression=rf"(?<![^\W_]){phrase.expression}(?![^\W_])")


def any_of(phrases: Iterable[Phrase]) -> Phrase:
    """Return the phrase that matches where one of several does; an empty one makes it optional."""
    phrases = list(phrases)
    filled = [phrase for phrase in phrases if phrase.expression]
    optional = len(filled) < len(phrases)
    expression = f"(?:{'|'.join(phrase.expression for phrase in filled)})"
    if optional:
        return Phrase(expression + "?", (), optional=True)
    if len(filled) == 1:
        return Phrase(expression, filled[0].required)
    choices = [max(phrase.required, key=_selectivity, default=()) for phrase in filled]
    if not all(choices):
        return Phrase(expression)
    return Phrase(expression, (_shortest({literal for literals in choices for literal in literals}),))


def _selectivity(literals: Literals) -> tuple[int, int]:
    return min(map(len, literals)), -len(literals)


def _shortest(literals: set[str]) -> Literals:
    """Return the literals without those that contain another of them."""
    return tuple(one for one in sorted(literals) if not any(other in one for other in literals - {one}))


def _tokens(phrase: str) -> list[str]:
    tokens = _TOKEN.findall(phrase)
    if sum(map(len, tokens)) < len(phrase):
        rest = _TOKEN.sub("", phrase)
        raise PhraseError(f"{rest[0]!r} has no meaning there")
    return tokens


class _Parser:
    """Turn the tokens of one phrase into an expression, by recursive descent."""

    def __init__(self, tokens: list[str], sets: Mapping[str, Phrase]) -> None:
        self.rest = tokens[::-1]
        self._sets = sets

    def alternatives(self) -> Phrase:
        """Read alternatives up to a closing bracket or the end."""
        branches = [self._sequence()]
        while self.rest and self.rest[-1] == "|":
            self.rest.pop()
            branches.append(self._sequence())
        return any_of(branches)

    def _sequence(self) -> Phrase:
        parts: list[str] = []
        required: list[Literals] = []
        gap, optional = "", False
        while self.rest and self.rest[-1] not in "|)":
            token = self.rest.pop()
            if token in (" ", _FAR):
                if gap or not parts:
                    raise PhraseError("a blank stands at an edge or beside another one")
                # an optional word leaves one gap, not two, where it is missing
                gap = f"{_GAP}{{{0 if optional else 1},4}}"
                if token == _FAR:
                    gap += f"(?:{_WORD} ){{0,6}}{_GAP}{{0,3}}"
                continue
            item = self._item(token)
            optional = item.optional
            parts.append(gap + item.expression)
            required += item.required
            gap = ""
        if gap:
            raise PhraseError("a blank stands at an edge")
        if optional and len(parts) > 1:
            raise PhraseError("an optional word stands at the end")
        return Phrase("".join(parts), tuple(required), optional)

    def _item(self, token: str) -> Phrase:
        if token == "(":  # noqa: S105 - a sign of the notation
            inside = self.alternatives()
            if not self.rest:
                raise PhraseError("a bracket is not closed")
            self.rest.pop()
            return inside
        if token in _SIGNS:
            expression, literals = _SIGNS[token]
            return Phrase(expression, (literals,) if literals else ())
        if token[0] in "{<":
            if token not in self._sets:
                raise PhraseError(f"{token} is no set and no sign")
            return self._sets[token]
        return _word(token)


@cache
def _word(token: str) -> Phrase:
    letters = token.rstrip("?")
    expression = letters if letters.isalnum() else re.escape(letters)
    if token.endswith("?") or "'" in token:
        # "doesn't" is often written without its apostrophe
        return Phrase(expression.replace("'", "'?") + "?" * token.endswith("?"))
    return Phrase(expression, ((letters,),))
