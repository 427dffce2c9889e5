"""A run for many domains that ends before all were asked, and a session that ends before it is dropped."""

from collections.abc import Callable

import pytest

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.observation import Session
from checker_smtp.testing import RuleServer
from tests.probes.fuzzing import result_of
from tests.probes.sharing import ADDRESS, NAME, SEED
from tests.probes.world import options

TEN = [options(f"d{number}.test") for number in range(10)]
UNKNOWN = {f"postmaster@{check.domain}": "550 5.1.1 no such user" for check in TEN}


def probe(server: RuleServer) -> EndpointProbe:
    return EndpointProbe(server, TEN[0], ADDRESS, NAME, SEED, max_domains=10)


def has_421(session: Session) -> bool:
    return any(reply.code == 421 for reply in session.replies)


def never(_: Session) -> bool:
    return False


def test_no_connection_is_made_after_a_session_that_stops_the_run() -> None:
    server = RuleServer(limit=4)
    run = probe(server)
    assert result_of(run.run(TEN, stop_after=has_421)) == {}
    assert (run.stopped, run.connections, run.facts.max_domains) == (True, 1, 2)


def test_a_run_that_nothing_stops_returns_all_domains() -> None:
    run = probe(RuleServer())
    assert len(result_of(run.run(TEN, stop_after=has_421, max_octets=10**6))) == 10
    assert (run.stopped, run.connections) == (False, 1)


@pytest.mark.parametrize(
    ("server", "max_octets", "stop_after"),
    [
        (RuleServer(limit=0, ending="timeout", pipelining=False), 10**6, never),
        (RuleServer(limit=2, ending="eof"), 1, never),
    ],
    ids=["a connection that answers nothing", "too much evidence"],
)
def test_domains_that_wait_are_left_for_another_run(
    server: RuleServer, max_octets: int, stop_after: Callable[[Session], bool]
) -> None:
    run = probe(server)
    assert list(result_of(run.run(TEN, stop_after=stop_after, max_octets=max_octets))) == ["d0.test"]
    assert (run.stopped, run.connections) == (False, 1)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("server", "most"),
    [
        (RuleServer(software="ESMTP Exim 4.96"), 5),
        (RuleServer(rcpt_replies=UNKNOWN), 4),
        (RuleServer(software="ESMTP Exim 4.96", rcpt_replies=UNKNOWN), 4),
        (RuleServer(software="ESMTP Eximious"), 10),
    ],
)
def test_a_session_ends_by_itself(server: RuleServer, most: int, pipelining: bool) -> None:
    server.pipelining, server.received = pipelining, []
    assert len(result_of(probe(server).run(TEN))) == 10
    for received in server.received:
        asked = {line for line in received if line.startswith("RCPT TO:<postmaster@d")}
        assert len(asked) <= most
        assert received[-1] == "QUIT"
    assert len(server.received) == -(-10 // most)
    assert sum(line == "RCPT TO:<postmaster@example.com>" for r in server.received for line in r) == 1
