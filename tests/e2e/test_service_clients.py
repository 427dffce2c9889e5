"""Clients that are slow, malformed or too many, and the rest of the service goes on; over real sockets."""

import asyncio
import contextlib
import json
import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.e2e.lab import Lab
from tests.e2e.lab.table import ADDRESS, PORT, REFUSED_ADDRESS, RESOLVER, domain
from tests.e2e.served import COLLECT_HEAD, Served, served, until

MIB = 1024 * 1024
GET = b"GET /check HTTP/1.1\r\nHost: localhost\r\n\r\n"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    """A service without a network, whose log has neither an error nor a traceback in the end."""
    with served("--resolver", "127.9.2.99:5353") as here:
        yield here
        assert here.process.poll() is None
        assert "Traceback" not in here.log
        assert "ERROR" not in here.log


async def drip(stream: Stream, data: bytes, every: float = 0.25) -> bytes:
    """Send octet by octet until the service closes the connection; return its response."""
    reader, writer = stream

    async def send() -> None:
        for octet in data:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(every)

    sending = asyncio.create_task(send())
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def header_never_ends(stream: Stream) -> bytes:
    return await drip(stream, b"GET /health HTTP/1.1\r\nX: " + b"a" * 1000)


async def second_header_never_ends(stream: Stream) -> bytes:
    stream[1].write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await stream[0].readuntil(b"loadavg")
    await stream[0].readuntil(b"}")
    return await drip(stream, b"GET /health HTTP/1.1\r\nX: " + b"a" * 1000)


async def nothing_is_ever_sent(stream: Stream) -> bytes:
    return await stream[0].read()


async def body_never_ends(stream: Stream) -> bytes:
    stream[1].write(COLLECT_HEAD + b"Content-Length: 1000\r\n\r\n")
    return await drip(stream, b"x" * 999)


async def chunks_never_end(stream: Stream) -> bytes:
    stream[1].write(COLLECT_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    return await drip(stream, b"1\r\nx\r\n" * 500)


async def unwanted_body_never_ends(stream: Stream) -> bytes:
    stream[1].write(COLLECT_HEAD + b"Content-Length: 9999999999\r\n\r\n")
    return await drip(stream, b"x" * 9999)


async def answers_are_never_read(stream: Stream) -> bytes:
    reader, writer = stream
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(GET * 50)
            await writer.drain()
            await asyncio.sleep(0)
    return b""


SLOW: list[tuple[Callable[[Stream], Awaitable[bytes]], float, bytes]] = [
    (header_never_ends, 10, b"HTTP/1.1 408 "),
    (second_header_never_ends, 10, b"HTTP/1.1 408 "),
    # no request has begun that an answer would belong to
    (nothing_is_ever_sent, 10, b""),
    (body_never_ends, 20, b"HTTP/1.1 408 "),
    (chunks_never_end, 20, b"HTTP/1.1 408 "),
    (unwanted_body_never_ends, 10, b"HTTP/1.1 413 "),
    # its buffers have to be full first
    (answers_are_never_read, 40, b""),
]


def test_no_client_is_waited_for_without_end(service: Served) -> None:
    async def one(client: Callable[[Stream], Awaitable[bytes]], limit: float) -> tuple[bytes, float]:
        stream = await asyncio.open_connection("127.0.0.1", service.port)
        if client is answers_are_never_read:
            sock = stream[1].get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        began = time.monotonic()
        try:
            async with asyncio.timeout(limit + 8):
                said = await client(stream)
        finally:
            stream[1].transport.abort()
        return said, time.monotonic() - began

    async def all_together() -> list[tuple[bytes, float] | BaseException]:
        return await asyncio.gather(*(one(row[0], row[1]) for row in SLOW), return_exceptions=True)

    for (client, _, wanted), ended in zip(SLOW, asyncio.run(all_together()), strict=True):
        assert not isinstance(ended, BaseException), (client.__name__, ended)
        assert ended[0].startswith(wanted), (client.__name__, ended)
        assert wanted or not ended[0], (client.__name__, ended)
    assert service.ask("GET", "/health").status == 200


@pytest.mark.parametrize("path", ["/collect", "/evaluate", "/report", "/definition", "/check", "/nowhere"])
def test_a_body_that_is_too_large(service: Served, path: str) -> None:
    answer = service.ask("POST", path, b" " * (MIB + 1))
    assert answer.status == 413
    most = 65536 if path in ("/check", "/nowhere") else 1048576
    assert answer.json() == {"error": f"the body of the request is too large: send at most {most} octets"}


def test_a_body_that_grows_too_large(service: Served) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 10) as sock:
        sock.sendall(COLLECT_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(17):
            sock.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_is_asked_about_first_is_never_sent(service: Served) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 10) as sock:
        sock.sendall(COLLECT_HEAD + b"Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32 + b"\r\n\r\n",
        b"EHLO me.test\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 600_000 + b"\r\n\r\n",
        b"POST /collect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST /collect HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        COLLECT_HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
        b"POST /collect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST /collect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        COLLECT_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 600_000 + b"\r\nx\r\n0\r\n\r\n",
        COLLECT_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 21 + b"\r\nx",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    ],
)
def test_octets_that_are_no_request(service: Served, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 15) as sock:
        sock.sendall(said)
        answer = sock.recv(65536)
    assert re.match(rb"HTTP/1\.1 (400|408|501) ", answer)


