"""The demo lab without its network: sessions over memory and a socketpair, DNS as messages."""

import math
import smtplib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest
from anyio.abc import AnyByteStream, UNIXSocketStream
from anyio.streams.stapled import StapledObjectStream
from anyio.streams.tls import TLSStream

from checker_smtp.demo import POSTURES, Posture, dnsd, lab, smtpd
from checker_smtp.demo.lab import tls_context

pytestmark = pytest.mark.anyio

BY_NAME = {posture.domain.partition(".")[0]: posture for posture in POSTURES}
HEALTHY = BY_NAME["healthy"]
SERVED = [pytest.param(posture, id=name) for name, posture in BY_NAME.items() if posture.serves]
PEM = Path(smtpd.__file__).with_name("lab.pem")

# What each server answers the three recipients with: after the null sender, after ours, for an outsider.
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


def hello(posture: Posture, *, secure: bool) -> str:
    """The EHLO exchange expected of `posture`."""
    absent = {"STARTTLS"} if secure or not posture.starttls else set()
    absent |= set() if posture.auth_in_clear else {"AUTH"}
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
    """A client's stream to a server of this posture."""
    to_server, from_client = anyio.create_memory_object_stream[bytes](math.inf)
    to_client, from_server = anyio.create_memory_object_stream[bytes](math.inf)
    client = StapledObjectStream(to_server, from_server)
    server = StapledObjectStream(to_client, from_client)
    async with anyio.create_task_group() as tasks, client:
        tasks.start_soon(partial(smtpd.serve, server, posture=posture, tls=tls_context()))
        if greet:
            await talk(client, f"S: 220 {posture.host} ESMTP checker-smtp demo")
        yield client


async def closed(stream: AnyByteStream) -> None:
    with pytest.raises(anyio.EndOfStream):
        await stream.receive()


async def secure(stream: AnyByteStream, posture: Posture) -> TLSStream:
    """STARTTLS as a sceptical client: the certificate must be good for the host's name."""
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
        tasks.start_soon(partial(smtpd.serve, server, posture=HEALTHY, tls=tls_context()))
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
            S: 554 5.3.2 This demo takes no messages
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
    server = smtpd.Session(HEALTHY)
    server.answer(b"EHLO probe.demo.test\r\n")
    assert server.answer(command.encode() + b"\r\n") == reply


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
    server = smtpd.Session(HEALTHY)
    server.answer(b"EHLO probe.demo.test\r\n")
    server.answer(b"MAIL FROM:<postmaster@probe.demo.test>\r\n")
    assert server.answer(command.encode() + b"\r\n") == reply


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"\r\n", "500 5.5.2 Command unrecognized"),
        (b"NOOP\n", "500 5.5.2 Lines end with CR LF, see RFC 5321 section 2.3.8"),
        (b"NOOP\r\r\n", "500 5.5.2 Commands are made of printable ASCII"),
        (b"NOOP \xc3\xa9\r\n", "500 5.5.2 Commands are made of printable ASCII"),
        (b"NOOP \xff\x00\r\n", "500 5.5.2 Commands are made of printable ASCII"),
        (b"NOOP" + b" " * (smtpd.LINE_LIMIT - 6) + b"\r\n", "250 2.0.0 Ok"),
        (b"NOOP" + b" " * (smtpd.LINE_LIMIT - 5) + b"\r\n", "500 5.5.2 Line too long"),
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


@pytest.mark.parametrize("said", [b"", b"EHLO", b"EHLO probe.demo.test\r\nSTARTTLS\r\n"])
async def test_a_client_may_vanish(said: bytes) -> None:
    with anyio.fail_after(5):
        async with session(greet=False) as client:
            await client.send(said)


def ask(name: str, rdtype: str, posture: Posture = HEALTHY) -> tuple[str, list[str], int]:
    """The response's code, its answers and how many SOA records came with it; by way of the wire."""
    packet = dnsd.respond(dns.message.make_query(name, rdtype).to_wire(), dnsd.parse(posture.zone))
    assert packet is not None
    response = dns.message.from_wire(packet)
    soa = [rrset for rrset in response.authority if rrset.rdtype == dns.rdatatype.SOA]
    return dns.rcode.to_text(response.rcode()), [str(rrset) for rrset in response.answer], len(soa)


async def test_dns_separates_no_name_from_no_data() -> None:
    assert ask("healthy.demo.test", "MX") == (
        "NOERROR",
        ["healthy.demo.test. 60 IN MX 10 mx.healthy.demo.test."],
        0,
    )
    assert ask("MX.healthy.DEMO.test", "A") == ("NOERROR", ["MX.healthy.DEMO.test. 60 IN A 127.0.0.1"], 0)
    assert ask("mx.healthy.demo.test", "AAAA") == ("NOERROR", [], 1)
    assert ask("demo.test", "A") == ("NOERROR", [], 1)
    assert ask("www.healthy.demo.test", "A") == ("NXDOMAIN", [], 1)
    assert ask("example.com", "MX") == ("NXDOMAIN", [], 1)
    assert ask(".", "NS") == ("NOERROR", [". 60 IN NS ns.demo.test."], 0)
    assert ask("1.0.0.127.in-addr.arpa", "PTR", BY_NAME["no-ptr"]) == ("NXDOMAIN", [], 1)
    assert ask("null-mx.demo.test", "MX", BY_NAME["null-mx"]) == (
        "NOERROR",
        ["null-mx.demo.test. 60 IN MX 0 ."],
        0,
    )


