"""Several DNS servers, and servers without EDNS: whom a resolver asks, and what it learns of them."""

from collections.abc import Iterator

import anyio
import dns.flags
import dns.message
import dns.rcode
import pytest

from checker_smtp.backends.dns.failures import Failure, combine
from checker_smtp.backends.dns.messages import Response
from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from tests.runtimes.dns_servers import (
    GENEROUS,
    MX,
    Serve,
    Servers,
    ask_of,
    cut_short,
    gone,
    only,
    over_tcp,
    reply,
    resolver_of,
    several,
    silent,
    without_edns,
)

SERVFAIL = reply(rcode=dns.rcode.SERVFAIL)
REFUSED = reply(rcode=dns.rcode.REFUSED)
FORMERR = reply(rcode=dns.rcode.FORMERR)
NOTIMP = reply(rcode=dns.rcode.NOTIMP)
FIRST_ALONE = 0.5


def ask_often(servers: Servers, loop: str, times: int = 2, *, timeout: float = GENEROUS) -> list[DnsAnswer]:
    """Ask one resolver several times, one after the other."""
    resolver = resolver_of(servers, timeout)

    async def main() -> list[DnsAnswer]:
        return [await resolver.resolve("mx.test", "MX") for _ in range(times)]

    answers = anyio.run(main, backend=loop)
    servers.join()
    return answers


def test_a_single_server_that_fails_once_is_asked_again(loop: str) -> None:
    servers = only(in_turn(SERVFAIL, reply(MX)))
    (answer,) = ask_often(servers, loop, 1)
    assert (answer.status, answer.records) == (DnsStatus.ANSWER, (MX,))


def test_a_failure_stays_where_the_second_try_is_silent(loop: str) -> None:
    servers = only(in_turn(SERVFAIL, silent))
    (answer,) = ask_often(servers, loop, 1, timeout=0.3)
    assert (answer.status, answer.detail) == (DnsStatus.SERVFAIL, "SERVFAIL")


def in_turn(*serve: Serve) -> Serve:
    """One server that answers each question in another way."""
    turns: Iterator[Serve] = iter(serve)
    return lambda query: next(turns)(query)


@pytest.mark.parametrize(
    ("serve", "status", "detail"),
    [
        ([SERVFAIL, reply(MX)], DnsStatus.ANSWER, ""),
        ([gone, reply(rcode=dns.rcode.NXDOMAIN)], DnsStatus.NXDOMAIN, ""),
        ([silent, REFUSED, reply(MX)], DnsStatus.ANSWER, ""),
        # a server that never responded is no second opinion
        ([SERVFAIL, silent], DnsStatus.SERVFAIL, "SERVFAIL"),
        ([silent, SERVFAIL], DnsStatus.SERVFAIL, "SERVFAIL"),
        ([SERVFAIL, gone], DnsStatus.SERVFAIL, "SERVFAIL"),
        ([SERVFAIL, reply(flags=0)], DnsStatus.SERVFAIL, "SERVFAIL"),
        ([SERVFAIL, SERVFAIL], DnsStatus.SERVFAIL, "192.0.2.1: SERVFAIL; 192.0.2.2: SERVFAIL"),
        ([silent, REFUSED, SERVFAIL], DnsStatus.SERVFAIL, "192.0.2.2: REFUSED; 192.0.2.3: SERVFAIL"),
        ([silent, silent], DnsStatus.TIMEOUT, "192.0.2.1: no answer; 192.0.2.2: no answer"),
        (
            [gone, silent],
            DnsStatus.UNUSABLE,
            "192.0.2.1 was not reached: Connection reset by peer; 192.0.2.2: no answer",
        ),
    ],
)
def test_several_servers(loop: str, serve: list[Serve], status: DnsStatus, detail: str) -> None:
    servers = several(*serve)
    answer = ask_of(servers, loop, timeout=0.6)
    assert (answer.status, "; ".join(sorted(answer.detail.split("; ")))) == (status, detail)
    assert answer.seconds < 2


def test_one_that_is_silent_and_was_not_before_is_no_servfail(loop: str) -> None:
    servers = several(in_turn(silent, SERVFAIL, SERVFAIL), in_turn(reply(MX), silent, silent))
    _, answer = ask_often(servers, loop, timeout=0.5)
    assert answer.status is DnsStatus.TIMEOUT
    assert sorted(answer.detail.split("; ")) == ["192.0.2.1: SERVFAIL", "192.0.2.2: no answer"]


