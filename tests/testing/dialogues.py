"""The demo's servers over memory streams, and a strict client for them."""

import math
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import AnyByteStream
from anyio.streams.stapled import StapledObjectStream
from anyio.streams.tls import TLSStream

from checker_smtp import testing
from checker_smtp.demo import POSTURES, Posture
from checker_smtp.testing import RuleServer, serve_session, server_tls_context

BY_NAME = {posture.domain.partition(".")[0]: posture for posture in POSTURES}
HEALTHY = BY_NAME["healthy"]
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
