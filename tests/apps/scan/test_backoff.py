"""Replies that mean that a server is throttling us."""

import pytest

from checker_smtp.scan.politeness.backoff import is_throttled
from tests.probes.dialogues import ASKED, BYE, PLAIN, SECURED, held

HELLO = "S: 220 mx\nC: EHLO probe.test\n"


@pytest.mark.parametrize(
    "play",
    [
        "S: 421 4.7.0 try again later\nC: QUIT\n-- eof",
        "S: 421 4.7.0 try again later\n" + BYE,
        "S: 451 4.3.0 come back\n" + BYE,
        "S: 554 5.7.1 Too many connections from your network\n" + BYE,
        "S: 554-5.7.1 no\nS+ 554 TOO MANY CONNECTIONS\n" + BYE,
        HELLO + "S: 421 busy\n" + BYE,
        HELLO + "S: 421 busy\nC: QUIT\n-- eof",
        HELLO + "S: 550 what?\nC: HELO probe.test\nS: 421 busy\n" + BYE,
        SECURED + "C: EHLO probe.test\nS: 421 busy\n" + BYE,
        PLAIN + "C: MAIL FROM:<>\nS: 421 busy\n" + BYE,
        PLAIN + "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<postmaster@example.org>\nS: 421 busy\n" + BYE,
    ],
)
def test_throttled(play: str) -> None:
    assert is_throttled(held(play))


@pytest.mark.parametrize(
    "play",
    [
        "-- refused",
        "-- timeout",
        "-- connected\n-- eof",
        "S: 554 5.7.1 go away\n" + BYE,
        "S: 220 mx, too many connections make me sad\nC: EHLO probe.test\n-- eof",
        HELLO + "S: 450 later\n" + BYE,
        HELLO + "S: 550 too many connections\nC: HELO probe.test\nS: 550 no\n" + BYE,
        PLAIN + ASKED,
        # to QUIT it turns nobody away
        PLAIN + ASKED.replace("S: 221 bye", "S: 421 bye"),
    ],
)
def test_not_throttled(play: str) -> None:
    assert not is_throttled(held(play))
