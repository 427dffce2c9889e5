"""The words file: the package's own is sound; a bad phrase is refused in one sentence."""

import tomllib
from importlib.resources import files

import pytest

from checker_smtp.probes.refusals import Reason, is_known_page, load_words
from checker_smtp.probes.refusals.notation import PhraseError, any_of, parse_phrase
from checker_smtp.probes.refusals.words import STAGES, WordGroup, parse_words

GROUP = '[[group]]\nname = "g"\nstage = "words"\nreason = "mailbox"\nphrases = ["no such user"]\n'


def test_the_packages_own_words() -> None:
    groups = load_words()
    assert load_words() is groups
    assert tuple(groups) == STAGES
    assert all(groups.values())


def test_the_packages_own_file_is_sound() -> None:
    document = tomllib.loads(files("checker_smtp.probes.refusals").joinpath("words.toml").read_text())
    assert document.keys() == {"sets", "group"}
    names = [table["name"] for table in document["group"]]
    assert len(names) == len(set(names))
    switches = {"blames", "lasting", "permanent"}
    for table in document["group"]:
        where = table["name"]
        assert table.keys() - switches - {"reason"} == {"name", "stage", "phrases"}, where
        assert table["stage"] in STAGES, where
        assert table.get("reason", "") in (set(Reason) if table["stage"] != "flag" else {""}), where
        assert all(table[key] is True for key in switches & table.keys()), where
    for phrases in (*document["sets"].values(), *(table["phrases"] for table in document["group"])):
        assert phrases
        assert len(phrases) == len(set(phrases)), phrases


def parsed(text: str) -> WordGroup:
    """Return the only group of a words file, which is of the stage of `GROUP`."""
    groups = parse_words(text)
    (group,) = groups["words"]
    assert sum(map(len, groups.values())) == 1
    return group


def test_pages_that_the_words_know() -> None:
    assert is_known_page("ZEN.spamhaus.ORG")
    assert not is_known_page("www.example.org")


def test_a_group_is_read_with_its_switches() -> None:
    group = parsed(GROUP + "blames = true\nlasting = true\n")
    assert (group.name, group.stage, group.reason) == ("g", "words", "mailbox")
    assert (group.blames, group.lasting, group.permanent) == (True, True, False)


@pytest.mark.parametrize(
    ("phrase", "matches", "does_not"),
    [
        (
            "no such user",
            ["no such user", "no-such-user", "no such: user", "x (no such 'user')"],
            ["no such users", "no such. user", "xno such user"],
        ),
        ("spam~", ["spam", "spammer"], ["antispam"]),
        ("no * user", ["no such user", "no 1 user"], ["no user", "no a b user"]),
        (
            "no ** user",
            ["no user", "no a b c d e f user"],
            ["no a b c d e f g user", "no. user", "no x; user"],
        ),
        ("(a|b) c", ["a c", "b c"], ["c", "a d c"]),
        ("a (b|) c", ["a c", "a b c"], ["b c"]),
        ("^no user$", ["no user", " no user. "], ["x no user", "no user x"]),
        ("doesn't", ["doesn't", "doesnt"], ["does"]),
        ("hosts? a", ["host a", "hosts a"], ["hostss a"]),
        ("<host> a", ["\x03\x03 a"], ["host a"]),
        ("{set} a", ["x a", "y a"], ["z a"]),
    ],
)
def test_notation(phrase: str, matches: list[str], does_not: list[str]) -> None:
    text = f"[sets]\nset = ['x', 'y']\n{GROUP}".replace("no such user", phrase)
    group = parsed(text)
    assert all(group.search(one) for one in matches)
    assert not any(group.search(one) for one in does_not)


@pytest.mark.parametrize(
    ("phrase", "required"),
    [
        ("no such user", (("no",), ("such",), ("user",))),
        ("(known|unknown|does not exist)", (("exist", "known"),)),
        ("(a|) doesn't hosts? x", (("does",), ("n",), ("host",), ("x",))),
        ("<host> ~ (* b|<ip>)", (("\x03", "\x06"), ("\x06", "b"))),
        ("(spam~|*) x", (("x",),)),
        ("{set} x", (("one", "two"), ("x",))),
    ],
)
def test_a_text_without_the_literals_of_a_phrase_cannot_match(
    phrase: str, required: tuple[tuple[str, ...], ...]
) -> None:
    sets = {"{set}": any_of([parse_phrase("one", {}), parse_phrase("two", {})])}
    assert parse_phrase(phrase, sets).required == required


def test_the_first_match_in_the_text_counts() -> None:
    group = parsed(GROUP.replace('"no such user"', '"user", "no", "absent"'))
    match = group.search("no such user")
    assert match is not None
    assert match[0] == "no"


@pytest.mark.parametrize(
    ("phrase", "what"),
    [
        ("", "nothing"),
        (" ", "edge"),
        (" a", "edge"),
        ("a ", "edge"),
        ("a  b", "edge"),
        ("a (b|)", "end"),
        ("a ** ", "edge"),
        ("(a| b)", "edge"),
        ("(a|)", "nothing"),
        ("()", "nothing"),
        ("|a", "nothing"),
        ("~", "nothing"),
        ("(a", "not closed"),
        ("a)", "not opened"),
        ("{none} a", "no set"),
        ("<none> a", "no set"),
        ("A", "no meaning"),
        ("a\\b", "no meaning"),
    ],
)
def test_a_bad_phrase(phrase: str, what: str) -> None:
    with pytest.raises(PhraseError) as caught:
        parse_words(GROUP.replace("no such user", phrase.replace("\\", "\\\\")))
    message = str(caught.value)
    assert message.startswith(f"phrase {phrase!r}: ")
    assert what in message
    assert message.count("\n") == 0


def test_a_bad_phrase_of_a_set() -> None:
    with pytest.raises(PhraseError, match="phrase 'b\\)': a bracket closes"):
        parse_words("[sets]\na = ['b)']\n" + GROUP)