def test_a_wrong_method(service: Served) -> None:
    answer = service.ask("GET", "/collect")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"error": "this address accepts POST only"}
    assert service.ask("BREW", "/check").status == 405


def test_more_connections_than_can_be(service: Served) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(256):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
            sock.sendall(b"POST /check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n")
        late = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
        assert late.recv(65536).startswith(b"HTTP/1.1 503 ")
        # /health has places of its own
        assert service.ask("GET", "/health").status == 200
        assert service.ask("GET", "/check").status == 503
    until(lambda: service.ask("GET", "/health").status == 200)


def test_a_websocket_is_not_spoken(service: Served) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert service.ask("GET", "/check", headers=upgrade | {"Sec-WebSocket-Key": "x"}).status == 200


def test_figures_are_for_their_own_listener(service: Served) -> None:
    service.ask("GET", "/health")
    metrics = service.ask("GET", "/metrics", port=service.metrics_port).body.decode()
    assert re.search(
        r'^checker_smtp_http_requests_total\{method="GET",route="/health",status="200"\}',
        metrics,
        re.MULTILINE,
    )
    assert service.ask("GET", "/metrics").status == 404


def test_every_address_of_either_family() -> None:
    with served(listen=":0") as here:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as sock:
                sock.settimeout(10)
                sock.connect((host, here.port))
                sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        for host in ("127.0.0.1", "::1"):
            until(lambda line=f' {host} "GET /health" 200 ': line in here.log)  # type: ignore[misc]


def test_the_token_over_the_network() -> None:
    with served("--log-json", CHECKER_SMTP_TOKEN="a-secret") as here:
        assert here.ask("GET", "/check").status == 401
        assert here.ask("GET", "/check", headers={"Authorization": "Bearer a-secret"}).status == 200
        # printf checker:a-secret | base64
        assert (
            here.ask("GET", "/check", headers={"Authorization": "Basic Y2hlY2tlcjphLXNlY3JldA=="}).status
            == 200
        )
        assert here.ask("GET", "/health").status == 200
        assert "a-secret" not in here.log
        assert "Y2hlY2tlcjp" not in here.log


def report_of(here: Served, name: str, address: str) -> object:
    """Return all that a client learns of a domain, without its name, its address and the time."""
    text = here.collect(domain(name)).body.decode()
    text = re.sub(r'"(seconds|run_at)":("[^"]*"|[0-9.e-]+)', r'"\1":0', text)
    text = re.sub(r" [0-9]+ IN ", " TTL IN ", text)
    data = json.loads(text.replace(domain(name), "NAME").replace(address, "ADDRESS"))["data"]
    for answer in data["dns"]:
        answer.pop("seconds", None)  # left out of the JSON where it is 0.000
    data["dns"].sort(key=str)
    return data


def test_a_refusal_reveals_nothing_about_the_address(lab: Lab) -> None:
    """A server that answers, and none at all: the same words, and no connection."""
    before = lab.maillog.read_text()
    with served("--resolver", RESOLVER, "--port", str(PORT)) as here:
        answers, silent = (
            report_of(here, name, address)
            for name, address in (("healthy", ADDRESS["healthy"]), ("refused", REFUSED_ADDRESS))
        )
    assert "ADDRESS" in str(answers)
    assert answers == silent
    assert lab.maillog.read_text() == before
