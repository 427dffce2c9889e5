"""Many domains at one address: each gets the sessions of a check of it alone, and nothing of the others."""

import re
from dataclasses import replace

import pytest

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.endpoint.session import SessionSpec
from checker_smtp.testing import ENDINGS, FAULTS, RuleServer
from tests.probes.fuzzing import result_of
from tests.probes.observations import observation
from tests.probes.sessions import answers, endpoint_of, plain
from tests.probes.sharing import (
    ADDRESS,
    CHECKS,
    MIXED,
    NAME,
    NAMES,
    RELAY,
    SEED,
    alone,
    check_sessions,
    shared,
    verdicts,
)
from tests.probes.test_properties import check_verdict
from tests.probes.world import options

# Where a group is not answered, only the first one's was sent: that one session is not the same for all.
GROUPS = ("group", "slow-group")
# These make the connections of a domain depend on how many were made for others (test_continuation).
CLOSING = ("rset", "refusal-closes")
# As many as share a session with a server that refuses the null sender.
FEW = [options(f"{name}.test") for name in ("alfa", "bravo", "delta")]


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in CLOSING])
def test_each_domain_gets_the_sessions_of_a_check_of_it_alone(
    fault: str, pipelining: bool, tls: bool
) -> None:
    host = RuleServer(
        fault=fault,
        pipelining=pipelining,
        starttls=tls,
        rcpt_replies=MIXED,
        mail_replies={"": "550 5.7.1 no"},
    )
    together = shared(host, FEW)
    for check in FEW:
        sessions, found = alone(host, check), together.sessions[check.domain]
        check_sessions(check, found, FEW)
        first = 1 if fault in GROUPS and pipelining else 0
        assert list(map(plain, found[first:])) == list(map(plain, sessions[first:]))
        assert [s.purpose for s in found] == [s.purpose for s in sessions]
        assert answers(found) == answers(sessions)
        assert verdicts(found) == verdicts(sessions)
    assert together.probe.connections == len(sessions)


@pytest.mark.slow
@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("relays", [True, False])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "RSET"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_domain_is_lost_where_the_connection_ends(
    ending: str, verb: str, relays: bool, pipelining: bool
) -> None:
    """A server that limits the commands of a connection, down to those that one domain needs."""
    kind = RuleServer(
        pipelining=pipelining, relays=relays, limited_verb=verb, ending=ending, rcpt_replies=MIXED
    )
    expected = {check.domain: alone(replace(kind, limit=3), check) for check in CHECKS}
    for limit in range(3, 13):
        host = replace(kind, limit=limit, received=[])
        together = shared(host)
        for check in CHECKS:
            found = together.sessions[check.domain]
            check_sessions(check, found, CHECKS)
            assert answers(found) == answers(expected[check.domain])
            assert limit % 4 or verdicts(found) == verdicts(expected[check.domain])
        assert host.count(RELAY) <= 2  # once more where the first time was cut off
        per_connection = limit // 2
        assert together.probe.connections <= -(-len(CHECKS) // per_connection) + 1 + relays
        assert together.probe.facts.max_domains <= max(per_connection, 1) or limit >= 2 * len(CHECKS)


def test_the_first_answers_stand_and_the_others_are_asked_again() -> None:
    host = RuleServer(limit=4)
    together = shared(host)
    asked = [
        list(dict.fromkeys(re.findall("TO:<postmaster@(.*?)>", "|".join(said)))) for said in host.received
    ]
    assert asked == [
        ["alfa.test", "bravo.test", "charlie.test"],
        ["charlie.test", "delta.test", "example.com"],
        ["echo.test", "example.com"],
    ]
    assert together.probe.facts.max_domains == 2
    assert [s.purpose for s in together.sessions["alfa.test"]] == ["main", "relay"]
    assert together.sessions["alfa.test"][0].end is None


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    "off",
    [
        ("null_sender", "postmaster", "open_relay"),
        ("null_sender", "postmaster"),
        ("open_relay",),
        ("null_sender", "open_relay"),
    ],
)
def test_a_question_that_is_switched_off_is_asked_for_no_domain(
    off: tuple[str, ...], pipelining: bool
) -> None:
    checks = [options(name, **{f"test_{question}": False for question in off}) for name in NAMES]
    host = RuleServer(pipelining=pipelining)
    together = shared(host, checks)
    assert together.probe.connections == 1
    for check in checks:
        assert plain(together.sessions[check.domain][0]) == plain(alone(host, check)[0])
        assert len(together.sessions[check.domain]) == 1


def test_421_for_the_only_question_of_a_domain_is_no_answer_to_it() -> None:
    checks = [options(name, test_null_sender=False, test_open_relay=False) for name in NAMES]
    together = shared(RuleServer(limit=2), checks)
    assert [answers(found)["postmaster"].split()[2] for found in together.sessions.values()] == ["250"] * 5
    assert together.probe.connections == 3


