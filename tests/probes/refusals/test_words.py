"""The words file: the package's own is sound; a bad one is refused in one sentence that says where."""

import pytest

from checker_smtp.probes.refusals import Reason, WordsError, load_words, parse_words
from checker_smtp.probes.refusals.notation import any_of, parse_phrase
from checker_smtp.probes.refusals.words import REASONS, STAGES

GROUP = '[[group]]\nname = "g"\nstage = "words"\nreason = "mailbox"\nphrases = ["no such user"]\n'


def test_the_packages_own_words() -> None:
    groups = load_words()
    assert load_words() is groups
    assert {group.stage for group in groups} == set(STAGES)
    assert {group.reason for group in groups} - {""} <= REASONS
    assert {str(reason) for reason in Reason} == REASONS
    assert [STAGES.index(group.stage) for group in groups] == sorted(
        STAGES.index(group.stage) for group in groups
    )


def test_a_group_is_read_with_its_switches() -> None:
    (group,) = parse_words(GROUP + "blames = true\nlasting = true\n", "f")
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
    (group,) = parse_words(text, "f")
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
    (group,) = parse_words(GROUP.replace('"no such user"', '"user", "no", "absent"'), "f")
    match = group.search("no such user")
    assert match is not None
    assert match[0] == "no"


@pytest.mark.parametrize(
    ("phrase", "what"),
    [
        ("", "empty"),
        (" ", "empty"),
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
    with pytest.raises(WordsError) as caught:
        parse_words(GROUP.replace("no such user", phrase.replace("\\", "\\\\")), "w.toml")
    message = str(caught.value)
    assert message.startswith("w.toml, group 'g': phrase " + repr(phrase))
    assert what in message
    assert message.count("\n") == 0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[[group", "w.toml: not valid TOML"),
        ("", "no [[group]]"),
        ("group = 1", "no [[group]]"),
        (GROUP + "[other]\na = 1\n", "unknown key 'other'"),
        ("sets = 1\n" + GROUP, "[sets] is not a table"),
        ("[sets]\na = 1\n" + GROUP, "set 'a': phrases is not a list"),
        ("[sets]\na = ['b)']\n" + GROUP, "set 'a': phrase 'b)'"),
        ("group = [1]", "number 1 has no name"),
        (GROUP.replace('"g"', '""'), "number 1 has no name"),
        (GROUP.replace('"g"', "1"), "number 1 has no name"),
        (GROUP + GROUP, "group 'g' is there twice"),
        (GROUP + "colour = 1\n", "group 'g': unknown key 'colour'"),
        (GROUP.replace("words", "late"), "stage 'late' is none of"),
        (GROUP.replace("mailbox", "late"), "reason 'late' does not fit"),
        (GROUP.replace("words", "flag"), "reason 'mailbox' does not fit stage 'flag'"),
        (GROUP.replace('reason = "mailbox"\n', ""), "reason '' does not fit"),
        (GROUP + "blames = 1\n", "blames is neither true nor false"),
        (GROUP.replace('["no such user"]', "[]"), "phrases is not a list with something in it"),
        (GROUP.replace('phrases = ["no such user"]', ""), "phrases is not a list with something in it"),
        (GROUP.replace('"no such user"', "1"), "phrase 1 is empty or no text"),
        (GROUP.replace('"no such user"', '"a", "a"'), "phrase 'a' is there twice"),
    ],
)
def test_a_bad_file(text: str, what: str) -> None:
    with pytest.raises(WordsError) as caught:
        parse_words(text, "w.toml")
    assert what in str(caught.value)
    assert str(caught.value).startswith("w.toml")
