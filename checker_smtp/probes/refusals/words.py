"""The words of refusals: loaded from one data file, checked, and compiled once."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from .notation import PhraseError, compile_phrase

__all__ = ["REASONS", "STAGES", "WordGroup", "WordsError", "load_words", "parse_words"]

# In the order in which they are read. "page" is searched in what the reply mentions, not in its words.
STAGES: Final = ("first", "blame", "state", "words", "page", "hint", "last", "flag")
REASONS: Final = frozenset(
    [
        "mailbox",
        "mailbox-full",
        "not-served",
        "sender",
        "helo",
        "ptr",
        "blocklist",
        "reputation",
        "rate",
        "login",
        "tls",
        "server-state",
        "greylist",
        "policy",
        "unclear",
    ]
)
_FILE: Final = "words.toml"
_KEYS: Final = frozenset(("name", "stage", "reason", "blames", "lasting", "permanent", "phrases"))
_SWITCHES: Final = ("blames", "lasting", "permanent")


class WordsError(ValueError):
    """A words file that cannot be used; the message names the file, the group and the phrase."""


@dataclass(frozen=True, slots=True)
class WordGroup:
    """Hold phrases that mean the same, and what they mean.

    Attributes:
        name: as in the file.
        stage: when it is read, one of STAGES.
        reason: what a refusal with these words is refused for; empty for a flag.
        blames: these words are against the client.
        lasting: a 4yz with these words does not pass by waiting.
        permanent: read in 5yz replies only.
        pattern: all its phrases, to be searched in the folded text.
    """

    name: str
    stage: str
    reason: str
    blames: bool
    lasting: bool
    permanent: bool
    pattern: re.Pattern[str]


@cache
def load_words() -> tuple[WordGroup, ...]:
    """Return the groups of the package's own words file, compiled on first use."""
    return parse_words(files(__package__).joinpath(_FILE).read_text(encoding="utf-8"), _FILE)


def parse_words(text: str, file: str) -> tuple[WordGroup, ...]:
    """Return the groups of a words file in the order of their stages.

    Raises:
        WordsError: the text is no TOML, or a group, a key or a phrase cannot be used.
    """
    try:
        document: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise WordsError(f"{file}: not valid TOML: {e}.") from e
    if unknown := document.keys() - {"sets", "group"}:
        raise WordsError(f"{file}: unknown key {min(unknown)!r}; only [sets] and [[group]] are known.")
    sets = _compiled_sets(document.get("sets", {}), file)
    tables = document.get("group", [])
    if not isinstance(tables, list) or not tables:
        raise WordsError(f"{file}: no [[group]] in it.")
    groups = [_group(table, number, sets, file) for number, table in enumerate(tables, 1)]
    names = [group.name for group in groups]
    for name in names:
        if names.count(name) > 1:
            raise WordsError(f"{file}: group {name!r} is there twice.")
    return tuple(sorted(groups, key=lambda group: STAGES.index(group.stage)))


def _compiled_sets(tables: object, file: str) -> dict[str, str]:
    if not isinstance(tables, dict):
        raise WordsError(f"{file}: [sets] is not a table.")
    sets: dict[str, str] = {}
    for name, phrases in tables.items():
        where = f"{file}, set {name!r}"
        sets[f"{{{name}}}"] = _joined(_phrases(phrases, where), sets, where)
    return sets


def _group(table: object, number: int, sets: dict[str, str], file: str) -> WordGroup:
    if not isinstance(table, dict) or not isinstance(name := table.get("name"), str) or not name:
        raise WordsError(f"{file}: [[group]] number {number} has no name.")
    where = f"{file}, group {name!r}"
    if unknown := table.keys() - _KEYS:
        raise WordsError(f"{where}: unknown key {min(unknown)!r}; known are {', '.join(sorted(_KEYS))}.")
    stage, reason = table.get("stage"), table.get("reason", "")
    if stage not in STAGES:
        raise WordsError(f"{where}: stage {stage!r} is none of {', '.join(STAGES)}.")
    if reason not in (REASONS if stage != "flag" else {""}):
        raise WordsError(f"{where}: reason {reason!r} does not fit stage {stage!r}.")
    for switch in _SWITCHES:
        if not isinstance(table.get(switch, False), bool):
            raise WordsError(f"{where}: {switch} is neither true nor false.")
    phrases = _phrases(table.get("phrases"), where)
    if stage == "page":
        expression = "|".join(map(re.escape, phrases))
    else:
        expression = rf"(?<![^\W_]){_joined(phrases, sets, where)}(?![^\W_])"
    blames, lasting, permanent = (table.get(switch, False) for switch in _SWITCHES)
    return WordGroup(name, stage, reason, blames, lasting, permanent, re.compile(expression))


def _phrases(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not value:
        raise WordsError(f"{where}: phrases is not a list with something in it.")
    phrases: list[str] = []
    for phrase in value:
        if not isinstance(phrase, str) or not phrase.strip():
            raise WordsError(f"{where}: phrase {phrase!r} is empty or no text.")
        if phrase in phrases:
            raise WordsError(f"{where}: phrase {phrase!r} is there twice.")
        phrases.append(phrase)
    return phrases


def _joined(phrases: list[str], sets: dict[str, str], where: str) -> str:
    expressions: list[str] = []
    for phrase in phrases:
        try:
            expressions.append(compile_phrase(phrase, sets))
        except PhraseError as e:
            raise WordsError(f"{where}: phrase {phrase!r}: {e}.") from e
    return f"(?:{'|'.join(expressions)})"
