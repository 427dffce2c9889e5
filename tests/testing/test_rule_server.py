"""Rule servers over streams: the demo's servers over memory and a socketpair, every command and its reply."""

import math
import smtplib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.abc import AnyByteStream, UNIXSocketStream
from anyio.streams.stapled import StapledObjectStream
from anyio.streams.tls import TLSStream

from checker_smtp import testing
from checker_smtp.demo import POSTURES, Posture
from checker_smtp.testing import RuleServer, RuleSession, serve_session, server_tls_context
from checker_smtp.testing.rule_server import LINE_LIMIT

pytestmark = pytest.mark.anyio

BY_NAME = {posture.domain.partition(".")[0]: posture for posture in POSTURES}
HEALTHY = BY_NAME["healthy"]
SERVED = [pytest.param(posture, id=name) for name, posture in BY_NAME.items() if posture.server is not None]
PEM = Path(testing.__file__).with_name("server.pem")

# The replies of each server to three recipients: after the null sender, after ours, for an outside domain.
OK, RELAYING = "250 2.1.5 Ok", "550 5.7.1 Relaying denied"
UNKNOWN, NO_BOUNCES = "550 5.1.1 No such mailbox", "550 5.7.1 Mail from the null sender is not accepted"
VERDICTS = {
    "healthy": (OK, OK, RELAYING),
    "open-relay": (OK, OK, OK),
    "no-starttls": (OK, OK, RELAYING),
    "auth-in-clear": (OK, OK, RELAYING),
    "no-postmaster": (UNKNOWN, UNKNOWN, RELAYING),
    "no-null-sender": (NO_BOUNCES, OK, RELAYING),
    "cname-mx": (OK, OK, RELAYING),
    "no-ptr": (OK, OK, RELAYING),
}
HELLO = """
    C: EHLO probe.demo.test
    S: 250-{host}
    S: 250-PIPELINING
    S: 250-SIZE 10240000
    S: 250-STARTTLS
    S: 250-AUTH PLAIN LOGIN
    S: 250-ENHANCEDSTATUSCODES
    S: 250 8BITMIME
"""
FLIGHT = """
    C: MAIL FROM:<>
    C: RCPT TO:<postmaster@{domain}>
    C: RSET
    C: MAIL FROM:<postmaster@probe.demo.test>
    C: RCPT TO:<postmaster@{domain}>
    C: RSET
    C: MAIL FROM:<postmaster@probe.demo.test>
    C: RCPT TO:<postmaster@example.com>
    C: RSET
    C: QUIT
    S: 250 2.1.0 Ok
    S: {null}
    S: 250 2.0.0 Ok
    S: 250 2.1.0 Ok
    S: {postmaster}
    S: 250 2.0.0 Ok
    S: 250 2.1.0 Ok
    S: {relay}
    S: 250 2.0.0 Ok
    S: 221 2.0.0 Bye
"""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def server_of(posture: Posture) -> RuleServer:
    assert posture.server is not None
    return posture.server


def hello(posture: Posture, *, secure: bool) -> str:
    """Return the EHLO exchange expected of `posture`."""
    absent = {"STARTTLS"} if secure or not server_of(posture).starttls else set()
    absent |= set() if server_of(posture).auth_in_clear else {"AUTH"}
    lines = [line for line in HELLO.splitlines(keepends=True) if not any(word in line for word in absent)]
    return "".join(lines).format(host=posture.host)


def flight(posture: Posture) -> str:
    null, postmaster, relay = VERDICTS[posture.domain.partition(".")[0]]
    return FLIGHT.format(domain=posture.domain, null=null, postmaster=postmaster, relay=relay)


async def talk(stream: AnyByteStream, script: str, *, piece: int = 65536) -> None:
    """Send the C: lines, those in a row as one group cut in pieces, and expect the S: lines."""
    received = b""
    writing = b""
    for entry in filter(None, map(str.strip, script.splitlines())):
        who, line = entry[:2], entry[3:].encode() + b"\r\n"
        if who == "C:":
            assert not received, received
            writing += line
            continue
        for start in range(0, len(writing), piece):
            await stream.send(writing[start : start + piece])
        writing = b""
        while b"\n" not in received:
            received += await stream.receive()
        assert received[: received.index(b"\n") + 1] == line
        received = received[received.index(b"\n") + 1 :]
    assert not received, received


