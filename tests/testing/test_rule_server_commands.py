"""Every command of a rule server and its reply."""

import pytest

from checker_smtp.testing import RuleSession
from checker_smtp.testing.rule_server import LINE_LIMIT
from tests.testing.dialogues import (
    BY_NAME,
    HEALTHY,
    OK,
    RELAYING,
    UNKNOWN,
    closed,
    hello,
    secure,
    server_of,
    session,
    talk,
)

pytestmark = pytest.mark.anyio


async def test_order_is_enforced() -> None:
    async with session() as client:
        await talk(
            client,
            """
            C: MAIL FROM:<>
            S: 503 5.5.1 Send EHLO first
            C: STARTTLS
            S: 503 5.5.1 Send EHLO first
            C: NOOP anything
            S: 250 2.0.0 Ok
            C: EHLO
            S: 501 5.5.4 Syntax: EHLO hostname
            C: HELO
            S: 501 5.5.4 Syntax: HELO hostname
            C: helo probe.demo.test
            S: 250 mx.healthy.demo.test
            C: RCPT TO:<postmaster@healthy.demo.test>
            S: 503 5.5.1 Send MAIL first
            C: DATA
            S: 503 5.5.1 Send RCPT first
            C: mail from:<>
            S: 250 2.1.0 Ok
            C: MAIL FROM:<>
            S: 503 5.5.1 Nested MAIL
            C: RCPT TO:<nobody@healthy.demo.test>
            S: 550 5.1.1 No such mailbox
            C: DATA
            S: 503 5.5.1 Send RCPT first
            C: RCPT TO:<POSTmaster@HEALTHY.demo.test>
            S: 250 2.1.5 Ok
            C: DATA
            S: 554 5.3.2 No message is accepted here
            C: RSET now
            S: 501 5.5.4 No parameters allowed
            C: HELO probe.demo.test
            S: 250 mx.healthy.demo.test
            C: DATA
            S: 503 5.5.1 Send RCPT first
            C: VRFY postmaster
            S: 252 2.0.0 Try RCPT
            C: AUTH PLAIN AAAA
            S: 502 5.5.1 Not implemented
            C: BDAT 0 LAST
            S: 500 5.5.2 Command unrecognized
            C: quit
            S: 221 2.0.0 Bye
            """,
        )
        await closed(client)


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("MAIL FROM: <>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("MAIL FROM:<a@b@c>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("MAIL FROM:<postmaster>", "501 5.1.7 The sender has no domain"),
        (
            'MAIL FROM:<"a> \\" b"@example.com>  SIZE=1 body=8bitmime  ',
            "501 5.5.4 Syntax: MAIL FROM:<address>",
        ),
        ('MAIL FROM:<"a> \\" b"@example.com> SIZE=1 body=8bitmime  ', "250 2.1.0 Ok"),
        ("MAIL FROM:<> SIZE=10240001", "552 5.3.4 Message too big"),
        ("MAIL FROM:<> SIZE=many", "555 5.5.4 Parameter not recognized"),
        ("MAIL FROM:<> SMTPUTF8", "555 5.5.4 Parameter not recognized"),
    ],
)
async def test_mail(command: str, reply: str) -> None:
    server = RuleSession(server_of(HEALTHY))
    server.answer(b"EHLO probe.demo.test\r\n")
    assert server.answer(command.encode() + b"\r\n") == [reply]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("RCPT TO:<>", "501 5.5.4 Syntax: RCPT TO:<address>"),
        ("RCPT TO:postmaster", "501 5.5.4 Syntax: RCPT TO:<address>"),
        ("RCPT TO:<Postmaster>", OK),
        ("RCPT TO:<nobody>", "501 5.1.3 The recipient has no domain"),
        ("RCPT TO:<postmaster@healthy.demo.test> NOTIFY=NEVER", "555 5.5.4 Parameter not recognized"),
        ("RCPT TO:<@example.com,@example.net:postmaster@healthy.demo.test>", OK),
        ("RCPT TO:<@healthy.demo.test:postmaster@example.com>", RELAYING),
        ("RCPT TO:<postmaster%example.com@healthy.demo.test>", UNKNOWN),
        ("RCPT TO:<postmaster@[127.0.0.1]>", RELAYING),
    ],
)
async def test_rcpt(command: str, reply: str) -> None:
    server = RuleSession(server_of(HEALTHY))
    server.answer(b"EHLO probe.demo.test\r\n")
    server.answer(b"MAIL FROM:<postmaster@probe.demo.test>\r\n")
    assert server.answer(command.encode() + b"\r\n") == [reply]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"\r\n", "500 5.5.2 Command unrecognized"),
        (b"NOOP\n", "500 5.5.2 Lines end with CR LF, see RFC 5321 section 2.3.8"),
        (b"NOOP\r\r\n", "500 5.5.2 Commands are made of printable ASCII"),
        (b"NOOP \xc3\xa9\r\n", "500 5.5.2 Commands are made of printable ASCII"),
        (b"NOOP \xff\x00\r\n", "500 5.5.2 Commands are made of printable ASCII"),
        (b"NOOP" + b" " * (LINE_LIMIT - 6) + b"\r\n", "250 2.0.0 Ok"),
        (b"NOOP" + b" " * (LINE_LIMIT - 5) + b"\r\n", "500 5.5.2 Line too long"),
        (b"x" * 20_000 + b"\r\n", "500 5.5.2 Line too long"),
    ],
)
async def test_odd_lines_get_one_reply(line: bytes, reply: str) -> None:
    for piece in (7, 1000, len(line)):
        async with session() as client:
            for start in range(0, len(line), piece):
                await client.send(line[start : start + piece])
            await talk(client, f"S: {reply}\nC: QUIT\nS: 221 2.0.0 Bye")
            await closed(client)


async def test_nothing_may_follow_starttls() -> None:
    async with session() as client:
        await talk(client, hello(HEALTHY, secure=False))
        await talk(
            client,
            """
            C: STARTTLS
            C: NOOP
            S: 503 5.5.1 Nothing may follow STARTTLS in a group, see RFC 2920 section 3.1
            S: 250 2.0.0 Ok
            """,
        )
        tls = await secure(client, HEALTHY)
        await talk(tls, hello(HEALTHY, secure=True))


async def test_starttls_and_auth_are_refused_where_not_offered_and_auth_even_where_it_is() -> None:
    async with session(BY_NAME["no-starttls"]) as client:
        await talk(client, hello(BY_NAME["no-starttls"], secure=False))
        await talk(
            client, "C: STARTTLS\nS: 502 5.5.1 Not implemented\nC: AUTH LOGIN\nS: 502 5.5.1 Not implemented"
        )
    async with session(BY_NAME["auth-in-clear"]) as client:
        await talk(client, hello(BY_NAME["auth-in-clear"], secure=False))
        await talk(client, "C: AUTH PLAIN AGEAYg==\nS: 454 4.7.0 Nobody has an account here")
