"""The shared resolver over real sockets: servers on loopback that answer, are gone, say nothing, or lie."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import anyio
import pytest

from checker_smtp.backends.dns.cache import SharedResolver
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.probes.ports import DnsAnswer, DnsStatus

HOST = "127.0.0.1"


class SpoofedServer(threading.Thread):
    """Says of every name that it has the same address; `asked` has the names, the IDs and the ports."""

    def __init__(self, liar: socket.socket) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.port: int = self.socket.getsockname()[1]
        self.asked: list[tuple[bytes, bytes, int]] = []
        self._liar = liar

    def run(self) -> None:
        with suppress(OSError):
            while (received := self.socket.recvfrom(2048))[0]:
                query, client = received
                self.asked.append((query[12:-15], query[:2], client[1]))
                self._liar.sendto(said(query, "198.51.100.66"), client)
                self.socket.sendto(said(query, "192.0.2.7"), client)


def said(query: bytes, address: str) -> bytes:
    """The answer to a question that ends in 15 octets of type, class and EDNS."""
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address)
    return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\1" + query[12:-11] + record + query[-11:]


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        yield silent.getsockname()[1]


@pytest.fixture
def liar() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
        liar.bind((HOST, 0))
        yield liar


@pytest.fixture
def server(liar: socket.socket) -> Iterator[SpoofedServer]:
    server = SpoofedServer(liar)
    server.start()
    yield server
    with suppress(OSError):
        server.socket.shutdown(socket.SHUT_RDWR)
    server.join(5)
    server.socket.close()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_servers_that_are_gone_silent_or_lying(server: SpoofedServer, silent_port: int, backend: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind((HOST, 0))
        gone_port: int = gone.getsockname()[1]
    ports = (server.port, gone_port, silent_port)
    resolver = SharedResolver([DnsResolver(HOST, port, 2) for port in ports], in_flight=50)
    names = [f"mx{number}.example.test" for number in range(300)]
    heard: list[DnsAnswer] = []

    async def ask(name: str) -> None:
        heard.append(await resolver.resolve(name, "A"))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for name in names * 3:
                group.start_soon(ask, name)

    anyio.run(main, backend=backend)
    assert Counter(answer.status for answer in heard) == {DnsStatus.ANSWER: 900}
    assert {answer.records[0].split()[-1] for answer in heard} == {"192.0.2.7"}
    assert len({name for name, *_ in server.asked}) == len(server.asked) == 300
    assert len({identity for _, identity, _ in server.asked}) > 290
    # a few more than fifty questions were put to the others, each with a second try
    assert 300 < resolver.queries < 600


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_askers_that_give_up(server: SpoofedServer, backend: str) -> None:
    resolver = SharedResolver([DnsResolver(HOST, server.port)], in_flight=20)
    heard: list[DnsAnswer] = []

    async def ask(name: str, patience: float) -> None:
        with anyio.move_on_after(patience):
            heard.append(await resolver.resolve(name, "A"))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(600):
                group.start_soon(partial(ask, f"mx{number // 6}.example.test", number % 3 * 0.01))
            for number in range(100):
                group.start_soon(ask, f"mx{number}.example.test", 30)

    anyio.run(main, backend=backend)
    assert {answer.name for answer in heard} == {f"mx{number}.example.test" for number in range(100)}
    assert {answer.status for answer in heard} == {DnsStatus.ANSWER}