async def test_dns_follows_aliases() -> None:
    alias = "mail.cname-mx.demo.test. 60 IN CNAME mx.cname-mx.demo.test."
    posture = BY_NAME["cname-mx"]
    code, answers, _ = ask("mail.cname-mx.demo.test", "A", posture)
    assert (code, answers) == ("NOERROR", [alias, "mx.cname-mx.demo.test. 60 IN A 127.0.0.1"])
    assert ask("mail.cname-mx.demo.test", "CNAME", posture) == ("NOERROR", [alias], 0)
    assert ask("mail.cname-mx.demo.test", "AAAA", posture) == ("NOERROR", [alias], 1)


async def test_dns_survives_an_endless_chain_and_one_leading_nowhere() -> None:
    loop = Posture(
        domain="loop.demo.test",
        what="",
        zone=(*HEALTHY.zone, "a.test. CNAME b.test.", "b.test. CNAME a.test.", "c.test. CNAME gone.test."),
    )
    assert ask("a.test", "A", loop)[0] == "SERVFAIL"
    assert ask("c.test", "A", loop) == ("NXDOMAIN", ["c.test. 60 IN CNAME gone.test."], 1)


async def test_dns_declines_what_it_does_not_do() -> None:
    zone = dnsd.parse(HEALTHY.zone)

    def code(query: dns.message.Message) -> dns.rcode.Rcode:
        return dnsd.answer(query, zone).rcode()

    query = dns.message.make_query("healthy.demo.test", "MX")
    query.set_opcode(dns.opcode.STATUS)
    assert code(query) == dns.rcode.NOTIMP
    query = dns.message.make_query("healthy.demo.test", "MX")
    query.question *= 2
    assert code(query) == dns.rcode.FORMERR
    assert code(dns.message.make_query("healthy.demo.test", "ANY")) == dns.rcode.REFUSED
    assert code(dns.message.make_query("healthy.demo.test", "AXFR")) == dns.rcode.REFUSED
    assert code(dns.message.make_query("version.bind", "TXT", "CH")) == dns.rcode.REFUSED


async def test_dns_says_nothing_to_what_is_no_query() -> None:
    zone = dnsd.parse(HEALTHY.zone)
    query = dns.message.make_query("healthy.demo.test", "MX")
    wire = query.to_wire()
    assert dnsd.respond(wire, zone) is not None
    for packet in (b"", b"\0" * 5, wire[:-1], wire + b"!", dns.message.make_response(query).to_wire()):
        assert dnsd.respond(packet, zone) is None


@pytest.mark.parametrize("posture", POSTURES, ids=lambda posture: posture.domain)
async def test_each_view_holds_together(posture: Posture) -> None:
    """Every MX leads to 127.0.0.1, which leads to a name and back, but where the posture says otherwise."""
    zone = dnsd.parse(posture.zone)
    (mx,) = (rrset[0].to_text().split() for rrset in [zone.find_rrset(name(posture.domain), "MX")])
    assert posture.what.endswith(".")
    if not posture.serves:
        assert mx == ["0", "."]
        return
    assert ask(mx[1], "A", posture)[1][-1] == f"{posture.host}. 60 IN A 127.0.0.1"
    assert ask(mx[1], "AAAA", posture)[1:] == ([], 1) or posture is BY_NAME["cname-mx"]
    reverse = zone.get_rrset(name("1.0.0.127.in-addr.arpa"), "PTR")
    assert (reverse is None) == (posture is BY_NAME["no-ptr"])
    if reverse is not None:
        assert ask(reverse[0].to_text(), "A", posture)[1] == [f"{reverse[0]} 60 IN A 127.0.0.1"]


def name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


async def test_the_lab_lets_exceptions_through_as_they_are() -> None:
    error = ValueError("the block's own")
    error.__cause__ = cause = LookupError()
    with pytest.raises(ValueError, match="own") as caught:
        async with lab(()):
            raise error
    assert caught.value is error
    assert error.__cause__ is cause
    assert error.__context__ is None


async def test_the_lab_ends_with_its_block_and_with_its_cancellation() -> None:
    with anyio.fail_after(5):
        async with lab(()) as running:
            assert running == ()
        with anyio.move_on_after(0.01) as scope:
            async with lab(()):
                await anyio.sleep_forever()
    assert scope.cancelled_caught
