"""What one session costs a client: processor time at 100 at once, and memory while it waits under TLS.

Each client does the same dialogue against `town`, in a process of its own that is measured from within; all
of them in turns, and the medians are compared. Ours is the script and the driver that a check runs, with all
that is written down for the report; the others only talk.

Run as `python -m benchmarks.sessions CLIENT PORT HOW SESSIONS` it is one such process, and prints how many
milliseconds, or kB, each session took.
"""

import resource
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from statistics import median

import anyio

from .figures import Requirement, in_turns, table
from .town import HELD, PLAIN

__all__ = ["run"]

_HOST = "127.77.0.1"
_AT_ONCE = 100
_SESSIONS = {"plain": 1200, "tls": 500, "held": 300}
_ROUNDS = 3
_CLIENTS = ("asyncio", "trio", "aiosmtplib", "smtpproto", "smtplib")
_LIMITS = {
    ("plain", "asyncio"): 0.85,
    ("plain", "trio"): 0.55,
    ("tls", "asyncio"): 0.85,
    ("tls", "trio"): 0.75,
}
_ASKED = (
    ("", "postmaster@d.town.test"),
    ("postmaster@probe.test", "postmaster@d.town.test"),
    ("postmaster@probe.test", "postmaster@other.town.test"),  # refused, as ours is, smtpproto would end here
)


def run() -> Iterator[Requirement]:
    """Measure, print the table, and give what is required."""
    command = [sys.executable, "-m", "benchmarks.town"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as town:
        try:
            assert town.stdout is not None
            port = town.stdout.readline().split()[1]
            measures = {
                (how, client): partial(_measured, client, port, how)
                for how in ("plain", "tls")
                for client in _CLIENTS
            }
            taken = in_turns(_ROUNDS, measures, median)
            held = _measured("asyncio", port, "held")
        finally:
            town.terminate()
    base = {how: taken[how, "aiosmtplib"] for how in ("plain", "tls")}
    rows = [
        [client, *(f"{taken[how, client]:.2f} ({taken[how, client] / base[how]:.2f})" for how in base)]
        for client in _CLIENTS
    ]
    print(table(["ms a session (times aiosmtplib's)", "plain", "TLS 1.3"], rows))
    for (how, client), most in _LIMITS.items():
        ratio = taken[how, client] / base[how]
        what = f"{how}, {client}: at most {most} x aiosmtplib's processor time"
        yield Requirement(what, f"{ratio:.2f} x", ratio <= most)
    yield Requirement("memory of a TLS session in flight, at most 75 kB", f"{held:.0f} kB", held <= 75)


def _measured(client: str, port: str, how: str) -> float:
    command = [sys.executable, "-m", "benchmarks.sessions", client, port, how, str(_SESSIONS[how])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


# in the process that is measured


_shared = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_shared.check_hostname, _shared.verify_mode = False, ssl.CERT_NONE


async def _ours(port: int, tls: bool, helo: str) -> None:
    from backends.anyio_driver import run_anyio
    from probes.endpoint import transactions_for
    from probes.options import Options
    from probes.session import Plan, hold_session

    options = Options(domain="d.town.test", helo_name=helo)
    plan = Plan(
        purpose="main",
        address=_HOST,
        port=port,
        server_name="mx.town.test",
        helo_name=helo,
        timeout=60,
        budget=300,
        transactions=transactions_for(options),
        starttls=tls,
    )
    session = await run_anyio(hold_session(plan))
    if session.end is not None or (session.tls is not None) != tls:
        raise RuntimeError(f"{session.end}")


async def _aiosmtplib(port: int, tls: bool, helo: str) -> None:
    import aiosmtplib

    client = aiosmtplib.SMTP(hostname=_HOST, port=port, local_hostname=helo, timeout=60, start_tls=False)
    await client.connect()
    await client.ehlo()
    if tls:
        await client.starttls(tls_context=_shared)
        await client.ehlo()
    for sender, recipient in _ASKED:
        await client.mail(sender)
        with suppress(aiosmtplib.SMTPResponseException):
            await client.rcpt(recipient)
        await client.rset()
    await client.quit()


async def _smtpproto(port: int, _: bool, helo: str) -> None:
    from smtpproto.client import AsyncSMTPClient
    from smtpproto.protocol import SMTPException

    # it begins TLS wherever that is offered
    client = AsyncSMTPClient(_HOST, port, domain=helo, ssl_context=_shared, max_concurrent_connections=1000)
    async with client.connect() as session:
        for sender, recipient in _ASKED:
            await session.send_command(session.protocol.mail, sender, smtputf8=False)
            with suppress(SMTPException):
                await session.send_command(session.protocol.recipient, recipient)
            await session.send_command(session.protocol.reset)


def _smtplib(port: int, tls: bool, helo: str) -> None:
    import smtplib

    client = smtplib.SMTP(_HOST, port, local_hostname=helo, timeout=60)
    client.ehlo()
    if tls:
        client.starttls(context=_shared)
        client.ehlo()
    for sender, recipient in _ASKED:
        client.mail(sender)
        client.rcpt(recipient)
        client.rset()
    client.quit()


_Talk = Callable[[int, bool, str], Awaitable[None]]


async def _all(talk: _Talk, port: int, tls: bool, helo: str, sessions: int, at_once: int) -> None:
    limit = anyio.CapacityLimiter(at_once)

    async def one() -> None:
        async with limit:
            await talk(port, tls, helo)

    async with anyio.create_task_group() as group:
        for _ in range(sessions):
            group.start_soon(one)


def _main(client: str, port: int, how: str, sessions: int) -> None:
    tls, helo = how != "plain", {"plain": PLAIN, "tls": "probe.test", "held": HELD}[how]
    at_once = sessions if how == "held" else _AT_ONCE
    talks: dict[str, _Talk] = {
        "asyncio": _ours,
        "trio": _ours,
        "aiosmtplib": _aiosmtplib,
        "smtpproto": _smtpproto,
    }

    def talk(number: int) -> None:
        if client == "smtplib":
            with ThreadPoolExecutor(at_once) as threads:
                list(threads.map(lambda _: _smtplib(port, tls, helo), range(number)))
        else:
            loop = "trio" if client == "trio" else "asyncio"
            anyio.run(_all, talks[client], port, tls, helo, number, at_once, backend=loop)

    talk(5)  # imports, first times
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    talk(sessions)
    spent = time.process_time() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(grown / sessions if how == "held" else 1000 * spent / sessions)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
