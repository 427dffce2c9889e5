"""Enhanced codes in every spelling, any text: always an answer, in bounded time; no 4yz accuses."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.probes.refusals import Reason, Step, read_refusal
from checker_smtp.probes.refusals.text import find_codes

SPELLINGS = (
    "{c} x",
    "x (#{c})",
    "x ({c})",
    "x #{c}",
    "x [{c}]",
    "x {c}",
    "x {c} <a@b.example>",
    "x: {c} y",
    "{c}",
    "x\r\n{c} y",
)
STEPS = st.sampled_from(Step)

number = st.integers(0, 999)
dotted = st.builds("{}.{}.{}".format, st.integers(4, 5), number, number)


@given(st.integers(400, 599), dotted, st.sampled_from(SPELLINGS), STEPS, st.booleans())
def test_every_code_in_every_spelling(
    code: int, enhanced: str, spelling: str, step: Step, apart: bool
) -> None:
    text = spelling.format(c=enhanced)
    refusal = read_refusal(code, enhanced if apart else "", text, step=step)
    assert refusal.reason in Reason
    assert refusal.words
    if code < 500:
        assert not refusal.may_be_critical
    else:
        assert not refusal.is_lasting
    assert refusal == read_refusal(code, enhanced, text, step=step)


@given(st.integers(400, 599), st.text(), st.text(), STEPS, st.text())
def test_any_text(code: int, enhanced: str, text: str, step: Step, sender: str) -> None:
    refusal = read_refusal(code, enhanced, text, step=step, sender=sender)
    assert not (code < 500 and refusal.may_be_critical)
    assert not (refusal.blames_client and refusal.may_be_critical)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_one_code(spelling: str) -> None:
    assert find_codes(spelling.format(c="5.1.1")) == [(1, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "x 5.1.1.1",
        "4.9.7.1 x",
        "from 1.2.3.4",
        "[5.1.1.7]",
        "6.1.1",
        "3.1.1",
        "15.1.1",
        "5.1.1000",
        "v5.1.1",
        "running Exim 4.94.2",
        "ESMTP Postfix (5.1.1)",
        "version 5.1.1",
        "we use 5.1.1 here",
        "x5.1.1",
    ],
)
def test_what_is_no_code(text: str) -> None:
    assert find_codes(text) == []


@pytest.mark.parametrize(
    ("text", "enhanced_code"),
    [
        ("5.7.1 no such user (#5.1.1)", "5.1.1"),
        ("5.7.1 x", "5.7.1"),
        ("x", ""),
        ("5.1.1 x (#5.2.2)", "5.1.1"),
    ],
)
def test_the_code_in_effect(text: str, enhanced_code: str) -> None:
    assert read_refusal(550, "", text, step=Step.RCPT).enhanced_code == enhanced_code


@pytest.mark.parametrize(
    "piece",
    [
        "your ip ",
        "host 1.2.3.4 ",
        "a",
        "user ",
        "recipient (",
        "5.1.1 ",
        "said: 550 ",
        "<a@",
        "x@y ",
        "a.b.",
        ":",
        "\r\n5.1.1 ",
        "(",
        "mailbox is not ",
        "\u00e9",
    ],
)
def test_time_is_bounded(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    began = time.perf_counter()
    read_refusal(550, "", text, step=Step.RCPT)
    assert time.perf_counter() - began < 2


def test_what_lies_behind_the_limit_is_not_read() -> None:
    assert read_refusal(550, "", "x " * 4096 + "user unknown", step=Step.RCPT).reason is Reason.UNCLEAR
