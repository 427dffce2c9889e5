"""One relay question, and one control, for all domains that share a server."""

from copy import copy

import pytest

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.endpoint.follow_ups import control_address
from checker_smtp.testing import RuleServer
from tests.probes.fuzzing import result_of
from tests.probes.sessions import answers
from tests.probes.sharing import ADDRESS, CHECKS, NAME, RELAY, SEED, alone, check_sessions, shared, verdicts
from tests.probes.world import options


@pytest.mark.parametrize("pipelining", [True, False])
def test_the_relay_question_and_its_control_are_asked_once(pipelining: bool) -> None:
    """Over several connections, and by several probes at the same time."""
    host = RuleServer(relays=True, pipelining=pipelining)
    probe = EndpointProbe(host, CHECKS[0], ADDRESS, NAME, SEED, max_domains=2)
    found = result_of(probe.run(CHECKS[:3]))
    found |= result_of(copy(probe).run(CHECKS[3:]))
    assert host.count(RELAY) == 1
    assert host.count(f"RCPT TO:<{control_address(CHECKS[0], SEED)}>") == 1
    assert len(host.received) == 4
    for check in CHECKS:
        assert answers(found[check.domain]) == answers(alone(host, check))
        assert "smtp.open_relay" in [code for code, *_ in verdicts(found[check.domain])]


def test_a_domain_alone_has_one_write_and_asks_about_relaying_for_the_next() -> None:
    """The relay question in a flight that names a domain is no evidence for others: it is asked once more."""
    host = RuleServer()
    probe = EndpointProbe(host, CHECKS[0], ADDRESS, NAME, SEED, max_domains=10)
    for check in CHECKS:
        found = result_of(probe.run([check]))[check.domain]
        assert answers(found) == answers(alone(host, check))
        check_sessions(check, found, CHECKS)
    assert (host.count(RELAY), probe.connections) == (2, len(CHECKS))
    first = shared(RuleServer(), CHECKS[:1]).sessions["alfa.test"][0]
    writes = [str(entry["data"]) for entry in first.transcript if entry["do"] == "send"]
    assert writes[-1].count("\r\n") == 10


@pytest.mark.parametrize("most", [1, 2, 10])
@pytest.mark.parametrize("relays", [True, False])
@pytest.mark.parametrize("first", [0, 2])
def test_the_domain_of_the_relay_probe_gets_another_probe(first: int, relays: bool, most: int) -> None:
    """`example.com` takes its own postmaster, which says nothing about relaying."""
    host = RuleServer(relays=relays, rcpt_replies={"postmaster@example.com": "250 ok"})
    checks = [*CHECKS[:2], options("example.com"), *CHECKS[2:]]
    checks.insert(0, checks.pop(first))
    together = shared(host, checks, most)
    for check in checks:
        found = together.sessions[check.domain]
        assert answers(found) == answers(alone(host, check))
        assert verdicts(found) == verdicts(alone(host, check))
        assert [t.recipient for s in found for t in s.transactions if t.purpose == "relay"] == [
            check.probe_address
        ]
        check_sessions(check, found, CHECKS)


def test_a_relay_probe_that_no_other_domain_shares() -> None:
    checks = [options("example.com"), options("example.net", test_probe_address="a@example.net")]
    host = RuleServer()
    together = shared(host, checks)
    assert together.probe.connections == 1
    assert [session.purpose for session in together.sessions["example.net"]] == ["main"]


def test_a_relay_question_that_was_cut_off_is_asked_once_more_alone() -> None:
    host = RuleServer(limit=10, ending="eof")
    together = shared(host)
    assert [s.purpose for s in together.sessions["echo.test"]] == ["main", "relay"]
    assert host.received[1][-4:] == ["MAIL FROM:<postmaster@probe.test>", RELAY, "RSET", "QUIT"]
    (first, relay) = together.sessions["alfa.test"]
    assert (first.end is not None, relay.transactions[0].rcpt is not None) == (True, True)
