"""Whatever breaks a session off: the script returns what was heard, what it waited for, and what happened."""

import pytest

from checker_smtp.probes.observation import Ending
from tests.probes.dialogues import (
    BYE,
    FLIGHT,
    LANDED,
    NULL,
    OFFERED,
    PIPELINING,
    PLAIN,
    SECURED,
    codes,
    ending,
    held,
)
from tests.probes.sessions import plain


@pytest.mark.parametrize(
    ("failure", "kind", "detail"),
    [
        ("refused connection refused", "refused", "connection refused"),
        ("timeout", "timeout", ""),
        ("reset", "reset", ""),
        ("host-unreachable no route to host", "host-unreachable", "no route to host"),
        ("network-unreachable", "network-unreachable", ""),
        ("not-permitted", "not-permitted", ""),
        ("other", "other", ""),
    ],
)
def test_no_connection(failure: str, kind: str, detail: str) -> None:
    session = held(f"@ 12\n-- {failure}")
    assert session.end == Ending(step="connect", kind=kind, detail=detail, at=12.0, entry=0)
    assert (session.connected_at, session.replies, len(session.transcript)) == (None, (), 1)


BREAKS = [("-- timeout", "timeout"), ("-- reset", "reset"), ("-- eof", "closed"), ("-- closed", "closed")]
STEPS = {
    "greeting": "-- connected\n",
    "EHLO": "S: 220 mx\nC: EHLO probe.test\n",
    "HELO": "S: 220 mx\nC: EHLO probe.test\nS: 502 what?\nC: HELO probe.test\n",
    "STARTTLS": OFFERED + "C: STARTTLS\n",
    "EHLO after STARTTLS": SECURED + "C: EHLO probe.test\n",
    "HELO after STARTTLS": SECURED + "C: EHLO probe.test\nS: 502 what?\nC: HELO probe.test\n",
    "MAIL": PLAIN + "C: MAIL FROM:<>\n",
    "RCPT": PLAIN + "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<postmaster@example.org>\n",
    "RSET": PLAIN + NULL.removesuffix("S: 250 ok\n    "),
    "QUIT": "S: 554 no\nC: QUIT\n",
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("what", "kind"), BREAKS)
def test_a_break_is_told_with_what_was_waited_for(step: str, what: str, kind: str) -> None:
    session = held(f"{STEPS[step]}\n@ 9\n{what}")
    assert session.end is not None
    assert (session.end.step, session.end.kind, session.end.at) == (step, kind, 9.0)
    assert session.end.entry == len(session.transcript) - 1
    assert session.quit is None


def test_a_write_that_fails_is_told_with_the_command() -> None:
    session = held("S: 220 mx\n-- reset")
    assert ending(session) == ("EHLO", "reset")
    assert session.transcript[-1] == {
        "do": "send",
        "data": "EHLO probe.test\r\n",
        "failed": "reset",
        "at": 0.0,
    }


def test_how_a_server_that_left_answers_quit_is_not_compared() -> None:
    """It is a race between its close and our QUIT, which a check and a scan lose in different ways."""
    reset, closed = (held(f"S: 421 4.3.2 Later\nC: QUIT\n-- {end}") for end in ("reset", "eof"))
    assert (ending(reset), ending(closed)) == (("QUIT", "reset"), ("QUIT", "closed"))
    assert plain(reset) == plain(closed)


def test_half_a_reply_at_the_close_is_evidence() -> None:
    session = held("S: 220-mx\nS+ 220-wait \\\n-- eof")
    assert ending(session) == ("greeting", "closed")
    assert session.end is not None
    assert session.end.excerpt == "220-mx\r\n220-wait "


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("HTTP/1.1 400 Bad Request", "syntax.reply"),
        ("\\x16\\x03\\x01\\x02\\x00", "syntax.reply"),
        ("220 " + "x" * 9000, "limit.line"),
        ("220-x\nS+ " * 130 + "220 x", "limit.reply-lines"),
    ],
)
def test_what_is_no_reply_ends_the_session_with_its_first_octets(text: str, kind: str) -> None:
    session = held(f"S: {text}")
    assert ending(session) == ("greeting", kind)
    assert session.end is not None
    assert 0 < len(session.end.excerpt) <= 200
    assert session.end.detail.startswith("the peer sent")
    assert session.greeting is None


@pytest.mark.parametrize(("step", "play"), [*STEPS.items()][1:])
def test_garbage_instead_of_a_reply(step: str, play: str) -> None:
    assert ending(held(play + "\nS: <html>")) == (step, "syntax.reply")


