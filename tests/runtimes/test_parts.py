"""The parts under the drivers: opening sockets, names for failures, the TLS context."""

import errno
import os
import socket
import ssl
import warnings
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest

from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.network import Network
from checker_smtp.backends.transport import transport
from checker_smtp.backends.transport.os_errors import MAX_DETAIL, classify
from checker_smtp.backends.transport.tls import client_context
from smtp_sansio import FailureKind


class FakeSockets:
    """Stands for the class of sockets and keeps what is done to each; `connect` raises `error`."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.made: list[list[tuple[Any, ...]]] = []

    def __call__(self, family: int, kind: int) -> Mock:
        done: list[tuple[Any, ...]] = [(family, kind)]
        self.made.append(done)
        sock = Mock()
        for name in ("setblocking", "setsockopt", "bind", "connect", "close"):
            getattr(sock, name).side_effect = partial(self._do, done, name)
        return sock

    def _do(self, done: list[tuple[Any, ...]], name: str, *given: object) -> None:
        done.append((name, *given))
        if name == "connect" and self.error is not None:
            raise self.error


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSockets:
    sockets = FakeSockets()
    monkeypatch.setattr("checker_smtp.backends.transport.transport.socket.socket", sockets)
    return sockets


NODELAY = ("setsockopt", socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@pytest.mark.parametrize("error", [None, BlockingIOError(errno.EINPROGRESS, "in progress")])
@pytest.mark.parametrize(
    ("host", "family"), [("192.0.2.7", socket.AF_INET), ("2001:db8::7", socket.AF_INET6)]
)
def test_dialling(fake: FakeSockets, host: str, family: int, error: OSError | None) -> None:
    fake.error = error
    transport.connect_tcp(host, 25)
    transport.connect_udp(host, 53)
    tcp, udp = fake.made
    unblocked = ("setblocking", False)
    assert tcp == [(family, socket.SOCK_STREAM), unblocked, NODELAY, ("connect", (host, 25))]
    assert udp == [(family, socket.SOCK_DGRAM), unblocked, ("connect", (host, 53))]


def test_a_socket_that_cannot_connect_is_closed(fake: FakeSockets) -> None:
    fake.error = OSError(errno.ENETUNREACH, "no route")
    with pytest.raises(OSError, match="no route"):
        transport.connect_tcp("192.0.2.7", 25)
    assert fake.made[0][-1] == ("close",)


@pytest.mark.parametrize("host", ["mx.test", "localhost", "", "127.1", "[::1]"])
def test_names_are_never_looked_up(fake: FakeSockets, host: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        transport.connect_tcp(host, 25)
    assert not fake.made


INDEX, INTERFACE = socket.if_nameindex()[0]


@pytest.mark.parametrize("interface", [INTERFACE, str(INDEX)])
def test_a_link_local_address_keeps_its_interface(fake: FakeSockets, interface: str) -> None:
    transport.connect_udp(f"fe80::53%{interface}", 53)
    assert fake.made[0][-1] == ("connect", ("fe80::53", 53, 0, INDEX))


@pytest.mark.parametrize("interface", ["nowhere0", "999999999", "9" * 30, "\0"])
def test_an_interface_that_does_not_exist(fake: FakeSockets, interface: str) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.ENODEV)) as raised:
        transport.connect_udp(f"fe80::53%{interface}", 53)
    assert raised.value.errno == errno.ENODEV
    assert fake.made[0][-1] == ("close",)


@pytest.mark.parametrize(("host", "source"), [("192.0.2.7", "192.0.2.1"), ("2001:db8::7", "2001:db8::1")])
def test_a_source_address(fake: FakeSockets, host: str, source: str) -> None:
    transport.connect_tcp(host, 25, source_address=source)
    assert fake.made[0][-2:] == [("bind", (source, 0)), ("connect", (host, 25))]


@pytest.mark.parametrize(("host", "source"), [("192.0.2.7", "2001:db8::1"), ("2001:db8::7", "192.0.2.1")])
def test_a_source_address_of_the_other_family_is_ours(fake: FakeSockets, host: str, source: str) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EAFNOSUPPORT)) as raised:
        transport.connect_tcp(host, 25, source_address=source)
    assert classify(raised.value)[0] is FailureKind.NETWORK_UNREACHABLE
    assert not fake.made


def test_a_network_connects_from_its_source_address(fake: FakeSockets) -> None:
    network = Network(DnsResolver("192.0.2.53"), source_address="192.0.2.1")
    network.dial("192.0.2.7", 25)
    assert ("bind", ("192.0.2.1", 0)) in fake.made[0]
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        Network(DnsResolver("192.0.2.53"), source_address="mx.test")


def ssl_error(reason: str | None, text: str = "") -> ssl.SSLError:
    error = ssl.SSLError(1, text)
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("error", "kind", "detail"),
    [
        (OSError(errno.EPIPE, "x"), FailureKind.CLOSED, os.strerror(errno.EPIPE)),
        (OSError(errno.ECONNABORTED, "x"), FailureKind.CLOSED, os.strerror(errno.ECONNABORTED)),
        (OSError(errno.ENOTCONN, "x"), FailureKind.CLOSED, os.strerror(errno.ENOTCONN)),
        (TimeoutError(), FailureKind.TIMEOUT, "TimeoutError"),
        (ConnectionResetError(), FailureKind.CLOSED, "the peer closed the connection"),
        (OSError("no number"), FailureKind.OTHER, "OSError"),
        (ssl.SSLEOFError(8, "EOF"), FailureKind.CLOSED, "the peer closed the connection"),
        (ssl.SSLZeroReturnError(6, "zero"), FailureKind.CLOSED, "the peer closed the connection"),
        (ssl_error("WRONG_VERSION_NUMBER"), FailureKind.TLS, "wrong version number"),
        (ssl_error("TLSV1_UNRECOGNIZED_NAME"), FailureKind.TLS, "tlsv1 unrecognized name"),
        (ssl_error(None, "Cannot do it (_ssl.c:1006)"), FailureKind.TLS, "cannot do it"),
        (ssl_error("X" * 500), FailureKind.TLS, "x" * MAX_DETAIL),
    ],
)
def test_failures(error: OSError, kind: FailureKind, detail: str) -> None:
    assert classify(error) == (kind, detail)


def test_the_context_meets_everything_and_is_built_once() -> None:
    client_context.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        context = client_context()
    assert context is client_context()
    assert context.minimum_version is ssl.TLSVersion.MINIMUM_SUPPORTED
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname
    assert context.options & 0x4
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert "AES128-SHA" in names
    # without a certificate: met, and never preferred
    anonymous = [name for name in names if name.startswith(("ADH", "AECDH"))]
    assert anonymous
    assert names[-len(anonymous) :] == anonymous
