"""The rule about names of addresses: missing, leading elsewhere, or not to be had today."""

import pytest

from checker_smtp.probes.observation import ReverseDns
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import RULES
from tests.probes.observations import HERE, THERE, V6, endpoint, finding_lines, observation, only
from tests.probes.world import answer

POINTER = "7.2.0.192.in-addr.arpa"


def named(*names: str, confirmed: str = "", unsettled: str = "", status: str = "answer") -> ReverseDns:
    return ReverseDns(
        status=DnsStatus(status),
        names=names,
        total=len(names),
        confirmed_by=tuple(confirmed.split()),
        unsettled=tuple(unsettled.split()),
    )


@pytest.mark.parametrize(
    ("reverse", "verdict", "message"),
    [
        (named("a.test", confirmed="a.test"), None, None),
        (named("a.test", "b.test", confirmed="b.test", unsettled="a.test"), None, None),
        (
            named(status="nxdomain"),
            "ptr.missing warn fail",
            "192.0.2.7 has no PTR name (NXDOMAIN).",
        ),
        (named(status="nodata"), "ptr.missing warn fail", "192.0.2.7 has no PTR name (no PTR record)."),
        (named(status="answer"), "ptr.missing warn fail", "192.0.2.7 has no PTR name (no PTR record)."),
        (
            named(status="servfail"),
            "ptr.lookup_failed info transient",
            "The lookup of 192.0.2.7 (no answer) failed; 192.0.2.7 may have a name that leads back to it.",
        ),
        (
            named(status="timeout"),
            "ptr.lookup_failed info transient",
            "The lookup of 192.0.2.7 (no answer) failed; 192.0.2.7 may have a name that leads back to it.",
        ),
        (
            named("a.test", "b.test"),
            "fcrdns.mismatch warn fail",
            "192.0.2.7 is named a.test and b.test, which does not lead back to it.",
        ),
        (
            named("a.test", "b.test", unsettled="b.test"),
            "ptr.lookup_failed info transient",
            "The lookup of b.test (no answer) failed; 192.0.2.7 may have a name that leads back to it.",
        ),
    ],
)
def test_a_name(reverse: ReverseDns, verdict: str | None, message: str | None) -> None:
    seen = observation(endpoint(reverse=reverse))
    assert finding_lines(seen) == ([] if verdict is None else [f"{verdict} {HERE}"])
    if message is not None:
        assert only(seen).message == message


def test_an_address_that_was_not_looked_up_is_not_judged() -> None:
    assert finding_lines(observation(endpoint(reverse=None))) == []


@pytest.mark.parametrize(
    ("reverse", "tested"),
    [
        (named("a.test"), True),
        (named(status="nxdomain"), True),
        (named(status="servfail"), False),
        (None, False),
    ],
)
def test_it_was_tested_where_the_question_was_settled(reverse: ReverseDns | None, tested: bool) -> None:
    assert RULES["smtp.reverse_dns"].tested(observation(endpoint(reverse=reverse))) is tested


def test_a_dead_address_is_evaluated_too() -> None:
    dead = endpoint(connected=False, end="connect/refused", reverse=named(status="nxdomain"))
    assert finding_lines(observation(dead)) == ["all_unreachable crit fail", f"ptr.missing warn fail {HERE}"]


def test_the_evidence_is_both_directions() -> None:
    dns = (
        answer(POINTER, "PTR", f"{POINTER}. 300 IN PTR a.test."),
        answer("a.test", "A", "a.test. 300 IN A 192.0.2.8"),
        answer("a.test", "AAAA", "a.test. 300 IN AAAA 2001:db8::8"),
        answer("b.test", "A", "b.test. 300 IN A 192.0.2.8"),
    )
    finding = only(observation(endpoint(reverse=named("a.test")), dns=dns))
    assert [(e.where, e.quote) for e in finding.evidence] == [
        (f"PTR {POINTER}", f"{POINTER}. 300 IN PTR a.test."),
        ("A a.test", "a.test. 300 IN A 192.0.2.8"),
    ]
    finding = only(observation(endpoint(address=V6, reverse=named("a.test")), dns=dns))
    assert [e.where for e in finding.evidence] == ["AAAA a.test"]
    assert finding.subject == THERE


def test_many_names_are_cut() -> None:
    names = [f"n{n}.test" for n in range(8)]
    assert only(observation(endpoint(reverse=named(*names)))).message.startswith(
        "192.0.2.7 is named n0.test, n1.test, n2.test, n3.test, n4.test and 3 more, which does not"
    )
