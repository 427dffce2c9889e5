"""examples/socks.py, against a proxy and a mail server at the other end of a socket pair."""

import socket
import threading
from functools import partial

import anyio
import pytest

from checker_smtp import DnsResolver
from checker_smtp.backends.transport.anyio_driver import run_anyio
from examples.socks import SocksNetwork, through_socks
from smtp_sansio import Connect, Failed, FailureKind, Outcome, Receive, Received, Script

CONNECTED = bytes.fromhex("05 00 00 01 00000000 0000")


def greeting(host: str) -> Script[Outcome]:
    outcome = yield Connect(host, 25, 20)
    return outcome if isinstance(outcome, Failed) else (yield Receive(20))


class Proxy:
    """Reads each request, and answers with the next of `answers`."""

    def __init__(self, *answers: bytes) -> None:
        self.dialled: list[tuple[str, int]] = []
        self.requests: list[bytes] = []
        self._answers = answers

    def dial(self, host: str, port: int) -> socket.socket:
        self.dialled.append((host, port))
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        threading.Thread(target=self._serve, args=(ours,), daemon=True).start()
        return theirs

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            for answer in self._answers:
                self.requests.append(sock.recv(100))
                sock.sendall(answer)


def outcome_of(proxy: Proxy, host: str, backend: str) -> Outcome:
    script = through_socks(greeting(host), "192.0.2.1", 1080)
    return anyio.run(partial(run_anyio, dial=proxy.dial), script, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("host", "request_sent", "answer"),
    [
        ("192.0.2.7", "05 01 00 01 c0000207 0019", CONNECTED),
        ("2001:db8::7", f"05 01 00 04 20010db8{'0' * 22}07 0019", bytes.fromhex("050000 04" + "0" * 36)),
    ],
)
def test_the_session_goes_through_the_proxy(
    host: str, request_sent: str, answer: bytes, backend: str
) -> None:
    proxy = Proxy(b"\x05\x00", answer + b"220 mx.test\r\n")
    outcome = outcome_of(proxy, host, backend)
    assert isinstance(outcome, Received)
    assert outcome.data == b"220 mx.test\r\n"
    assert proxy.dialled == [("192.0.2.1", 1080)]
    assert proxy.requests == [b"\x05\x01\x00", bytes.fromhex(request_sent)]


@pytest.mark.parametrize(
    ("answers", "kind", "detail"),
    [
        ([b"\x05\x00", b"\x05\x05\x00\x01"], FailureKind.REFUSED, "SOCKS reply 5"),
        ([b"\x05\x00", b"\x05\x04\x00\x01"], FailureKind.HOST_UNREACHABLE, "SOCKS reply 4"),
        ([b"\x05\x00", b"\x05\x01\x00\x01"], FailureKind.OTHER, "SOCKS reply 1"),
        ([b"\x05\xff"], FailureKind.NOT_PERMITTED, "the proxy demands a login"),
        ([b"\x05"], FailureKind.CLOSED, "by the proxy"),
    ],
)
def test_a_connection_that_the_proxy_does_not_make_fails(
    answers: list[bytes], kind: FailureKind, detail: str
) -> None:
    outcome = outcome_of(Proxy(*answers), "192.0.2.7", "asyncio")
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.detail) == (kind, detail)


def test_a_network_uses_its_proxy() -> None:
    class ThroughOurs(SocksNetwork):
        proxy = ("192.0.2.9", 9050)

    proxy = Proxy(b"\x05\x00", CONNECTED + b"220 mx.test\r\n")
    network = ThroughOurs(DnsResolver("192.0.2.53"), dial=proxy.dial)
    outcome = anyio.run(network.run, greeting("192.0.2.7"))
    assert isinstance(outcome, Received)
    assert proxy.dialled == [("192.0.2.9", 9050)]
