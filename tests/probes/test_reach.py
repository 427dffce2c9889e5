"""The reason why no server answered, and the side at fault: theirs, ours, or shown by another endpoint."""

import pytest

from checker_smtp.probes.observation import Control, Session
from checker_smtp.probes.rules import RULES, apply_rules, status_of
from tests.probes.observations import (
    HERE,
    THERE,
    V6,
    WELL_MX,
    Mx,
    endpoint,
    finding_lines,
    observation,
    only,
    settings,
    target,
    unreached,
)

OTHER = "192.0.2.8"
DEAD = "smtp.endpoint_reachable"


@pytest.mark.parametrize("kind", ["refused", "reset", "closed"])
def test_who_refuses_is_at_fault(kind: str) -> None:
    seen = observation(unreached(kind))
    assert finding_lines(seen) == ["all_unreachable crit fail"]
    assert status_of(seen, apply_rules(seen)) == "critical"
    assert only(seen).evidence[0].where == HERE


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("refused", "refused the connection"),
        ("reset", "reset the connection"),
        ("closed", "closed the connection"),
    ],
)
def test_the_fault_is_reported_in_words(kind: str, words: str) -> None:
    assert only(observation(unreached(kind))).message == f"No endpoint accepts connections: {HERE} {words}."


@pytest.mark.parametrize("kind", ["timeout", "host-unreachable"])
def test_silence_everywhere_may_be_our_own_port(kind: str) -> None:
    seen = observation(unreached(kind))
    finding = only(seen)
    assert finding_lines(seen) == ["not_tested info not-tested"]
    assert finding.message.startswith(
        f"Nothing answered over IPv4 ({HERE}). Port 25 may be blocked on this side"
    )
    assert "tests whether a machine can connect to port 25" in finding.fix
    assert status_of(seen, apply_rules(seen)) == "unknown"
    assert not RULES[DEAD].tested(seen)


def test_an_address_that_was_not_contacted_is_not_tested() -> None:
    excluded = Session.not_made("on the exclusion list")
    seen = observation(endpoint(excluded))
    assert (seen.endpoints[0].connected, excluded.replies, excluded.transcript) == (False, (), ())
    assert finding_lines(seen) == ["not_tested info not-tested"]
    assert status_of(seen, apply_rules(seen)) == "unknown"
    assert only(seen).message == f"Not tested: {HERE}; on the exclusion list."


def test_a_silent_server_may_be_the_reason_as_well() -> None:
    assert "or the server does not answer." in only(observation(unreached("timeout"))).message


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [("not-permitted", "firewall or sandbox"), ("network-unreachable", "from a machine with IPv4.")],
)
def test_the_remedy_is_that_of_the_failure(kind: str, remedy: str) -> None:
    fix = only(observation(unreached(kind))).fix
    assert remedy in fix
    assert "leave IPv4 out" not in fix  # there is nothing else to test


@pytest.mark.parametrize("kind", ["network-unreachable", "not-permitted", "other", "budget", "tls"])
def test_what_is_wrong_here_is_not_the_domain_s_fault(kind: str) -> None:
    seen = observation(unreached(kind))
    assert finding_lines(seen) == ["not_tested info not-tested"]
    assert only(seen).message == (
        f"This machine cannot connect over IPv4 ({kind}), so {HERE} could not be tested."
    )
    assert "without IPv4" not in only(seen).fix


@pytest.mark.parametrize("kind", ["timeout", "host-unreachable"])
@pytest.mark.parametrize("witness", ["well", "refused", "reset"])
def test_silence_counts_where_another_endpoint_of_the_family_shows_that_the_port_leaves(
    kind: str, witness: str
) -> None:
    other = endpoint(address=OTHER) if witness == "well" else unreached(witness, OTHER)
    found = finding_lines(observation(unreached(kind), other))
    assert found == (
        [f"tcp.unreachable warn fail {HERE}"] if witness == "well" else ["all_unreachable crit fail"]
    )


@pytest.mark.parametrize("kind", ["network-unreachable", "not-permitted", "other", "budget"])
def test_no_witness_makes_our_own_trouble_theirs(kind: str) -> None:
    found = finding_lines(observation(unreached(kind), endpoint(address=OTHER)))
    assert found == ["not_tested info not-tested"]


def test_a_witness_of_the_other_family_proves_nothing() -> None:
    seen = observation(endpoint(), unreached("timeout", V6))
    assert finding_lines(seen) == ["not_tested info not-tested"]
    assert only(seen).message.startswith(f"Nothing answered over IPv6 ({THERE}).")
    assert RULES[DEAD].tested(seen)


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        ("connected", "all_unreachable crit fail"),
        ("refused", "all_unreachable crit fail"),
        ("timeout", "not_tested info not-tested"),
        ("network-unreachable", "not_tested info not-tested"),
    ],
)
def test_a_control_is_a_witness_too(outcome: str, verdict: str) -> None:
    control = Control(host="control.test", address=OTHER, port=25, outcome=outcome)
    seen = observation(unreached("timeout"), controls=(control,))
    assert finding_lines(seen) == [verdict]
    assert ("Nor did control.test: port 25 is probably blocked on this side." in only(seen).message) is (
        verdict[0] == "n"
    )
    v6_control = Control(host="control.test", address=V6, port=25, outcome=outcome)
    assert finding_lines(observation(unreached("timeout"), controls=(v6_control,))) == [
        "not_tested info not-tested"
    ]


