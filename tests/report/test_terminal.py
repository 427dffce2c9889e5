"""The text report keeps together what is read as one word, at any width."""

import pytest

from checker_smtp.probes.refusals import Refusal, Step, read_refusal
from checker_smtp.probes.result import Result
from checker_smtp.probes.rules import CODES, Outcome
from checker_smtp.report.formats import render
from checker_smtp.report.model.mail_state import describe_reason
from checker_smtp.report.terminal import Terminal
from tests.report.results import FIXTURES, replayed


def recorded(name: str) -> Result:
    return replayed(next(folder for folder in FIXTURES if folder.name == name))


PARTS = ("`--retry-deferred 5`", "TTL 1 min", "TLS 1.3", "450 4.2.0", "Port 25", "0.20 s", "RFC 5321")


def test_what_is_one_word_is_on_one_line() -> None:
    for part in PARTS:
        for width in range(40, 70):
            text = Terminal(width=width).lines(f"Repeat the check with {part}: then it passes.", first="   ")
            assert part in text, width
            assert " ".join(text.split()) == f"Repeat the check with {part}: then it passes."


@pytest.mark.parametrize("width", [40, 60, 100])
def test_no_line_but_one_to_copy_is_wider_than_the_terminal(width: int) -> None:
    for name in ("postfix-greylisting", "odd-eight-bit-text", "smtp-sink-takes-everything"):
        for line in render(recorded(name), "text", Terminal(width=width)).splitlines():
            is_copied = line.lstrip().startswith("$ ") or line.startswith(" " * 12)
            assert is_copied or len(line) <= width


def test_an_answer_is_no_narrow_column_beside_a_long_question() -> None:
    result = recorded("postfix-greylisting")
    assert "  Postmaster: deferred · RCPT: 450 4.2.0" in render(result, "text", Terminal(width=100))
    narrow = render(result, "text", Terminal(width=60))
    assert "  Bounces (null sender):\n      deferred · RCPT: 450 4.2.0" in narrow


def test_of_two_deferrals_that_of_all_mail_comes_first() -> None:
    text = render(recorded("postfix-greylisting"), "text")
    title = text.index(CODES["smtp.postmaster.deferred"].title)
    assert title < text.index("Also: Mail from the null sender is deferred")


@pytest.mark.parametrize(
    ("code", "text", "shown"),
    [
        (450, "Service currently unavailable", "not clear from the words “Service currently unavailable”"),
        (550, "", "not clear from the code 550"),
        (550, "User unknown", "mailbox, by the words “User unknown”"),
        (530, "", "login, by the code 530"),
    ],
)
def test_the_reason_of_a_refusal_is_said_with_what_shows_it(code: int, text: str, shown: str) -> None:
    refusal: Refusal = read_refusal(code, "", text, step=Step.RCPT)
    postmaster = CODES["smtp.postmaster.deferred"]
    found = postmaster.finding("", "", refusal=refusal, outcome=Outcome.TRANSIENT)
    assert describe_reason(found) == shown
    # the words of a fault decide, though the reason is not among those with a name
    settled = describe_reason(postmaster.finding("", "", refusal=refusal))
    assert settled == ("" if refusal.reason == "unclear" else shown)
