"""The words of refusals: one data file, loaded and checked at first use.

That takes 50 ms of CPU time and the first reply 10 ms, for the few expressions that it needs; compiling all
of them at once took 900 ms:
python -c 'from time import process_time as t; a = t(); from checker_smtp.probes.refusals import *; b = t();
load_words(); c = t(); read_refusal(550, "", "User unknown", step=Step.RCPT); print(b - a, c - b, t() - c)'
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from .notation import Phrase, PhraseError, any_of, parse_phrase, plain_phrase, whole_words

__all__ = ["REASONS", "STAGES", "WordGroup", "WordsError", "load_words", "parse_words"]

# In the order in which they are read. "page" is searched in what the reply mentions, not in its words.
STAGES: Final = ("first", "blame", "state", "words", "page", "hint", "last", "guess", "flag")
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
        phrases: to be searched in the folded text.
    """

    name: str
    stage: str
    reason: str
    blames: bool
    lasting: bool
    permanent: bool
    phrases: tuple[Phrase, ...]

    def search(self, text: str) -> re.Match[str] | None:
        """Return the first match of its phrases in the folded text; None without one."""
        first: re.Match[str] | None = None
        for phrase in self.phrases:
            match = phrase.search(text)
            if match and (first is None or match.start() < first.start()):
                first = match
        return first


@cache
def load_words() -> tuple[WordGroup, ...]:
    """Return the groups of the package's own words file, loaded on first use."""
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
    sets = _parsed_sets(document.get("sets", {}), file)
    tables = document.get("group", [])
    if not isinstance(tables, list) or not tables:
        raise WordsError(f"{file}: no [[group]] in it.")
    groups = [_group(table, number, sets, file) for number, table in enumerate(tables, 1)]
    names = [group.name for group in groups]
    for name in names:
        if names.count(name) > 1:
            raise WordsError(f"{file}: group {name!r} is there twice.")
    return tuple(sorted(groups, key=lambda group: STAGES.index(group.stage)))


def _parsed_sets(tables: object, file: str) -> dict[str, Phrase]:
    if not isinstance(tables, dict):
        raise WordsError(f"{file}: [sets] is not a table.")
    sets: dict[str, Phrase] = {}
    for name, phrases in tables.items():
        where = f"{file}, set {name!r}"
        sets[f"{{{name}}}"] = any_of(_parsed(_phrases(phrases, where), sets, where))
    return sets


def _group(table: object, number: int, sets: dict[str, Phrase], file: str) -> WordGroup:
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
    texts = _phrases(table.get("phrases"), where)
    phrases = map(plain_phrase, texts) if stage == "page" else map(whole_words, _parsed(texts, sets, where))
    blames, lasting, permanent = (table.get(switch, False) for switch in _SWITCHES)
    return WordGroup(name, stage, reason, blames, lasting, permanent, tuple(phrases))


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


def _parsed(texts: list[str], sets: dict[str, Phrase], where: str) -> list[Phrase]:
    phrases: list[Phrase] = []
    for text in texts:
        try:
            phrases.append(parse_phrase(text, sets))
        except PhraseError as e:
            raise WordsError(f"{where}: phrase {text!r}: {e}.") from e
    return phrases