def test_a_server_that_answers_is_the_only_one_asked(loop: str) -> None:
    servers = several(reply(MX), reply(MX))
    ask_often(servers, loop, 3)
    assert servers.asked_over() == [("1", "udp")] * 3


def test_a_dead_first_server_costs_half_a_second_once(loop: str) -> None:
    servers = several(silent, reply(MX))
    first, *later = ask_often(servers, loop, 4)
    assert FIRST_ALONE <= first.seconds < 2
    assert all(answer.seconds < FIRST_ALONE for answer in later)
    assert servers.asked_over().count(("2", "udp")) == 4
    assert servers.asked_over().count(("1", "udp")) <= 2


def test_questions_at_once_wait_half_a_second_together(loop: str) -> None:
    servers = several(silent, reply(MX))
    resolver = resolver_of(servers, GENEROUS)
    answers: list[DnsAnswer] = []

    async def ask() -> None:
        answers.append(await resolver.resolve("mx.test", "MX"))

    async def main() -> float:
        started_at = anyio.current_time()
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask)
        return anyio.current_time() - started_at

    assert anyio.run(main, backend=loop) < 2
    servers.join()
    assert [answer.status for answer in answers] == [DnsStatus.ANSWER] * 5


def test_a_dead_server_beside_a_servfail_costs_half_a_second(loop: str) -> None:
    servers = several(silent, in_turn(reply(MX), SERVFAIL))
    _, answer = ask_often(servers, loop)
    assert (answer.status, answer.detail) == (DnsStatus.SERVFAIL, "SERVFAIL")
    assert answer.seconds < 2


def test_a_server_that_is_back_is_asked_again(loop: str) -> None:
    servers = several(in_turn(silent, silent, reply(MX), reply(MX)), in_turn(reply(MX), silent, silent))
    answers = ask_often(servers, loop, 3, timeout=0.6)
    assert [answer.status for answer in answers] == [DnsStatus.ANSWER] * 3


def test_rotate_begins_with_the_next_server() -> None:
    servers = several(reply(MX), reply(MX), reply(MX))
    resolver = resolver_of(servers, GENEROUS, {"rotate": True})

    async def main() -> None:
        for _ in range(4):
            await resolver.resolve("mx.test", "MX")

    anyio.run(main)
    servers.join()
    assert [host for host, _ in servers.asked_over()] == ["2", "3", "1", "2"]


@pytest.mark.parametrize(
    ("config", "given", "seconds"),
    [
        ({}, None, 5),
        ({"timeout": 1}, None, 2),
        ({"timeout": 1, "attempts": 1}, None, 1),
        ({"attempts": 3}, None, 5),
        ({"timeout": 10, "attempts": 5}, None, 30),
        ({"timeout": 1, "attempts": 1}, 7.0, 7),
    ],
)
def test_the_time_for_a_question(config: dict[str, int], given: float | None, seconds: float) -> None:
    assert resolver_of(only(silent), given, config).timeout == pytest.approx(seconds)


@pytest.mark.parametrize("attempts", [1, 3])
def test_tries_as_configured(loop: str, attempts: int) -> None:
    servers = only(silent)
    resolver = resolver_of(servers, 0.6, {"attempts": attempts})
    assert anyio.run(resolver.resolve, "mx.test", "MX", backend=loop).status is DnsStatus.TIMEOUT
    servers.join()
    assert len(servers.asked) == attempts