def test_421_to_the_last_rset_does_not_make_the_first_domain_go_out_of_step() -> None:
    """The end after it is in the sessions of all domains, and is no fault of the groups."""
    host = RuleServer(limit=5, limited_verb="RSET", ending="421")
    together = shared(host)
    assert "one-by-one" not in {s.purpose for found in together.sessions.values() for s in found}


@pytest.mark.parametrize("ending", ["timeout", "eof"])
def test_a_domain_that_the_server_never_answers_for_does_not_affect_the_others(ending: str) -> None:
    """Two of them: each is asked about once more, one by one where that was not tried yet."""
    silent = ("charlie.test", "echo.test")
    host = RuleServer(rcpt_replies={f"postmaster@{name}": ending for name in silent})
    together = shared(host)
    for check in CHECKS:
        found = together.sessions[check.domain]
        check_sessions(check, found, CHECKS)
        assert answers(found)["relay"] == answers(alone(host, check)).get("relay") or check.domain in silent
        if check.domain in silent:
            assert [t.verdict for t in found[-2].transactions[:2]] == [None, None]
        else:
            assert answers(found) == answers(alone(host, check))
    assert together.probe.connections <= len(CHECKS) + 2


def test_a_second_connection_that_is_refused_is_reported_for_the_domains_that_waited_for_it() -> None:
    class OnceOnly(RuleServer):
        async def run(self, script):  # type: ignore[no-untyped-def]
            self.fault = "421" if self.received else ""
            return await RuleServer.run(self, script)

    together = shared(OnceOnly(limit=4))
    assert [s.purpose for s in together.sessions["alfa.test"]] == ["main"]
    assert together.sessions["bravo.test"][0].transactions[1].verdict is not None
    for name in NAMES[2:]:
        (session,) = together.sessions[name]
        assert session.greeting is not None
        assert (session.greeting.code, {t.recipient for t in session.transactions}) == (
            421,
            {f"postmaster@{name}", "postmaster@example.com"},
        )
    assert together.probe.connections == 2
    again = result_of(together.probe.run(CHECKS[:2]))
    assert (together.probe.connections, again["alfa.test"][0].greeting.code) == (2, 421)  # type: ignore[union-attr]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("fault", ["", "handshake", "group"])
def test_the_end_of_the_time_is_reported_for_each_domain(fault: str, tls: bool, pipelining: bool) -> None:
    """Sixty seconds for all together: the domains asked about in them have answers, the others a reason."""
    for pace in (1.0, 3.0, 7.0, 11.0, 13.0):
        checks = [options(name, timeout=12.0) for name in NAMES]
        host = RuleServer(fault=fault, starttls=tls, pipelining=pipelining, seconds_per_step=pace)
        together = shared(host, checks, most=3)
        for check in checks:
            found = together.sessions[check.domain]
            check_sessions(check, found, checks)
            left = [t for t in found[-1].transactions if t.verdict is None]
            assert not left or found[-1].end is not None
            check_verdict(observation(endpoint_of(found)))


def test_a_domain_that_had_no_turn_has_the_time_as_its_reason() -> None:
    checks = [options(name, timeout=12.0) for name in NAMES]
    together = shared(RuleServer(pipelining=False, starttls=False, seconds_per_step=9.0), checks)
    last = together.sessions["echo.test"][0]
    assert last.end is not None
    assert (last.end.step, last.end.kind, last.end.at) == ("MAIL", "budget", last.transcript[-1]["at"])
    found = verdicts(together.sessions["echo.test"])
    assert [message for code, *_, message in found if code == "smtp.not_tested"] == [
        "Not tested: the null sender, postmaster and relaying; the time for this endpoint ran out at MAIL."
    ]


def test_the_purpose_of_a_second_probe_is_in_its_sessions() -> None:
    probe = EndpointProbe(
        RuleServer(starttls=False), CHECKS[0], ADDRESS, NAME, SEED, max_domains=10, purpose="revisit"
    )
    found = result_of(probe.run(CHECKS))
    assert {s.purpose for sessions in found.values() for s in sessions} == {"revisit"}


def test_quit_is_in_the_flight_of_a_single_domain_only() -> None:
    plan = SessionSpec(
        purpose="main",
        address=ADDRESS,
        port=25,
        server_name=NAME,
        helo_name="probe.test",
        timeout=12.0,
        budget=60.0,
        transactions=(),
    )
    assert (plan.flights, plan.is_quit_separate) == (((),), False)
    assert not replace(plan, domain_flights=((),)).is_quit_separate
    assert replace(plan, domain_flights=((), ())).is_quit_separate
