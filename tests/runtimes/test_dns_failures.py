"""One DNS server that is silent, unreachable or answers something else, on both event loops."""

import errno
import os
import socket
from collections.abc import Callable

import anyio
import dns.flags
import dns.message
import dns.rcode
import pytest

from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from tests.runtimes.dns_servers import (
    GENEROUS,
    MX,
    Serve,
    gone,
    only,
    reply,
    silent,
)


def test_silence_is_asked_twice_under_different_ids(ask: Callable[..., DnsAnswer]) -> None:
    servers = only(silent)
    answer = ask(servers, timeout=0.4)
    assert (answer.status, answer.detail) == (DnsStatus.TIMEOUT, "no answer from 192.0.2.1:5353")
    first, second = (query for *_, query in servers.asked)
    assert first.id != second.id


def test_a_lost_datagram_is_no_failure(ask: Callable[..., DnsAnswer]) -> None:
    answers = iter([silent, reply(MX)])
    assert ask(only(lambda query: next(answers)(query)), timeout=2).status is DnsStatus.ANSWER


def test_nobody_listens(ask: Callable[..., DnsAnswer]) -> None:
    servers = only(gone)
    answer = ask(servers)
    assert (answer.status, answer.detail) == (
        DnsStatus.UNUSABLE,
        "192.0.2.1:5353 was not reached: Connection reset by peer",
    )
    assert len(servers.asked) == 1


def test_no_way_to_the_server(loop: str) -> None:
    def dial(host: str, port: int) -> socket.socket:
        raise OSError(errno.ENETUNREACH, "whatever")

    answer = anyio.run(DnsResolver("192.0.2.1", udp=dial).resolve, "mx.test", "MX", backend=loop)
    detail = f"192.0.2.1 was not reached: {os.strerror(errno.ENETUNREACH)}"
    assert (answer.status, answer.detail) == (DnsStatus.UNUSABLE, detail)


def strangers(query: dns.message.Message) -> list[bytes]:
    """Answers to other questions, then the right one."""
    wrong_id = dns.message.make_response(query)
    wrong_id.id = query.id ^ 1
    other = dns.message.make_response(dns.message.make_query("other.test", "MX", id=query.id))
    no_answer = query.to_wire()
    return [b"", b"x", wrong_id.to_wire(), other.to_wire(), no_answer, *reply(MX)(query)]


def test_answers_to_other_questions_are_not_heard(ask: Callable[..., DnsAnswer]) -> None:
    assert ask(only(strangers)).records == (MX,)


def test_an_answer_that_cannot_be_read(ask: Callable[..., DnsAnswer]) -> None:
    answer = ask(only(lambda query: [query.to_wire()[:2] + b"\xff\xff\xff"]))
    assert answer.status is DnsStatus.UNUSABLE
    assert answer.detail.startswith("an answer that cannot be read: ")


def only_strangers(query: dns.message.Message) -> list[bytes]:
    return strangers(query)[:-1]


def nothing_asked(query: dns.message.Message) -> list[bytes]:
    """A message of nothing but its header."""
    return [reply()(query)[0][:4] + bytes(8)]


@pytest.mark.parametrize("serve", [only_strangers, nothing_asked, lambda query: 20 * only_strangers(query)])
def test_a_server_that_answers_other_questions_only(ask: Callable[..., DnsAnswer], serve: Serve) -> None:
    answer = ask(only(serve), timeout=0.1)
    detail = "192.0.2.1:5353 sent messages that do not answer the question"
    assert (answer.status, answer.detail) == (DnsStatus.UNUSABLE, detail)


def test_strangers_are_not_listened_to_for_ever(ask: Callable[..., DnsAnswer]) -> None:
    answer = ask(only(lambda query: 20 * only_strangers(query)), timeout=GENEROUS)
    assert answer.seconds < GENEROUS / 4


def test_the_first_of_several_answers_counts(ask: Callable[..., DnsAnswer]) -> None:
    def five(query: dns.message.Message) -> list[bytes]:
        return reply(MX)(query) + 4 * reply(rcode=dns.rcode.SERVFAIL)(query)

    assert ask(only(five)).records == (MX,)


def test_cancelled(loop: str) -> None:
    servers = only(silent)
    sockets: list[socket.socket] = []

    def dial(host: str, port: int) -> socket.socket:
        sockets.append(servers.connect_udp(host, port))
        return sockets[-1]

    async def main() -> None:
        with anyio.move_on_after(0.05):
            await DnsResolver("192.0.2.1", udp=dial).resolve("mx.test", "MX")
        assert [sock.fileno() for sock in sockets] == [-1]

    anyio.run(main, backend=loop)
    servers.join()