@asynccontextmanager
async def session(posture: Posture = HEALTHY, *, greet: bool = True) -> AsyncIterator[AnyByteStream]:
    """Yield a client's stream to a server of this posture."""
    to_server, from_client = anyio.create_memory_object_stream[bytes](math.inf)
    to_client, from_server = anyio.create_memory_object_stream[bytes](math.inf)
    client = StapledObjectStream(to_server, from_server)
    server = StapledObjectStream(to_client, from_client)
    async with anyio.create_task_group() as tasks, client:
        tasks.start_soon(serve_session, server, server_of(posture).session(), server_tls_context())
        if greet:
            await talk(client, f"S: 220 {posture.host} ESMTP checker-smtp demo")
        yield client


async def closed(stream: AnyByteStream) -> None:
    with pytest.raises(anyio.EndOfStream):
        await stream.receive()


async def secure(stream: AnyByteStream, posture: Posture) -> TLSStream:
    """Do STARTTLS as a strict client: the certificate must be valid for the host's name."""
    await talk(stream, "C: STARTTLS\nS: 220 2.0.0 Ready to start TLS")
    return await TLSStream.wrap(
        stream,
        server_side=False,
        hostname=posture.host,
        ssl_context=ssl.create_default_context(cafile=str(PEM)),
        standard_compatible=False,
    )


@pytest.mark.parametrize("piece", [1, 7, 65536])
@pytest.mark.parametrize("posture", SERVED)
async def test_session_in_clear(posture: Posture, piece: int) -> None:
    async with session(posture) as client:
        await talk(client, hello(posture, secure=False) + flight(posture), piece=piece)
        await closed(client)


@pytest.mark.parametrize("posture", [param for param in SERVED if param.id != "no-starttls"])
async def test_session_under_tls(posture: Posture) -> None:
    async with session(posture) as client:
        await talk(client, hello(posture, secure=False))
        tls = await secure(client, posture)
        # What was said in the clear is forgotten (RFC 3207 §4.2).
        await talk(tls, "C: MAIL FROM:<>\nS: 503 5.5.1 Send EHLO first")
        await talk(tls, hello(posture, secure=True) + "C: STARTTLS\nS: 503 5.5.1 TLS is already active")
        await talk(tls, flight(posture))
        await closed(tls)


@pytest.mark.skipif(
    not (hasattr(socket, "AF_UNIX") and hasattr(UNIXSocketStream, "from_socket")),
    reason="needs Unix sockets and anyio 4.12",
)
async def test_smtplib_over_a_socketpair() -> None:
    """A client and a TLS stack which are none of ours."""
    near, far = socket.socketpair(socket.AF_UNIX)

    def converse() -> list[int]:
        near.settimeout(10)
        client = smtplib.SMTP(local_hostname="probe.demo.test")
        client.sock = near
        codes = [client.getreply()[0]]
        vars(client)["_host"] = HEALTHY.host  # what connect() would have set
        codes.append(client.starttls(context=ssl.create_default_context(cafile=str(PEM)))[0])
        client.ehlo()
        assert "starttls" not in client.esmtp_features
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("", f"postmaster@{HEALTHY.domain}", "Subject: never\r\n\r\n")
        codes += [refused.value.smtp_code, client.quit()[0]]
        return codes

    async with anyio.create_task_group() as tasks:
        server = await UNIXSocketStream.from_socket(far)
        tasks.start_soon(serve_session, server, server_of(HEALTHY).session(), server_tls_context())
        assert await anyio.to_thread.run_sync(converse) == [220, 220, 554, 221]


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


async def test_a_failed_handshake_ends_the_session() -> None:
    async with session() as client:
        await talk(client, hello(HEALTHY, secure=False) + "C: STARTTLS\nS: 220 2.0.0 Ready to start TLS")
        await client.send(b"EHLO this.is.no.tls\r\n")
        await closed(client)


@pytest.mark.parametrize("sent", [b"", b"EHLO", b"EHLO probe.demo.test\r\nSTARTTLS\r\n"])
async def test_a_client_may_disappear(sent: bytes) -> None:
    with anyio.fail_after(5):
        async with session(greet=False) as client:
            await client.send(sent)
