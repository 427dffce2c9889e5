"""The session of one endpoint's check, as this project and as three other SMTP clients run it.

Each connects, sends EHLO, starts TLS where it is offered and sends EHLO again, does the three transactions
of `probes.endpoint` without sending a message, and quits. Each returns the codes of the replies to its
recipients, to show that all of them asked the same.

The others wait for every reply, because their interfaces require it. All share one TLS context, and none
resumes a TLS session.
"""

import smtplib
import ssl

import aiosmtplib
from smtpproto.client import AsyncSMTPClient
from smtpproto.protocol import SMTPException

from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.backends.transport.tls import client_context
from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.endpoint.session import SessionSpec, run_shared_session
from checker_smtp.probes.options import Options

from .far_end import HEALTHY, HOST

__all__ = ["Codes", "hold_aiosmtplib", "hold_ours", "hold_smtplib", "hold_smtpproto"]

Codes = tuple[int, ...]

_OPTIONS = Options(domain=HEALTHY.domain, helo_name="probe.demo.test", allow_targets=("127.0.0.0/8",))
_TRANSACTIONS = transactions_for(_OPTIONS)
_TIMEOUT = 30.0


async def hold_ours(port: int) -> Codes:
    """Run the product's own script on the product's own driver."""
    shared = await run_anyio(
        run_shared_session(
            SessionSpec(
                purpose="main",
                address=HOST,
                port=port,
                server_name=HEALTHY.host,
                helo_name=_OPTIONS.helo_name,
                timeout=_OPTIONS.timeout,
                budget=_OPTIONS.budget,
                transactions=_TRANSACTIONS,
            )
        )
    )
    session = shared.common
    if session.end is not None:
        raise RuntimeError(f"the session ended early: {session.end}")
    return tuple(asked.rcpt.code for asked in session.transactions if asked.rcpt is not None)


def hold_smtplib(port: int) -> Codes:
    """Run the standard library's client; blocks."""
    codes = []
    client = smtplib.SMTP(HOST, port, local_hostname=_OPTIONS.helo_name, timeout=_TIMEOUT)
    client.ehlo()
    if client.has_extn("starttls"):
        client.starttls(context=_context())
        client.ehlo()
    for wanted in _TRANSACTIONS:
        client.mail(wanted.sender)
        codes.append(client.rcpt(wanted.recipient)[0])
        client.rset()
    client.quit()
    return tuple(codes)


async def hold_aiosmtplib(port: int) -> Codes:
    """Run aiosmtplib, on asyncio."""
    codes = []
    client = aiosmtplib.SMTP(
        hostname=HOST,
        port=port,
        local_hostname=_OPTIONS.helo_name,
        timeout=_TIMEOUT,
        start_tls=False,
        tls_context=_context(),
    )
    await client.connect()
    await client.ehlo()
    if client.supports_extension("starttls"):
        await client.starttls()
        await client.ehlo()
    for wanted in _TRANSACTIONS:
        await client.mail(wanted.sender)
        try:
            codes.append((await client.rcpt(wanted.recipient)).code)
        except aiosmtplib.SMTPRecipientRefused as refusal:
            codes.append(refusal.code)
        await client.rset()
    await client.quit()
    return tuple(codes)


async def hold_smtpproto(port: int) -> Codes:
    """Run smtpproto, which starts TLS and quits by itself."""
    codes = []
    client = AsyncSMTPClient(HOST, port, domain=_OPTIONS.helo_name, ssl_context=_context(), timeout=_TIMEOUT)
    async with client.connect() as session:
        protocol = session.protocol
        for wanted in _TRANSACTIONS:
            await session.send_command(protocol.mail, wanted.sender, smtputf8=False)
            try:
                codes.append((await session.send_command(protocol.recipient, wanted.recipient)).code)
            except SMTPException as refusal:
                codes.append(int(str(refusal)[:3]))
            await session.send_command(protocol.reset)
    return tuple(codes)


def _context() -> ssl.SSLContext:
    return client_context()
