"""The service among clients that mean no good, and its beginning and its end; over real sockets."""

import asyncio
import contextlib
import http.client
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.e2e.conftest import Tool
from tests.e2e.lab import Lab
from tests.e2e.lab.table import ADDRESS, PORT, REFUSED_ADDRESS, RESOLVER, domain
from tests.e2e.served import IN_THE_LAB, Served, served, until

MIB = 1024 * 1024
HEAD = b"POST /collect HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /check HTTP/1.1\r\nHost: x\r\n\r\n"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    """A service that has no network to speak of; no client brings it to say more than a line."""
    with served("--resolver", "127.9.2.99:5353") as here:
        yield here
        assert here.process.poll() is None
        assert "Traceback" not in here.log
        assert "ERROR" not in here.log


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def lab_service(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Served]:
    with served(*IN_THE_LAB, "--backend", request.param) as here:
        yield here
        assert "Traceback" not in here.log


async def drip(stream: Stream, data: bytes, every: float = 0.25) -> bytes:
    """Send octet by octet until the other side has had enough; what it said."""
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
    stream[1].write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    await stream[0].readuntil(b"loadavg")
    await stream[0].readuntil(b"}")
    return await drip(stream, b"GET /health HTTP/1.1\r\nX: " + b"a" * 1000)


async def nothing_is_ever_said(stream: Stream) -> bytes:
    return await stream[0].read()


async def body_never_ends(stream: Stream) -> bytes:
    stream[1].write(HEAD + b"Content-Length: 1000\r\n\r\n")
    return await drip(stream, b"x" * 999)


async def chunks_never_end(stream: Stream) -> bytes:
    stream[1].write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    return await drip(stream, b"1\r\nx\r\n" * 500)


async def unwanted_body_never_ends(stream: Stream) -> bytes:
    stream[1].write(HEAD + b"Content-Length: 9999999999\r\n\r\n")
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
    (nothing_is_ever_said, 10, b""),
    (body_never_ends, 20, b"HTTP/1.1 408 "),
    (chunks_never_end, 20, b"HTTP/1.1 408 "),
    (unwanted_body_never_ends, 10, b"HTTP/1.1 413 "),
    # its buffers have to be full first
    (answers_are_never_read, 40, b""),
]


def test_no_client_is_waited_for_for_ever(service: Served) -> None:
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
    assert answer.json() == {"error": "the body of the request is too large: send at most 1048576 octets"}


def test_a_body_that_grows_too_large(service: Served) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 10) as sock:
        sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(17):
            sock.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_is_asked_about_first_is_never_sent(service: Served) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 10) as sock:
        sock.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32 + b"\r\n\r\n",
        b"EHLO me.test\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 600_000 + b"\r\n\r\n",
        b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    ],
)
def test_what_is_no_request(service: Served, said: bytes) -> None:
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
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
        late = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
        assert late.recv(65536).startswith(b"HTTP/1.1 503 ")
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
                sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
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


# what a check does while its client, or the service, has no patience left


def test_a_client_that_hangs_up_cancels_its_check(lab_service: Served, silence: socket.socket) -> None:
    body = f'{{"key": "smtp", "options": {{"domain": "{domain("silent")}", "timeout": 25}}}}'.encode()
    with socket.create_connection(("127.0.0.1", lab_service.port), 10) as sock:
        sock.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        session, _ = silence.accept()
        assert lab_service.inflight() == 1
    with session:
        session.settimeout(10)
        assert session.recv(1) == b""
    until(lambda: lab_service.inflight() == 0)
    until(lambda: '"POST /collect" 499' in lab_service.log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_service_ends_at_once(number: signal.Signals) -> None:
    with served() as here:
        # idle connections do not hold it up
        with socket.create_connection(("127.0.0.1", here.port), 10) as sock:
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET")
            assert sock.recv(65536)
            began = time.monotonic()
            here.process.send_signal(number)
            assert here.wait() == 0
        assert time.monotonic() - began < 5
        assert here.log.splitlines()[-1].endswith("INFO stopped")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_check_that_runs_when_the_service_ends(lab: Lab, silence: socket.socket, backend: str) -> None:
    with served(*IN_THE_LAB, "--backend", backend) as here:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(here.collect(domain("silent"), timeout=25)))
        asking.start()
        session, _ = silence.accept()
        began = time.monotonic()
        here.process.send_signal(signal.SIGTERM)
        until(lambda: not listens(here.port))
        # nobody gets in any more; who is in is answered, one way or another
        assert here.wait() == 0
        assert time.monotonic() - began < 10
        asking.join(10)
        session.close()
        assert [answer.status for answer in answers] == [503]
        assert answers[0].headers["retry-after"]
        assert "Traceback" not in here.log


