"""Resolvers behind a cache, and a clock that is set by hand."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel

from checker_smtp.backends.dns.cache import SharedResolver
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import FakeClock, FakeResolver
from checker_smtp.testing.zone import Lookup

Run: TypeAlias = Callable[[Callable[[], Awaitable[Any]]], Any]


def answer(
    name: str, rdtype: str, status: DnsStatus = DnsStatus.ANSWER, ttl: int = 300, text: str = "192.0.2.1"
) -> DnsAnswer:
    records = (f"{name}. {ttl} IN {rdtype} {text}",) if status is DnsStatus.ANSWER else ()
    return DnsAnswer(name=name, rdtype=rdtype, status=status, records=records, seconds=0.25)


def failing(status: DnsStatus) -> Lookup:
    return lambda name, rdtype: answer(name, rdtype, status)


def shared(*servers: FakeResolver, clock: FakeClock, **options: int) -> SharedResolver:
    return SharedResolver(servers, clock=clock, **options)


async def settle() -> None:
    """Until every task waits for something that will not come by itself."""
    await anyio.wait_all_tasks_blocked()
