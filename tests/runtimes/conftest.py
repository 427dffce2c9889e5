"""A case in memory and in a folder, a clock, and DNS questions on each event loop."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.recording.case import (
    Case,
    write_case,
)
from checker_smtp.probes.ports import DnsAnswer
from checker_smtp.testing import FakeClock
from smtp_sansio import (
    Connect,
    Failed,
    FailureKind,
    Transcript,
)
from tests.runtimes.cases import ANSWERS, EXPECTED, HEADER, session
from tests.runtimes.dns_servers import GENEROUS, Servers
from tests.runtimes.shared_dns import Run


@pytest.fixture
def case() -> Case:
    refused = Transcript()
    refused.note(Connect("192.0.2.8", 25, 0), Failed(0.001, FailureKind.REFUSED, "Connection refused"))
    sessions = (session("192.0.2.7", b"220 caf\xe9\r\n"), refused, session("2001:db8::7", b"\x00\x1b"))
    return Case.from_header(HEADER, ANSWERS, sessions, EXPECTED)


@pytest.fixture
def folder(case: Case, tmp_path: Path) -> Path:
    write_case(tmp_path / "case", case)
    return tmp_path / "case"


@pytest.fixture
def ask(loop: str) -> Iterator[Callable[..., DnsAnswer]]:
    """Ask `servers` (the first one's address is 192.0.2.1) for a name and type."""
    used: list[Servers] = []

    def run(
        servers: Servers, name: str = "mx.test", rdtype: str = "MX", *, timeout: float = GENEROUS
    ) -> DnsAnswer:
        used.append(servers)
        resolver = DnsResolver("192.0.2.1", 5353, timeout, udp=servers.connect_udp, tcp=servers.connect_tcp)
        return anyio.run(resolver.resolve, name, rdtype, backend=loop)

    yield run
    for servers in used:
        servers.join()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000.0)


@pytest.fixture
def run(loop: str) -> Run:
    """Run a function, for five seconds at most: a task that is forgotten would wait for ever."""

    def within(main: Callable[[], Awaitable[Any]]) -> Any:
        async def limited() -> Any:
            with anyio.fail_after(5):
                return await main()

        return anyio.run(limited, backend=loop)

    return within
