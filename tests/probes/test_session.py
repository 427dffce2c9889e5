"""One connection from the greeting to QUIT: what is said, in which order, and what is kept of it."""

import pytest

from checker_smtp.probes.observation import Irregularity, Keyword, ReplySeen, Session, Tls, Transaction
from tests.probes.dialogues import (
    ASKED,
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


def test_one_by_one_where_nothing_is_offered() -> None:
    session = held(PLAIN + ASKED)
    assert codes(session) == ["250 250 250", "250 250 250", "250 554 250"]
    assert (session.capabilities, session.starttls, session.tls, session.end) == ((), None, None, None)
    assert session.quit is not None
    assert session.quit.code == 221


def test_in_one_flight_where_pipelining_is_offered() -> None:
    session = held(PIPELINING + FLIGHT + LANDED)
    assert codes(session) == ["250 250 250", "250 250 250", "250 554 250"]
    assert session.capabilities == (Keyword(keyword="PIPELINING"),)
    assert [t.purpose for t in session.transactions] == ["null-sender", "postmaster", "relay"]
    assert [(t.sender, t.recipient) for t in session.transactions] == [
        ("", "postmaster@example.org"),
        ("postmaster@probe.test", "postmaster@example.org"),
        ("postmaster@probe.test", "postmaster@example.com"),
    ]
    relay = session.transactions[2]
    assert relay.verdict is relay.rcpt
    assert relay.rcpt is not None
    assert (relay.rcpt.enhanced_code, relay.rcpt.permanent) == ("5.7.1", True)


def test_one_by_one_where_pipelining_is_not_wanted() -> None:
    assert codes(held(PIPELINING + ASKED, pipelining=False))[2] == "250 554 250"


def test_over_tls_everything_is_asked_anew() -> None:
    session = held(
        SECURED
        + "C: EHLO probe.test\nS: 250-mx.example.org\nS+ 250-PIPELINING\nS+ 250 8BITMIME\n"
        + FLIGHT
        + LANDED
    )
    assert session.tls == Tls(
        version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", server_name="mx.example.org", at=0.0
    )
    assert session.capabilities == (Keyword(keyword="STARTTLS"),)
    assert session.capabilities_tls == (Keyword(keyword="PIPELINING"), Keyword(keyword="8BITMIME"))
    assert session.ehlo is not None
    assert session.ehlo_tls is not None
    assert (session.ehlo.text, session.ehlo_tls.text) == (
        "mx.example.org\nSTARTTLS",
        "mx.example.org\nPIPELINING\n8BITMIME",
    )
    assert codes(session)[2] == "250 554 250"


def test_starttls_is_not_sent_where_it_is_not_wanted() -> None:
    session = held(OFFERED + ASKED, starttls=False)
    assert session.offers("STARTTLS")
    assert (session.starttls, codes(session)[0]) == (None, "250 250 250")


@pytest.mark.parametrize("code", [454, 501, 554])
def test_where_starttls_is_refused_the_session_goes_on_in_the_clear(code: int) -> None:
    session = held(OFFERED + f"C: STARTTLS\nS: {code} no\n" + ASKED)
    assert session.starttls is not None
    assert (session.starttls.code, session.ehlo_tls) == (code, None)
    assert codes(session) == ["250 250 250", "250 250 250", "250 554 250"]


@pytest.mark.parametrize("code", [500, 502, 550])
def test_helo_follows_a_refused_ehlo_on_the_same_connection(code: int) -> None:
    session = held(f"S: 220 mx\nC: EHLO probe.test\nS: {code} what?\nC: HELO probe.test\nS: 250 mx\n" + ASKED)
    assert session.is_ready
    assert session.ehlo is not None
    assert session.helo is not None
    assert (session.ehlo.code, session.helo.code, session.capabilities) == (code, 250, ())
    assert codes(session)[2] == "250 554 250"


def test_helo_alone_where_ehlo_is_not_wanted() -> None:
    session = held("S: 220 mx\nC: HELO probe.test\nS: 250 mx\n" + ASKED, ehlo=False)
    assert session.is_ready
    assert (session.ehlo, codes(session)[2]) == (None, "250 554 250")


@pytest.mark.parametrize(
    "replies", ["S: 450 later", "S: 550 no\nC: HELO probe.test\nS: 550 no", "S: 354 what?"]
)
def test_where_no_hello_is_accepted_only_quit_is_left(replies: str) -> None:
    session = held(f"S: 220 mx\nC: EHLO probe.test\n{replies}\n" + BYE)
    assert not session.is_ready
    assert session.quit is not None
    assert (session.end, codes(session)) == (None, ["- - -"] * 3)


@pytest.mark.parametrize("greeting", ["554 no service", "421 busy", "521 never", "354 what?", "199 hm"])
def test_a_greeting_that_is_no_welcome_is_answered_with_quit(greeting: str) -> None:
    session = held(f"S: {greeting}\n" + BYE)
    assert session.greeting is not None
    assert (f"{session.greeting.code} {session.greeting.text}", session.ehlo) == (greeting, None)


def test_nothing_to_ask_is_a_session_all_the_same() -> None:
    assert held(PLAIN + BYE, transactions=()).transactions == ()
    assert held(PIPELINING + BYE, transactions=()).quit is not None


def test_a_refused_mail_is_not_followed_by_rcpt_where_one_waits_for_the_other() -> None:
    refused = "C: MAIL FROM:<>\nS: 550 no bounces\nC: RSET\nS: 250 ok\n"
    session = held(PLAIN + refused + ASKED.removeprefix(NULL))
    assert codes(session)[0] == "550 - 250"
    assert session.transactions[0].verdict is session.transactions[0].mail


def test_in_a_flight_the_verdict_of_a_refused_mail_is_not_the_503_behind_it() -> None:
    done = LANDED.replace("S: 250 2.1.0 ok\n    S+ 250", "S: 550 5.7.1 no\n    S+ 503", 1)
    null_sender = held(PIPELINING + FLIGHT + done).transactions[0]
    assert null_sender.rcpt is not None
    assert null_sender.rcpt.code == 503
    assert null_sender.verdict is null_sender.mail
    assert Transaction(purpose="relay", sender="", recipient="a@b").verdict is None


def test_where_rset_is_refused_nothing_more_is_asked() -> None:
    """The next MAIL would belong to the old transaction."""
    session = held(PLAIN + NULL.replace("C: RSET\n    S: 250 ok", "C: RSET\n    S: 502 what?") + BYE)
    assert codes(session) == ["250 250 502", "- - -", "- - -"]
    assert (session.end, session.quit is not None) == (None, True)


def test_a_refused_rset_after_a_refused_mail_does_no_harm() -> None:
    refused = "C: MAIL FROM:<>\nS: 550 no\nC: RSET\nS: 502 what?\n"
    assert codes(held(PLAIN + refused + ASKED.removeprefix(NULL)))[1:] == ["250 250 250", "250 554 250"]


@pytest.mark.parametrize(
    ("play", "expected"),
    [
        ("S: 421 busy\n", ["- - -"] * 3),
        ("S: 220 mx\nC: EHLO probe.test\nS: 421 busy\n", ["- - -"] * 3),
        ("S: 220 mx\nC: EHLO probe.test\nS: 550 no\nC: HELO probe.test\nS: 421 busy\n", ["- - -"] * 3),
        (OFFERED + "C: STARTTLS\nS: 421 busy\n", ["- - -"] * 3),
        (SECURED + "C: EHLO probe.test\nS: 421 busy\n", ["- - -"] * 3),
        (PLAIN + "C: MAIL FROM:<>\nS: 421 busy\n", ["421 - -", "- - -", "- - -"]),
        (
            PLAIN + NULL.replace("C: RSET\n    S: 250", "C: RSET\n    S: 421"),
            ["250 250 421", "- - -", "- - -"],
        ),
    ],
)
def test_after_421_only_quit_is_said(play: str, expected: list[str]) -> None:
    session = held(play + BYE)
    assert (codes(session), session.end) == (expected, None)
    assert session.quit is not None
    assert session.quit.code == 221


def test_after_421_to_rcpt_not_even_rset_is_said() -> None:
    session = held(
        PLAIN + NULL + "C: MAIL FROM:<postmaster@probe.test>\nS: 250 ok\n"
        "C: RCPT TO:<postmaster@example.org>\nS: 421 4.7.0 too many\n" + BYE
    )
    assert codes(session) == ["250 250 250", "250 421 -", "- - -"]


def test_421_may_come_in_the_middle_of_a_flight() -> None:
    session = held(PIPELINING + FLIGHT + "S: 250 ok\nS: 421 4.3.2 going down\n-- eof")
    assert codes(session) == ["250 421 -", "- - -", "- - -"]
    assert ending(session) == ("RSET", "closed")


def test_replies_are_in_the_order_in_which_they_were_heard() -> None:
    session = held(SECURED + "C: EHLO probe.test\nS: 250 mx\nS+ 250 unasked\n" + ASKED)
    received = [reply.code for reply in session.replies]
    assert received == [220, 250, 220, 250, 250] + [250] * 7 + [554, 250, 221]
    assert session.replies[3:5] == (session.ehlo_tls, *session.unsolicited)


def test_a_reply_nobody_asked_for_is_kept() -> None:
    session = held(PLAIN.replace("S: 250 mx.example.org", "S: 250 mx.example.org\nS+ 250 once more") + ASKED)
    (unasked,) = session.unsolicited
    assert (unasked.text, [d.kind for d in unasked.deviations]) == ("once more", ["unsolicited-reply"])
    assert unasked in session.replies
    assert codes(session)[2] == "250 554 250"


def test_a_reply_is_kept_word_by_word_with_what_is_irregular() -> None:
    session = held(
        "@ 0.5\n-- connected\n@ 2\nS: 220 mx \\xff\\n\\\n"
        + BYE.replace("QUIT", "EHLO probe.test", 1).replace("221 bye", "450 4.7.1 later")
        + BYE
    )
    assert session.connected_at == 0.5
    assert session.greeting == ReplySeen(
        code=220,
        text="mx \\xff",
        raw="220 mx \xff\n",
        at=2.0,
        entry=1,
        deviations=(
            Irregularity(
                kind="bare-lf", line=1, offset=8, excerpt="220 mx \xff\n", reference="RFC 5321 §2.3.8"
            ),
            Irregularity(
                kind="non-ascii", line=1, offset=7, excerpt="220 mx \xff", reference="RFC 5321 §4.2"
            ),
        ),
    )
    assert session.ehlo is not None
    assert (session.ehlo.enhanced_code, session.ehlo.transient) == ("4.7.1", True)


def entries_of(session: Session) -> list[str]:
    return [str(session.transcript[reply.entry].get("got", "")) for reply in session.replies]


@pytest.mark.parametrize(
    "play",
    [
        PLAIN + ASKED,
        PIPELINING + FLIGHT + LANDED,
        SECURED + "C: EHLO probe.test\nS: 250 mx\n" + ASKED,
        PLAIN.replace("S: 220 mx", "S: 220-mi\\\nS: nd the gap\nS+ 220 mx") + ASKED,
        PIPELINING + FLIGHT + LANDED.replace("S+", "S:"),
    ],
)
def test_every_reply_points_at_the_line_of_the_transcript_that_ended_it(play: str) -> None:
    session = held(play)
    assert len(session.replies) > 10
    for reply, got in zip(session.replies, entries_of(session), strict=True):
        assert reply.raw in got or reply.raw.endswith(got)


def test_the_transcript_is_the_conversation() -> None:
    session = held(
        "@ 0.1\n-- connected\n"
        + SECURED.replace("S: 220 go", "@ 0.2\nS: 220 go")
        + "@ 0.3\nC: EHLO probe.test\nS: 250 mx\n"
        + BYE,
        transactions=(),
    )
    assert session.transcript == (
        {"do": "connect", "host": "192.0.2.7", "port": 25, "at": 0.1},
        {"do": "receive", "got": "220 mx.example.org ESMTP\r\n", "at": 0.1},
        {"do": "send", "data": "EHLO probe.test\r\n", "at": 0.1},
        {"do": "receive", "got": "250-mx.example.org\r\n250 STARTTLS\r\n", "at": 0.1},
        {"do": "send", "data": "STARTTLS\r\n", "at": 0.1},
        {"do": "receive", "got": "220 go ahead\r\n", "at": 0.2},
        {
            "do": "upgrade",
            "server_name": "mx.example.org",
            "version": "TLSv1.3",
            "cipher": "TLS_AES_256_GCM_SHA384",
            "at": 0.2,
        },
        {"do": "send", "data": "EHLO probe.test\r\n", "at": 0.3},
        {"do": "receive", "got": "250 mx\r\n", "at": 0.3},
        {"do": "send", "data": "QUIT\r\n", "at": 0.3},
        {"do": "receive", "got": "221 bye\r\n", "at": 0.3},
    )


def test_the_class_of_a_reply_is_its_first_digit() -> None:
    def classes(code: int) -> str:
        seen = ReplySeen(code=code, text="", raw="", at=0.0, entry=0)
        return f"{seen.positive:d}{seen.transient:d}{seen.permanent:d}"

    ends = (199, 200, 299, 300, 399, 400, 499, 500, 599, 600)
    assert [classes(code) for code in ends] == [
        *("000", "100", "100", "000", "000", "010", "010", "001", "001", "000")
    ]