def test_a_short_check_is_finished(lab: Lab, silence: socket.socket) -> None:
    with served(*IN_THE_LAB) as here:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(here.collect(domain("silent"), timeout=2)))
        asking.start()
        session, _ = silence.accept()
        here.process.send_signal(signal.SIGTERM)
        with session:
            assert here.wait() == 0
        asking.join(10)
        assert [answer.status for answer in answers] == [200]


def test_a_second_signal_is_impatience(lab: Lab, silence: socket.socket) -> None:
    with served(*IN_THE_LAB) as here:
        asking = threading.Thread(target=quietly, args=(here, domain("silent")))
        asking.start()
        session, _ = silence.accept()
        with session:
            began = time.monotonic()
            here.process.send_signal(signal.SIGTERM)
            until(lambda: not listens(here.port))
            here.process.send_signal(signal.SIGTERM)
            assert here.wait() == 0
            assert time.monotonic() - began < 5
        asking.join(10)


def quietly(here: Served, name: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        here.collect(name, timeout=25)


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


# where it cannot begin, and how one asks whether it is there


@pytest.mark.parametrize("option", ["--listen", "--metrics-listen"])
def test_an_address_in_use(tool: Tool, service: Served, option: str) -> None:
    run = tool("serve", "--listen", "127.0.0.1:0", option, f"127.0.0.1:{service.port}")
    assert run.code == 3
    assert run.err.splitlines()[-1].startswith(
        f"checker-smtp: the service cannot listen on 127.0.0.1:{service.port}: Address already in use. "
        "Give another [HOST]:PORT, or stop the program that uses it"
    )
    assert "Traceback" not in run.err


@pytest.mark.parametrize("address", ["192.0.2.1:8080", "[2001:db8::1]:8080", "nowhere.invalid:8080"])
def test_an_address_that_is_not_here(tool: Tool, address: str) -> None:
    run = tool("serve", "--listen", address)
    assert run.code == 3
    assert run.err.startswith(f"checker-smtp: the service cannot listen on {address}: ")
    assert len(run.err.splitlines()) == 1


def test_healthcheck(tool: Tool) -> None:
    with served() as here:
        for url in (here.url, here.url + "/", here.url + "/health"):
            assert (tool("healthcheck", url).code, tool("healthcheck", url).err) == (0, "")
        run = tool("healthcheck", here.url + "/check")
        assert (run.code, run.err) == (
            1,
            f"checker-smtp: {here.url}/check does not answer like checker-smtp\n",
        )
        run = tool("healthcheck", here.url + "/nowhere")
        assert (run.code, run.err) == (1, f"checker-smtp: {here.url}/nowhere answers 404\n")
    run = tool("healthcheck", here.url)
    assert (run.code, run.err) == (
        1,
        f"checker-smtp: {here.url}/health does not answer (Connection refused)\n",
    )


def test_healthcheck_of_who_never_answers(tool: Tool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        run = tool("healthcheck", f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert run.code == 1
    assert len(run.err.splitlines()) == 1
    assert time.monotonic() - began < 10


# no connection to an address that is not allowed, and no information about it


def report_of(here: Served, name: str, address: str) -> object:
    """Everything a client gets to know of a domain, without its name, its address and the time."""
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
