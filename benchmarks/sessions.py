"""The cost of one session: processor time at 100 at once, and memory while it waits under TLS.

Each client has the same dialogue with `fake_internet`, in a process of its own that is measured from within;
all of them in turns, and the least of each is compared, since other work only ever adds. Ours is the script
and the driver that a check runs, which record everything for the report; the others only exchange lines.

Run as `python -m benchmarks.sessions CLIENT PORT MODE SESSIONS` it is one such process, and prints how many
milliseconds, or kB, each session took.
"""

import gc
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeAlias

import anyio

from .fake_internet import HELD, PLAIN
from .figures import Requirement, in_turns, peak_memory, table
from .scans import fake_internet

__all__ = ["run"]

_HOST = "127.77.0.1"
_AT_ONCE = 100
_SESSIONS = {"plain": 1200, "tls": 500, "held": 300}
_ROUNDS = 5
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
    with fake_internet() as here:
        measures = {
            (mode, client): partial(_measured, client, here.smtp, mode)
            for mode in ("plain", "tls")
            for client in _CLIENTS
        }
        taken = in_turns(_ROUNDS, measures, min)
        waiting = _measured("asyncio", here.smtp, "held")
    base = {mode: taken[mode, "aiosmtplib"] for mode in ("plain", "tls")}
    rows = [
        [client, *(f"{taken[mode, client]:.2f} ({taken[mode, client] / base[mode]:.2f})" for mode in base)]
        for client in _CLIENTS
    ]
    print(table(["ms a session (times aiosmtplib's)", "plain", "TLS 1.3"], rows))
    for (mode, client), most in _LIMITS.items():
        ratio = taken[mode, client] / base[mode]
        what = f"{mode}, {client}: at most {most} x aiosmtplib's processor time"
        yield Requirement(what, f"{ratio:.2f} x", ratio <= most)
    yield Requirement("memory of a TLS session in flight, at most 75 kB", f"{waiting:.0f} kB", waiting <= 75)


def _measured(client: str, port: int, mode: str) -> float:
    command = [sys.executable, "-m", "benchmarks.sessions", client, str(port), mode, str(_SESSIONS[mode])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


# in the process that is measured


# How many, and how many at once, before the clock starts: whatever is done once has been done.
_FIRST = 20, 5

_Talk: TypeAlias = Callable[[], Awaitable[None]]


class _Cost(NamedTuple):
    """The resources that the process has used; existing garbage is collected first."""

    seconds: float
    kilobytes: int

    @classmethod
    def until_now(cls) -> "_Cost":
        gc.collect()
        gc.freeze()
        return cls(time.process_time(), peak_memory())

    def since(self, begun: "_Cost") -> "_Cost":
        return _Cost(self.seconds - begun.seconds, self.kilobytes - begun.kilobytes)


def _ours(port: int, tls: bool, helo: str) -> _Talk:
    from checker_smtp.backends.transport.anyio_driver import run_anyio
    from checker_smtp.probes.endpoint import transactions_for
    from checker_smtp.probes.endpoint.session import SessionSpec, run_shared_session
    from checker_smtp.probes.options import Options

    plan = SessionSpec(
        purpose="main",
        address=_HOST,
        port=port,
        server_name="mx.town.test",
        helo_name=helo,
        timeout=60,
        budget=300,
        transactions=transactions_for(Options(domain="d.town.test", helo_name=helo)),
        starttls=tls,
    )

    async def talk() -> None:
        session = (await run_anyio(run_shared_session(plan))).common
        if session.end is not None or (session.tls is not None) != tls:
            raise RuntimeError(f"{session.end}")

    return talk


def _aiosmtplib(port: int, tls: bool, helo: str) -> _Talk:
    import aiosmtplib

    context = _context()

    async def talk() -> None:
        client = aiosmtplib.SMTP(
            hostname=_HOST, port=port, local_hostname=helo, timeout=60, start_tls=False, tls_context=context
        )
        await client.connect()
        await client.ehlo()
        if tls:
            await client.starttls()
            await client.ehlo()
        for sender, recipient in _ASKED:
            await client.mail(sender)
            with suppress(aiosmtplib.SMTPResponseException):
                await client.rcpt(recipient)
            await client.rset()
        await client.quit()

    return talk


def _smtpproto(port: int, _: bool, helo: str) -> _Talk:
    from smtpproto.client import AsyncSMTPClient
    from smtpproto.protocol import SMTPException

    context = _context()

    async def talk() -> None:
        # it begins TLS wherever that is offered
        client = AsyncSMTPClient(
            _HOST, port, domain=helo, ssl_context=context, max_concurrent_connections=1000
        )
        async with client.connect() as session:
            for sender, recipient in _ASKED:
                await session.send_command(session.protocol.mail, sender, smtputf8=False)
                with suppress(SMTPException):
                    await session.send_command(session.protocol.recipient, recipient)
                await session.send_command(session.protocol.reset)

    return talk


def _smtplib(port: int, tls: bool, helo: str) -> Callable[[], None]:
    context = _context()

    def talk() -> None:
        client = smtplib.SMTP(_HOST, port, local_hostname=helo, timeout=60)
        client.ehlo()
        if tls:
            client.starttls(context=context)
            client.ehlo()
        for sender, recipient in _ASKED:
            client.mail(sender)
            client.rcpt(recipient)
            client.rset()
        client.quit()

    return talk


def _context() -> ssl.SSLContext:
    """Return one context for all sessions: creating one costs more than a session."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _in_tasks(talk: _Talk, sessions: int, at_once: int) -> _Cost:
    async def worker(left: Iterator[int]) -> None:
        for _ in left:
            await talk()

    async def batch(number: int, workers: int) -> None:
        left = iter(range(number))
        async with anyio.create_task_group() as group:
            for _ in range(workers):
                group.start_soon(worker, left)

    await batch(*_FIRST)
    begun = _Cost.until_now()
    await batch(sessions, at_once)
    return _Cost.until_now().since(begun)


def _in_threads(talk: Callable[[], None], sessions: int, at_once: int) -> _Cost:
    def batch(number: int, workers: int) -> None:
        with ThreadPoolExecutor(workers) as threads:
            for done in [threads.submit(talk) for _ in range(number)]:
                done.result()

    batch(*_FIRST)
    begun = _Cost.until_now()
    batch(sessions, at_once)
    return _Cost.until_now().since(begun)


def _main(client: str, port: int, mode: str, sessions: int) -> None:
    helo = {"plain": PLAIN, "tls": "probe.test", "held": HELD}[mode]
    at_once = sessions if mode == "held" else _AT_ONCE
    talks = {"asyncio": _ours, "trio": _ours, "aiosmtplib": _aiosmtplib, "smtpproto": _smtpproto}
    if client == "smtplib":
        cost = _in_threads(_smtplib(port, mode != "plain", helo), sessions, at_once)
    else:
        talk = talks[client](port, mode != "plain", helo)
        loop = "trio" if client == "trio" else "asyncio"
        cost = anyio.run(_in_tasks, talk, sessions, at_once, backend=loop)
    print((cost.kilobytes if mode == "held" else 1000 * cost.seconds) / sessions)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
