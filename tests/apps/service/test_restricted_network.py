"""The address is tested before the socket and at the peer; a refusal reveals nothing about it."""

import re
import socket
from collections.abc import Iterator

import anyio
import pytest

from checker_smtp.api import RunContext, check
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.probes.addresses import NOT_PUBLIC
from checker_smtp.service.restricted_network import RestrictedNetwork
from checker_smtp.testing import FakeNetwork, FakeResolver
from smtp_sansio import Connect, Done, Failed, FailureKind, Outcome, Receive, Received, Script
from tests.probes.world import options

PUBLIC = "8.8.8.8"


class Peer(socket.socket):
    """One end of a socket pair, that says of the other what a kernel would."""

    name: str | OSError = PUBLIC

    def getpeername(self) -> tuple[str, int]:
        if isinstance(self.name, OSError):
            raise self.name
        return self.name, 25


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the list of connected addresses; each peer sends a greeting."""
    hosts: list[str] = []
    ends: list[socket.socket] = []

    def dial(host: str, _: int, **__: None) -> socket.socket:
        hosts.append(host)
        here, there = socket.socketpair()
        ends.append(there)
        there.sendall(b"220 hello\r\n")
        ours = Peer(fileno=here.detach())
        ours.setblocking(False)
        return ours

    monkeypatch.setattr("checker_smtp.backends.network.connect_tcp", dial)
    monkeypatch.setattr(Peer, "name", PUBLIC)
    yield hosts
    for end in ends:
        end.close()


def connect(host: str) -> Script[Outcome]:
    outcome = yield Connect(host, 25, 5.0)
    if isinstance(outcome, Done):
        outcome = yield Receive(5.0)
    return outcome


def outcome_of(host: str, backend: str, allowed: tuple[str, ...] = ()) -> Outcome:
    return anyio.run(
        RestrictedNetwork(DnsResolver("192.0.2.53"), allowed=allowed).run, connect(host), backend=backend
    )


both = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@both
@pytest.mark.parametrize("host", [str(network[1 % network.num_addresses]) for network, _, _ in NOT_PUBLIC])
def test_no_socket_is_made_for_what_is_not_public(dialled: list[str], backend: str, host: str) -> None:
    refusal = Failed(0.0, FailureKind.NOT_PERMITTED, "this service does not connect to this address")
    assert (outcome_of(host, backend), dialled) == (refusal, [])


@both
@pytest.mark.parametrize(("host", "allowed"), [(PUBLIC, ()), ("10.1.2.3", ("10.0.0.0/8",))])
def test_what_may_be_dialled_is(
    dialled: list[str], monkeypatch: pytest.MonkeyPatch, backend: str, host: str, allowed: tuple[str, ...]
) -> None:
    monkeypatch.setattr(Peer, "name", host)
    heard = outcome_of(host, backend, allowed)
    assert isinstance(heard, Received)
    assert (heard.data, dialled) == (b"220 hello\r\n", [host])


@both
@pytest.mark.parametrize("peer", ["10.0.0.1", "8.8.4.4", "::ffff:8.8.8.8", "fe80::1%eth0"])
def test_another_peer_than_the_one_dialled_is_not_spoken_to(
    dialled: list[str], monkeypatch: pytest.MonkeyPatch, backend: str, peer: str
) -> None:
    monkeypatch.setattr(Peer, "name", peer)
    heard = outcome_of(PUBLIC, backend)
    assert isinstance(heard, Failed)
    assert (heard.kind, heard.detail) == (
        FailureKind.NOT_PERMITTED,
        "this service does not connect to this address",
    )


@both
def test_the_same_address_written_otherwise(
    dialled: list[str], monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(Peer, "name", "2606:4700::1")
    assert isinstance(outcome_of("2606:4700:0:0:0:0:0:1", backend), Received)


@both
def test_a_closed_connection_is_reported_by_the_next_step(
    dialled: list[str], monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(Peer, "name", OSError(107, "Transport endpoint is not connected"))
    assert isinstance(outcome_of(PUBLIC, backend), Received)


def report_of(address: str) -> str:
    """Return everything that a client sees of a domain whose mail goes to `address`."""
    record = "AAAA" if ":" in address else "A"
    world = FakeNetwork(FakeResolver(f"example.org MX 10 mx.example.org.\nmx.example.org {record} {address}"))
    context = RunContext(run_at="2026-01-01T00:00:00Z", seed=1)
    result = anyio.run(lambda: check(options("example.org", allow_targets=()), world, context=context))
    return "\n".join(f"{f.code} {f.severity} {f.message} {f.fix}" for f in result.findings)


@pytest.mark.parametrize("row", NOT_PUBLIC, ids=lambda row: str(row[0]))
def test_refusals_say_what_the_table_says_and_nothing_else(row: tuple[object, str, str]) -> None:
    """Two addresses of one range have the same messages, which do not depend on the address."""
    network = row[0]
    first, last = str(network[0]), str(network[-1])  # type: ignore[index]
    said = [
        re.sub(r"\S*" + re.escape(address) + r"\S*", "ADDRESS", report_of(address))
        for address in (first, last)
    ]
    assert "smtp.mx.not_public" in said[0]
    if str(network) not in ("::/96", "2001::/23", "240.0.0.0/4"):  # their ends are in a smaller range
        assert said[0] == said[1]
