"""Connections: their number for each client and in total, and the places of `/health` beyond them."""

import asyncio
from functools import partial

import pytest
import uvicorn
from uvicorn.server import ServerState

from checker_smtp.service.http import open_connections, timeouts
from checker_smtp.service.http.open_connections import (
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_CLIENT,
    OpenConnections,
)
from checker_smtp.service.http.timeouts import TimeoutProtocol
from tests.apps.service.middleware_app import echo, wrapped

pytestmark = pytest.mark.anyio


class Wire(asyncio.Transport):
    """The service's end of a connection from this address, without a socket."""

    def __init__(self, service: "Service", peer: str) -> None:
        super().__init__({"peername": (peer, 50000), "sockname": ("192.0.2.80", 8080)})
        self.written = b""
        self.closed = asyncio.Event()
        self._answered = asyncio.Event()
        self._protocol: TimeoutProtocol = service.make()
        self._protocol.connection_made(self)

    def say(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)
        if b"\r\n\r\n" in self.written:
            self._answered.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        if not self.closed.is_set():
            self.closed.set()
            self._protocol.connection_lost(None)

    abort = close

    def pause_reading(self) -> None:
        """Do nothing."""

    resume_reading = pause_reading

    async def answer(self) -> bytes:
        """Return the first line of the response."""
        await self._answered.wait()
        return self.written.partition(b"\r\n")[0]


class Service:
    """Makes the protocols of a service whose hosts are 10.0.0.0/8."""

    def __init__(self) -> None:
        config = uvicorn.Config(wrapped(app=echo), log_config=None)
        self.connections = OpenConnections(lambda client: client.startswith("10."))
        self.make = partial(
            TimeoutProtocol,
            self.connections,
            config=config,
            server_state=ServerState(),
            app_state={},
            _loop=asyncio.get_running_loop(),
        )


GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def test_a_client_holds_a_quarter_of_the_connections() -> None:
    service = Service()
    held = [Wire(service, f"2001:db8:7:{n:x}::1") for n in range(MAX_CONNECTIONS_PER_CLIENT)]
    late = Wire(service, "2001:db8:7:ffff::1")
    late.say(GET % b"/check")
    assert await late.answer() == b"HTTP/1.1 503 Service Unavailable"
    assert b"too many connections: try again soon" in late.written
    other = Wire(service, "192.0.2.1")
    other.say(GET % b"/check")
    assert await other.answer() == b"HTTP/1.1 200 OK"
    held[0].close()
    again = Wire(service, "2001:db8:7::1")
    again.say(GET % b"/check")
    assert await again.answer() == b"HTTP/1.1 200 OK"


async def test_a_host_holds_all_of_them() -> None:
    service = Service()
    for _ in range(MAX_CONNECTIONS):
        wire = Wire(service, "10.0.0.1")
    wire.say(b"GET /check HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert await wire.answer() == b"HTTP/1.1 200 OK"
    late = Wire(service, "10.0.0.1")
    late.say(GET % b"/check")
    assert await late.answer() == b"HTTP/1.1 503 Service Unavailable"


async def test_health_has_places_of_its_own_while_half_sent_requests_hang() -> None:
    service = Service()
    for _ in range(2 * MAX_CONNECTIONS):
        Wire(service, "10.0.0.1").say(b"POST /check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n")
    for peer in ("10.0.0.1", "192.0.2.1"):
        wire = Wire(service, peer)
        wire.say(GET % b"/health")
        assert await wire.answer() == b"HTTP/1.1 200 OK"


async def test_the_oldest_spare_connection_gives_way() -> None:
    service = Service()
    for _ in range(MAX_CONNECTIONS):
        Wire(service, "10.0.0.1")
    spare = [Wire(service, "192.0.2.1") for _ in range(open_connections._MAX_SPARE)]
    spare[3].close()
    Wire(service, "192.0.2.1")
    assert not spare[0].closed.is_set()
    Wire(service, "192.0.2.1")
    assert await spare[0].answer() == b"HTTP/1.1 503 Service Unavailable"
    assert spare[0].closed.is_set()
    assert not spare[1].closed.is_set()


async def test_a_spare_connection_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "_SPARE_TIMEOUT", 0.0)
    service = Service()
    for _ in range(MAX_CONNECTIONS):
        Wire(service, "10.0.0.1")
    late = Wire(service, "192.0.2.1")
    await late.closed.wait()
    assert late.written.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5" in late.written


async def test_nothing_is_remembered_of_connections_that_ended() -> None:
    service = Service()
    wires = [Wire(service, f"192.0.2.{n % 250}") for n in range(MAX_CONNECTIONS + 9)]
    for wire in wires:
        wire.close()
    assert not service.connections._clients
    assert not service.connections._spare
