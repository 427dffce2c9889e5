"""The service starts or says why not, answers the health check, and ends in order; over real sockets."""

import contextlib
import http.client
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Tool
from tests.e2e.lab import Lab
from tests.e2e.lab.table import domain
from tests.e2e.served import COLLECT_HEAD, IN_THE_LAB, Served, served, until


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def lab_service(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Served]:
    with served(*IN_THE_LAB, "--backend", request.param) as here:
        yield here
        assert "Traceback" not in here.log


def test_a_client_that_hangs_up_cancels_its_check(lab_service: Served, silence: socket.socket) -> None:
    body = f'{{"key": "smtp", "options": {{"domain": "{domain("silent")}", "timeout": 25}}}}'.encode()
    with socket.create_connection(("127.0.0.1", lab_service.port), 10) as sock:
        sock.sendall(COLLECT_HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
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
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET")
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
        # no new connection is accepted, and each open request is answered, one way or another
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


def test_a_second_signal_ends_it_at_once(lab: Lab, silence: socket.socket) -> None:
    with served(*IN_THE_LAB) as here:
        asking = threading.Thread(target=collect_quietly, args=(here, domain("silent")))
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


def collect_quietly(here: Served, name: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        here.collect(name, timeout=25)


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("option", ["--listen", "--metrics-listen"])
def test_an_address_in_use(tool: Tool, option: str) -> None:
    with served() as here:
        run = tool("serve", "--listen", "127.0.0.1:0", option, f"127.0.0.1:{here.port}")
    assert run.code == 3
    assert run.err.splitlines()[-1].startswith(
        f"checker-smtp: the service cannot listen on 127.0.0.1:{here.port}: Address already in use. "
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


def test_healthcheck_of_a_service_that_never_answers(tool: Tool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        run = tool("healthcheck", f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert run.code == 1
    assert len(run.err.splitlines()) == 1
    assert time.monotonic() - began < 10