def test_a_long_timeout_does_not_make_a_lost_datagram_dear(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checker_smtp.backends.dns.server._TRY", 0.3)
    servers = only(in_turn(silent, reply(MX)))
    answer = ask_of(servers, loop, timeout=60)
    assert answer.status is DnsStatus.ANSWER
    assert answer.seconds < 10


def edns(servers: Servers) -> list[bool]:
    """Which of the questions over UDP had EDNS."""
    return [query.edns >= 0 for how, *_, query in servers.asked if how == "udp"]


def without_question(query: dns.message.Message) -> list[bytes]:
    """FORMERR as servers older than EDNS say it: a header."""
    return [FORMERR(query)[0][:4] + bytes(8)]


@pytest.mark.parametrize("refusal", [FORMERR, NOTIMP, without_question, reply(rcode=dns.rcode.BADVERS)])
def test_edns_refused_is_asked_once_without_and_remembered(loop: str, refusal: Serve) -> None:
    servers = only(without_edns(refusal, reply(MX)))
    answers = ask_often(servers, loop, 3)
    assert [answer.records for answer in answers] == [(MX,)] * 3
    assert edns(servers) == [True, False, False, False]


@pytest.mark.parametrize(
    ("serve", "detail"),
    [
        (NOTIMP, "NOTIMP"),
        (without_edns(NOTIMP, FORMERR), "FORMERR"),
        (without_edns(NOTIMP, silent), "NOTIMP"),
    ],
)
def test_an_error_that_edns_is_not_the_cause_of(loop: str, serve: Serve, detail: str) -> None:
    servers = only(serve)
    answers = ask_often(servers, loop, timeout=0.5)
    assert [(answer.status, answer.detail) for answer in answers] == [(DnsStatus.ERROR, detail)] * 2
    assert edns(servers) == [True, False] * 2


def test_edns_dropped_is_asked_without_and_remembered(loop: str) -> None:
    servers = only(without_edns(silent, reply(MX)))
    answers = ask_often(servers, loop, 3, timeout=0.5)
    assert [answer.records for answer in answers] == [(MX,)] * 3
    assert edns(servers) == [True, False, False, False]


def test_a_lost_datagram_is_not_blamed_on_edns(loop: str) -> None:
    servers = only(in_turn(reply(MX), silent, reply(MX)))
    ask_often(servers, loop, timeout=0.5)
    assert edns(servers) == [True] * 3


def test_a_server_that_is_slow_to_answer_without_edns_keeps_it(loop: str) -> None:
    def slow(query: dns.message.Message) -> list[bytes]:
        anyio.run(anyio.sleep, 0.3)
        return reply(MX)(query)

    servers = only(in_turn(silent, slow, reply(MX)))
    ask_often(servers, loop, timeout=2)
    assert edns(servers) == [True, False, True]


def test_silence_with_and_without_edns(loop: str) -> None:
    servers = only(in_turn(silent, silent, reply(MX)))
    ask_often(servers, loop, timeout=0.5)
    assert edns(servers) == [True, False, True]


def test_without_edns_the_whole_comes_over_tcp(loop: str) -> None:
    servers = only(without_edns(FORMERR, cut_short(MX)), over_tcp(MX))
    assert ask_of(servers, loop).status is DnsStatus.ANSWER
    assert [query.edns for *_, query in servers.asked] == [0, -1, -1]


UNUSABLE, TIMEOUT, ERROR = DnsStatus.UNUSABLE, DnsStatus.TIMEOUT, DnsStatus.ERROR
FAILED, REFUSAL = DnsStatus.SERVFAIL, DnsStatus.REFUSED


@pytest.mark.parametrize(
    ("failures", "status"),
    [
        ([(FAILED, True), (TIMEOUT, True)], TIMEOUT),
        ([(FAILED, True), (TIMEOUT, False)], FAILED),
        ([(FAILED, True), (UNUSABLE, True)], UNUSABLE),
        ([(TIMEOUT, True), (UNUSABLE, True)], UNUSABLE),
        ([(FAILED, True), (FAILED, True)], FAILED),
        ([(ERROR, True), (FAILED, True)], FAILED),
        ([(REFUSAL, True), (FAILED, True)], FAILED),
        ([(ERROR, True), (REFUSAL, True)], REFUSAL),
        ([(TIMEOUT, False), (TIMEOUT, False)], TIMEOUT),
    ],
)
def test_the_failure_that_accuses_least(failures: list[tuple[DnsStatus, bool]], status: DnsStatus) -> None:
    for order in (failures, failures[::-1]):
        least, _ = combine(
            [
                Failure(str(number), Response(status, detail="x"), alive)
                for number, (status, alive) in enumerate(order)
            ]
        )
        assert least.status is status


def test_a_server_is_named_with_a_port_of_its_own() -> None:
    assert DnsResolver("192.0.2.1").name == "192.0.2.1"
    assert DnsResolver("192.0.2.1", 5353).name == "192.0.2.1:5353"
    assert DnsResolver("2001:db8::1", 5353).name == "[2001:db8::1]:5353"


def test_what_several_servers_sent_and_received_is_counted() -> None:
    servers = several(SERVFAIL, reply(MX))
    resolver = resolver_of(servers, GENEROUS)
    anyio.run(resolver.resolve, "mx.test", "MX")
    servers.join()
    assert (resolver.queries, resolver.responses) == (2, 2)