def test_a_control_without_an_address_is_named() -> None:
    control = Control(host="nowhere.test", address="", port=25, outcome="it has no address (NXDOMAIN)")
    message = only(observation(unreached("timeout"), controls=(control,))).message
    assert "Port 25 may be blocked on this side" in message
    assert message.endswith("The control host nowhere.test was not tried: it has no address (NXDOMAIN).")


def test_one_dead_address_of_several_is_a_warning() -> None:
    seen = observation(endpoint(), unreached("refused", OTHER), unreached("timeout", "192.0.2.9"))
    assert finding_lines(seen) == [
        "tcp.unreachable warn fail 192.0.2.8:25",
        "tcp.unreachable warn fail 192.0.2.9:25",
    ]
    assert [f.message for f in apply_rules(seen)] == [
        "This address refused the connection.",
        "This address did not answer.",
    ]


def test_all_is_said_of_those_that_could_be_tested() -> None:
    found = apply_rules(observation(unreached("refused"), unreached("network-unreachable", V6)))
    assert [f.message for f in found] == [
        f"No endpoint that could be tested accepts connections: {HERE} refused the connection.",
        f"This machine cannot connect over IPv6 (network-unreachable), so {THERE} could not be tested.",
    ]
    found = apply_rules(observation(unreached("refused"), skipped=("192.0.2.99:25",)))
    assert found[0].message.startswith("No endpoint that could be tested accepts")


def test_each_family_that_could_not_be_tested_is_reported_once() -> None:
    seen = observation(
        unreached("timeout"),
        unreached("timeout", OTHER),
        unreached("network-unreachable", V6),
        unreached("network-unreachable", "2001:db8::8"),
    )
    assert finding_lines(seen) == ["not_tested info not-tested"] * 2
    first, second = apply_rules(seen)
    assert (len(first.evidence), len(second.evidence)) == (2, 2)
    assert "192.0.2.7:25 and 192.0.2.8:25" in first.message


def test_skipped_endpoints_are_named() -> None:
    skipped = tuple(f"192.0.2.{n}:25" for n in range(40, 48))
    seen = observation(endpoint(), skipped=skipped)
    assert finding_lines(seen) == ["not_tested info not-tested"]
    assert only(seen).message == (
        "The domain has 9 endpoints. Tested: the first 1, in the order in which senders try them. Not "
        "tested: 192.0.2.40:25, 192.0.2.41:25, 192.0.2.42:25, 192.0.2.43:25, 192.0.2.44:25 and 3 more."
    )


def test_a_dead_ipv6_address_is_reported_for_itself_and_for_the_family() -> None:
    seen = observation(endpoint(), unreached("refused", V6))
    assert finding_lines(seen) == [f"tcp.unreachable warn fail {THERE}", "ipv6.none info fail"]
    assert finding_lines(observation(unreached("refused"), endpoint(address=V6))) == [
        f"tcp.unreachable warn fail {HERE}"
    ]
    both = observation(endpoint(), endpoint(address="2001:db8::8"), unreached("refused", V6))
    assert finding_lines(both) == [f"tcp.unreachable warn fail {THERE}"]


def test_an_ipv6_that_cannot_be_reached_from_here_is_not_missing() -> None:
    seen = observation(endpoint(), unreached("network-unreachable", V6))
    assert finding_lines(seen) == ["not_tested info not-tested"]


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "verdicts"),
    [
        ("192.0.2.7", "2001:db8::7", []),
        ("192.0.2.7", "", ["ipv6.none info fail"]),
        ("", "2001:db8::7", ["ipv4.none warn fail"]),
    ],
)
def test_a_family_without_addresses(ipv4: str, ipv6: str, verdicts: list[str]) -> None:
    mx = Mx(status=WELL_MX.status, records=(target(ipv4=ipv4, ipv6=ipv6),))
    address = ipv4 or ipv6
    assert finding_lines(observation(endpoint(address=address), mx=mx)) == verdicts


def test_a_family_switched_off_is_not_missed_where_it_is_published() -> None:
    without = observation(endpoint(), settings=settings(ipv6=False))
    assert finding_lines(without) == []
    dead = observation(endpoint(), unreached("refused", V6), settings=settings(ipv6=False))
    assert finding_lines(dead) == [f"tcp.unreachable warn fail {THERE}"]
