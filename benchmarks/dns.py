"""One question to a resolver: the processor time it takes, beside dnspython's own asynchronous resolver.

Theory: a scan asks more than it connects, so what a question costs the client is half of what a scan costs.
`dns_far_end` answers MX, A, AAAA and PTR in turn, each name asked once, so that no cache can help, and 100
questions are under way all the time. Time is this process's; the far end has its own.

The comparison: both make a socket, a port and an ID for each question and check that the answer is one to
it. dnspython's resolver reads the answer into objects; ours gives it in presentation format, each record's
text made. The last line asks through the resolver that a scan shares, which remembers as well.
"""

import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from time import process_time
from typing import TypeAlias

import anyio
from dns.asyncbackend import get_backend
from dns.asyncresolver import Resolver

from checker_smtp.backends.dns.cache import SharedResolver
from checker_smtp.backends.dns.resolver import DnsResolver

from .dns_far_end import HOST, RECORDS
from .figures import Requirement, in_turns, table

__all__ = ["run"]

_ROUNDS = 7
_QUESTIONS = 2000
_AT_ONCE = 100
_LOOPS = ("asyncio", "trio")
_OURS, _SHARED, _DNSPYTHON = "checker-smtp", "checker-smtp, shared", "dnspython"
# How many times dnspython's processor time, at most.
_ALLOWED = 0.5

Ask: TypeAlias = Callable[[str, str], Awaitable[int]]
"""Gives the number of records in the answer."""


def run() -> list[Requirement]:
    """Print microseconds a question for each resolver and event loop; judge ours by dnspython's."""
    numbers = count()
    with _far_end() as port:
        seconds = in_turns(
            _ROUNDS,
            {
                (name, loop): partial(anyio.run, _seconds, partial(make, port, loop), numbers, backend=loop)
                for name, make in _RESOLVERS.items()
                for loop in _LOOPS
            },
        )
    print(
        f"{_QUESTIONS} questions, {_AT_ONCE} at once, median of {_ROUNDS} runs: microseconds of CPU time each"
    )
    print("(and how many times dnspython's)")
    print(
        table(
            ["resolver", *_LOOPS],
            [
                [name, *(_cell(seconds[name, loop], seconds[_DNSPYTHON, loop]) for loop in _LOOPS)]
                for name in _RESOLVERS
            ],
        )
    )
    return [_judged(seconds[_OURS, loop] / seconds[_DNSPYTHON, loop], loop) for loop in _LOOPS]


def _cell(seconds: float, dnspython: float) -> str:
    return f"{seconds / _QUESTIONS * 1e6:.0f} ({seconds / dnspython:.2f})"


def _judged(times: float, loop: str) -> Requirement:
    return Requirement(f"at most {_ALLOWED:g} × dnspython's, {loop}", f"{times:.2f} ×", times <= _ALLOWED)


async def _seconds(make: Callable[[], Ask], numbers: Iterator[int]) -> float:
    ask = make()
    rest = iter(range(_QUESTIONS))

    async def work() -> None:
        for _ in rest:
            number = next(numbers)
            rdtype = ("MX", "A", "AAAA", "PTR")[number % 4]
            if (records := await ask(f"mx{number}.example.org", rdtype)) != RECORDS[rdtype]:
                raise RuntimeError(f"{records} records where {RECORDS[rdtype]} were sent")

    began = process_time()
    async with anyio.create_task_group() as group:
        for _ in range(_AT_ONCE):
            group.start_soon(work)
    return process_time() - began


def _ours(port: int, _: str) -> Ask:
    return _records(DnsResolver(HOST, port))


def _shared(port: int, _: str) -> Ask:
    return _records(SharedResolver([DnsResolver(HOST, port)]))


def _records(resolver: DnsResolver | SharedResolver) -> Ask:
    async def ask(name: str, rdtype: str) -> int:
        return len((await resolver.resolve(name, rdtype)).records)

    return ask


def _dnspython(port: int, loop: str) -> Ask:
    resolver = Resolver(configure=False)
    resolver.nameservers = [HOST]
    resolver.port = port
    backend = get_backend(loop)

    async def ask(name: str, rdtype: str) -> int:
        return len(await resolver.resolve(name, rdtype, search=False, backend=backend))

    return ask


_RESOLVERS: dict[str, Callable[[int, str], Ask]] = {_OURS: _ours, _SHARED: _shared, _DNSPYTHON: _dnspython}


@contextmanager
def _far_end() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.dns_far_end"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()
