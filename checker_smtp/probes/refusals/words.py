"""The words of refusals: one data file, loaded at first use.

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
from typing import Any, Final

from .notation import Phrase, any_of, parse_phrase, plain_phrase, whole_words

__all__ = ["STAGES", "WordGroup", "load_words", "parse_words"]

# In the order in which they are read. "page" is searched in what the reply mentions, not in its words.
STAGES: Final = ("first", "blame", "state", "words", "page", "hint", "last", "guess", "flag")
_FILE: Final = "words.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class WordGroup:
    """Hold phrases that mean the same, and what they mean.

    Attributes:
        name: as in the file.
        stage: when it is read, one of STAGES.
        phrases: to be searched in the folded text.
        reason: what a refusal with these words is refused for; empty for a flag.
        blames: these words are against the client.
        lasting: a 4yz with these words does not pass by waiting.
        permanent: read in 5yz replies only.
    """

    name: str
    stage: str
    phrases: tuple[Phrase, ...]
    reason: str = ""
    blames: bool = False
    lasting: bool = False
    permanent: bool = False

    def search(self, text: str) -> re.Match[str] | None:
        """Return the first match of its phrases in the folded text; None without one."""
        first: re.Match[str] | None = None
        for phrase in self.phrases:
            match = phrase.search(text)
            if match and (first is None or match.start() < first.start()):
                first = match
        return first


@cache
def load_words() -> dict[str, tuple[WordGroup, ...]]:
    """Return the groups of the package's own words file by their stage, loaded on first use."""
    return parse_words(files(__package__).joinpath(_FILE).read_text(encoding="utf-8"))


def parse_words(text: str) -> dict[str, tuple[WordGroup, ...]]:
    """Return the groups of a words file by their stage.

    Raises:
        PhraseError: a phrase does not follow the notation.
    """
    document = tomllib.loads(text)
    sets: dict[str, Phrase] = {}
    for name, phrases in document.get("sets", {}).items():
        sets[f"{{{name}}}"] = any_of([parse_phrase(phrase, sets) for phrase in phrases])
    groups = [_group(table, sets) for table in document["group"]]
    return {stage: tuple(group for group in groups if group.stage == stage) for stage in STAGES}


def _group(table: dict[str, Any], sets: dict[str, Phrase]) -> WordGroup:
    def parse(text: str) -> Phrase:
        return plain_phrase(text) if table["stage"] == "page" else whole_words(parse_phrase(text, sets))

    return WordGroup(**(table | {"phrases": tuple(map(parse, table["phrases"]))}))
