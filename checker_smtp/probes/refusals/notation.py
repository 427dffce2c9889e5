"""The notation of phrases in the words file, and the regular expressions it stands for.

A phrase is plain words and the few signs that the head of the words file explains. Every repeat in its
expression is bounded, so a text of bounded length is searched in bounded time.
"""

import re
from collections.abc import Mapping
from typing import Final

from .text import ADDRESS, CODE, HOST, IP, PREFIX, URL

__all__ = ["PhraseError", "compile_phrase"]

_GAP: Final = r"""[ ,:"'()\[\]<>=/_*-]"""
_WORD: Final = r"[^ .!?;]{1,64}"
_SIGNS: Final = {
    # whole, from its first character on: else a long one would be tried from each of its characters
    "<url>": f"(?<!{URL}){URL}++",
    "<address>": f"(?<!{ADDRESS}){ADDRESS}++",
    "<host>": f"(?<![{HOST}{IP}])[{HOST}{IP}]++",
    "<ip>": f"(?<!{IP}){IP}++",
    "<code>": f"(?<!{CODE}){CODE}++",
    "<prefix>": f"(?<!{PREFIX}){PREFIX}++",
    "*": _WORD,
    "~": r"\w{0,32}",
    # brackets and an enhanced code may come before the first word, anything but words behind the last
    "^": rf"\A(?:[^\w{URL}{ADDRESS}{HOST}{IP}{PREFIX}])*+",
    "$": r"\W*+\Z",
}
_FAR: Final = " ** "
_TOKEN: Final = re.compile(r" \*\* | |[()|*~^$]|\{[a-z-]+\}|<[a-z]+>|(?:[a-z0-9.&#%+@=/-]|[a-z]?'[a-z]?)[?]?")


class PhraseError(ValueError):
    """A phrase that does not follow the notation; the message says what is wrong with it."""


def compile_phrase(phrase: str, sets: Mapping[str, str]) -> str:
    """Return the regular expression of a phrase; `sets` holds those of the named sets.

    Raises:
        PhraseError: the phrase may match nothing, or does not follow the notation.
    """
    parser = _Parser(_tokens(phrase), sets)
    expression, _ = parser.alternatives()
    if parser.rest:
        raise PhraseError("a bracket closes that was not opened")
    if re.fullmatch(expression, ""):
        raise PhraseError("it may match nothing")
    return expression


def _tokens(phrase: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(phrase):
        match = _TOKEN.match(phrase, at)
        if match is None:
            raise PhraseError(f"{phrase[at]!r} has no meaning there")
        tokens.append(match[0])
        at = match.end()
    return tokens


class _Parser:
    """Turn the tokens of one phrase into an expression, by recursive descent."""

    def __init__(self, tokens: list[str], sets: Mapping[str, str]) -> None:
        self.rest = tokens[::-1]
        self._sets = sets

    def alternatives(self) -> tuple[str, bool]:
        """Read alternatives up to a closing bracket or the end; return them, and whether one is empty."""
        branches = [self._sequence()]
        while self.rest and self.rest[-1] == "|":
            self.rest.pop()
            branches.append(self._sequence())
        filled = [branch for branch in branches if branch]
        optional = len(filled) < len(branches)
        return f"(?:{'|'.join(filled)})" + "?" * optional, optional

    def _sequence(self) -> str:
        parts: list[str] = []
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
            part, optional = self._item(token)
            parts.append(gap + part)
            gap = ""
        if gap:
            raise PhraseError("a blank stands at an edge")
        if optional and len(parts) > 1:
            raise PhraseError("an optional word stands at the end")
        return "".join(parts)

    def _item(self, token: str) -> tuple[str, bool]:
        if token == "(":  # noqa: S105 - a sign of the notation
            inside = self.alternatives()
            if not self.rest:
                raise PhraseError("a bracket is not closed")
            self.rest.pop()
            return inside
        if token in _SIGNS:
            return _SIGNS[token], False
        if token[0] in "{<":
            if token not in self._sets:
                raise PhraseError(f"{token} is no set and no sign")
            return self._sets[token], False
        letter = re.escape(token.rstrip("?"))
        # "doesn't" is often written without its apostrophe
        return letter.replace("'", "'?") + "?" * token.endswith("?"), False
