"""Sessions with the demo's rule servers over memory and a socket pair."""

import smtplib
import socket
import ssl

import anyio
import anyio.to_thread
import pytest
from anyio.abc import UNIXSocketStream

from checker_smtp.demo import Posture
from checker_smtp.testing import serve_session, server_tls_context
from tests.testing.dialogues import (
    BY_NAME,
    HEALTHY,
    PEM,
    closed,
    flight,
    hello,
    secure,
    server_of,
    session,
    talk,
)

pytestmark = pytest.mark.anyio
SERVED = [pytest.param(posture, id=name) for name, posture in BY_NAME.items() if posture.server is not None]


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