@pytest.mark.parametrize(
    ("play", "step"),
    [
        ("S: 220 mx\n", "greeting"),
        (PLAIN, "EHLO"),
        (OFFERED + "C: STARTTLS\nS: 454 later\n", "STARTTLS"),
        (SECURED + "C: EHLO probe.test\nS: 250 mx\n", "EHLO after STARTTLS"),
        (PLAIN + NULL, "RSET"),
    ],
)
def test_what_comes_right_behind_a_reply_ends_the_session_there(play: str, step: str) -> None:
    play = play.rstrip() + "\n"
    announced = held(play + "S+ 421 4.3.2 shutting down")
    assert ending(announced) == (step, "closed")
    assert announced.end is not None
    assert announced.end.detail == "4.3.2 shutting down"
    assert [reply.code for reply in announced.unsolicited] == [421]
    assert ending(held(play + "S+ garbage")) == (step, "syntax.reply")
    assert ending(held(play + "S+ 250-wait \\\n-- timeout")) == (step, "timeout")


def test_many_replies_to_nothing_end_the_session() -> None:
    session = held(PLAIN.rstrip() + "\nS+ 250 a\nS+ 250 b\nS+ 250 c\nS+ 250 d\nS+ 250 e")
    assert ending(session) == ("EHLO", "limit.unsolicited")
    assert len(session.unsolicited) == 4


def test_a_failed_handshake_is_the_end_of_the_session() -> None:
    play = OFFERED + "C: STARTTLS\nS: 220 go\n@ 1.5\n-- tls wrong version number"
    session = held(play)
    assert session.end == Ending(step="TLS", kind="tls", detail="wrong version number", at=1.5, entry=6)
    assert (session.tls, codes(session)) == (None, ["- - -"] * 3)


@pytest.mark.parametrize("kind", ["timeout", "reset", "closed"])
def test_a_handshake_may_fail_in_other_ways(kind: str) -> None:
    assert ending(held(OFFERED + f"C: STARTTLS\nS: 220 go\n-- {kind}")) == ("TLS", kind)


def test_octets_in_the_clear_behind_the_220_are_kept_and_never_read() -> None:
    session = held(OFFERED + "C: STARTTLS\nS: 220 go\nS+ 250-mx\nS+ 250 AUTH PLAIN")
    assert ending(session) == ("TLS", "starttls.plaintext")
    assert session.end is not None
    assert session.end.excerpt == "250-mx\r\n250 AUTH PLAIN\r\n"
    assert session.end.entry == 5
    assert session.starttls is not None
    assert session.starttls.raw == "220 go\r\n"
    assert (session.ehlo_tls, session.unsolicited) == (None, ())


def test_octets_that_a_driver_held_at_the_handshake_are_kept_and_never_read() -> None:
    session = held(OFFERED + "C: STARTTLS\nS: 220 go\nS: 250-mx\nS+ 250 AUTH PLAIN")
    assert ending(session) == ("TLS", "starttls.plaintext")
    assert session.end is not None
    assert (session.end.excerpt, session.end.entry) == ("250-mx\r\n250 AUTH PLAIN\r\n", 6)
    assert session.transcript[-1]["got"] == "250-mx\r\n250 AUTH PLAIN\r\n"
    assert session.ehlo_tls is None


def test_a_flight_that_is_answered_in_part() -> None:
    done = LANDED.strip().split("\n")
    session = held(PIPELINING + FLIGHT + "\n".join(done[:4]) + "\n@ 12\n-- timeout")
    assert codes(session) == ["250 250 250", "250 - -", "- - -"]
    assert ending(session) == ("RCPT", "timeout")


@pytest.mark.parametrize(
    ("play", "step"),
    [
        ("@ 60\n-- connected", "greeting"),
        ("@ 60\nS: 220 mx", "EHLO"),
        ("S: 220 mx\n@ 61\nC: EHLO probe.test", "EHLO"),
        (PLAIN + "@ 60\n" + NULL.removesuffix("C: RSET\n    S: 250 ok\n    "), "MAIL"),
        (OFFERED + "C: STARTTLS\n@ 60\nS: 220 go", "TLS"),
        (SECURED + "@ 60\nC: EHLO probe.test", "EHLO after STARTTLS"),
    ],
)
def test_a_spent_budget_ends_the_session_at_whatever_comes_next(play: str, step: str) -> None:
    if step == "MAIL":
        play = PLAIN + "@ 60\nC: MAIL FROM:<>"
    session = held(play)
    assert ending(session) == (step, "budget")
    assert session.end is not None
    assert session.end.entry == len(session.transcript) - 1


def test_a_tarpit_is_left_when_the_budget_is_spent() -> None:
    """A reply every ten seconds never meets the timeout of twelve, but the sixty of the whole."""
    slowly = [
        "C: MAIL FROM:<>",
        "C: RCPT TO:<postmaster@example.org>",
        "C: RSET",
        "C: MAIL FROM:<postmaster@probe.test>",
        "C: RCPT TO:<postmaster@example.org>",
    ]
    slow = "".join(f"@ {10 * (n + 1)}\nS: 250 ok\n{line}\n" for n, line in enumerate(slowly))
    session = held("S: 220 mx\nC: EHLO probe.test\n" + slow + "@ 60\n-- timeout")
    assert ending(session) == ("RCPT", "budget")
    assert codes(session) == ["250 250 250", "250 - -", "- - -"]


def test_a_clean_session_has_no_end_to_tell() -> None:
    assert held(PLAIN + BYE, transactions=()).end is None
