"""Many domains at one address: each is told what it would have been told alone, and nothing of the others."""

import re
from copy import copy
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker_smtp.probes.endpoint import EndpointProbe, control_address, probe_endpoint
from checker_smtp.probes.endpoint.session import SessionSpec
from checker_smtp.probes.observation import Session
from checker_smtp.probes.options import Options
from checker_smtp.probes.rules import apply_rules
from checker_smtp.testing import ENDINGS, FAULTS, NetworkFaults, RuleServer
from tests.probes.fuzzing import NETWORK_FAULTS, fuzz_server, result_of
from tests.probes.observations import observation
from tests.probes.sessions import answers, endpoint_of, plain
from tests.probes.test_properties import check_verdict
from tests.probes.world import options
from tests.sansio.strategies import steady

ADDRESS, NAME, SEED = "192.0.2.7", "mx.example.org", 7
NAMES = ("alfa.test", "bravo.test", "charlie.test", "delta.test", "echo.test")
GUESTS = [options(name) for name in NAMES]
RELAY = "RCPT TO:<postmaster@example.com>"
MIXED = {"postmaster@bravo.test": "550 5.1.1 no such user", "postmaster@delta.test": "450 4.2.0 greylisted"}
# Where a group is not answered, only the first one's was sent: that one session is not the same for all.
GROUPS = ("group", "slow-group")
# These make the connections of a domain depend on how many were made for others (test_continuation).
CLOSING = ("rset", "refusal-closes")


@dataclass
class Visited:
    """What a visit told, and the visit."""

    visit: EndpointProbe
    told: dict[str, tuple[Session, ...]]


def shared(host: RuleServer, guests: list[Options] = GUESTS, most: int = 10) -> Visited:
    """All guests together."""
    visit = EndpointProbe(host, guests[0], ADDRESS, NAME, SEED, max_domains=most)
    return Visited(visit, result_of(visit.run(guests)))


def alone(host: RuleServer, guest: Options) -> tuple[Session, ...]:
    """The same with a server of their own."""
    return result_of(probe_endpoint(guest, replace(host, received=[]), ADDRESS, NAME, SEED))


def verdicts(sessions: tuple[Session, ...]) -> list[tuple[str, ...]]:
    """The findings, but for where the evidence stands."""
    found = apply_rules(observation(endpoint_of(sessions)))
    return [(f.code, f.severity, f.outcome, f.subject, f.message) for f in found]


def check_sessions(guest: Options, sessions: tuple[Session, ...], others: list[Options]) -> None:
    """What holds of every session that is told, whoever the server is."""
    assert sessions
    for session in sessions:
        for reply in session.replies:
            got = str(session.transcript[reply.entry]["got"])
            assert reply.raw in got or reply.raw.endswith(got)
        if session.end is not None:
            assert session.end.entry == max(len(session.transcript) - 1, 0)
        for other in others:
            if other.domain != guest.domain:
                assert f"postmaster@{other.domain}" not in repr(session).replace(guest.probe_address, "")
    purposes = [session.purpose for session in sessions]
    assert purposes.count("continued") <= 2
    purposes = [purpose for purpose in purposes if purpose != "continued"]
    assert len(set(purposes)) == len(purposes)


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in CLOSING])
def test_each_is_told_what_it_would_have_been_told_alone(fault: str, pipelining: bool, tls: bool) -> None:
    host = RuleServer(
        fault=fault,
        pipelining=pipelining,
        starttls=tls,
        rcpt_replies=MIXED,
        mail_replies={"": "550 5.7.1 no"},
    )
    visited = shared(host)
    for guest in GUESTS:
        sessions, told = alone(host, guest), visited.told[guest.domain]
        check_sessions(guest, told, GUESTS)
        first = 1 if fault in GROUPS and pipelining else 0
        assert list(map(plain, told[first:])) == list(map(plain, sessions[first:]))
        assert [s.purpose for s in told] == [s.purpose for s in sessions]
        assert answers(told) == answers(sessions)
        assert verdicts(told) == verdicts(sessions)
    assert visited.visit.connections == len(sessions)


@pytest.mark.slow
@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("relays", [True, False])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "RSET"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_where_the_connection_ends_nobody_is_lost(
    ending: str, verb: str, relays: bool, pipelining: bool
) -> None:
    """A server that takes so many commands on a connection, and as few as one domain alone has need of."""
    kind = RuleServer(
        pipelining=pipelining, relays=relays, limited_verb=verb, ending=ending, rcpt_replies=MIXED
    )
    expected = {guest.domain: alone(replace(kind, limit=3), guest) for guest in GUESTS}
    for limit in range(3, 13):
        host = replace(kind, limit=limit, received=[])
        visited = shared(host)
        for guest in GUESTS:
            told = visited.told[guest.domain]
            check_sessions(guest, told, GUESTS)
            assert answers(told) == answers(expected[guest.domain])
            assert limit % 4 or verdicts(told) == verdicts(expected[guest.domain])
        assert host.count(RELAY) <= 2  # once more where the first time was cut off
        per_connection = limit // 2
        assert visited.visit.connections <= -(-len(GUESTS) // per_connection) + 1 + relays
        assert visited.visit.facts.max_domains <= max(per_connection, 1) or limit >= 2 * len(GUESTS)


def test_the_first_answers_stand_and_the_others_are_asked_again() -> None:
    host = RuleServer(limit=4)
    visited = shared(host)
    asked = [
        list(dict.fromkeys(re.findall("TO:<postmaster@(.*?)>", "|".join(said)))) for said in host.received
    ]
    assert asked == [
        ["alfa.test", "bravo.test", "charlie.test"],
        ["charlie.test", "delta.test", "example.com"],
        ["echo.test", "example.com"],
    ]
    assert visited.visit.facts.max_domains == 2
    assert [s.purpose for s in visited.told["alfa.test"]] == ["main", "relay"]
    assert visited.told["alfa.test"][0].end is None


@pytest.mark.parametrize("pipelining", [True, False])
def test_the_relay_is_asked_for_once_and_so_is_its_control(pipelining: bool) -> None:
    """Over several connections, several times of asking, and by several who ask at the same time."""
    host = RuleServer(relays=True, pipelining=pipelining)
    visit = EndpointProbe(host, GUESTS[0], ADDRESS, NAME, SEED, max_domains=2)
    told = result_of(visit.run(GUESTS[:3]))
    told |= result_of(copy(visit).run(GUESTS[3:]))
    assert host.count(RELAY) == 1
    assert host.count(f"RCPT TO:<{control_address(GUESTS[0], SEED)}>") == 1
    assert len(host.received) == 4
    for guest in GUESTS:
        assert answers(told[guest.domain]) == answers(alone(host, guest))
        assert "smtp.open_relay" in [code for code, *_ in verdicts(told[guest.domain])]


def test_who_comes_alone_has_everything_in_one_write_and_leaves_the_relay_to_the_next() -> None:
    """What names the domain is no evidence for another one, so it is asked for once more, and that is all."""
    host = RuleServer()
    visit = EndpointProbe(host, GUESTS[0], ADDRESS, NAME, SEED, max_domains=10)
    for guest in GUESTS:
        told = result_of(visit.run([guest]))[guest.domain]
        assert answers(told) == answers(alone(host, guest))
        check_sessions(guest, told, GUESTS)
    assert (host.count(RELAY), visit.connections) == (2, len(GUESTS))
    first = shared(RuleServer(), GUESTS[:1]).told["alfa.test"][0]
    writes = [str(entry["data"]) for entry in first.transcript if entry["do"] == "send"]
    assert writes[-1].count("\r\n") == 10


@pytest.mark.parametrize("most", [1, 2, 10])
@pytest.mark.parametrize("relays", [True, False])
@pytest.mark.parametrize("first", [0, 2])
def test_who_the_probe_is_addressed_to_has_another_one(first: int, relays: bool, most: int) -> None:
    """`example.com` takes its own postmaster, which says nothing about relaying."""
    host = RuleServer(relays=relays, rcpt_replies={"postmaster@example.com": "250 ok"})
    guests = [*GUESTS[:2], options("example.com"), *GUESTS[2:]]
    guests.insert(0, guests.pop(first))
    visited = shared(host, guests, most)
    for guest in guests:
        told = visited.told[guest.domain]
        assert answers(told) == answers(alone(host, guest))
        assert verdicts(told) == verdicts(alone(host, guest))
        assert [t.recipient for s in told for t in s.transactions if t.purpose == "relay"] == [
            guest.probe_address
        ]
        check_sessions(guest, told, GUESTS)


def test_where_nobody_shares_the_probe_it_is_nobodys() -> None:
    guests = [options("example.com"), options("example.net", test_probe_address="a@example.net")]
    host = RuleServer()
    visited = shared(host, guests)
    assert visited.visit.connections == 1
    assert [session.purpose for session in visited.told["example.net"]] == ["main"]


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
def test_what_is_switched_off_is_asked_for_nobody(off: tuple[str, ...], pipelining: bool) -> None:
    guests = [options(name, **{f"test_{question}": False for question in off}) for name in NAMES]
    host = RuleServer(pipelining=pipelining)
    visited = shared(host, guests)
    assert visited.visit.connections == 1
    for guest in guests:
        assert plain(visited.told[guest.domain][0]) == plain(alone(host, guest)[0])
        assert len(visited.told[guest.domain]) == 1


def test_421_for_the_only_question_of_a_guest_is_no_answer_to_it() -> None:
    guests = [options(name, test_null_sender=False, test_open_relay=False) for name in NAMES]
    visited = shared(RuleServer(limit=2), guests)
    assert [answers(told)["postmaster"].split()[2] for told in visited.told.values()] == ["250"] * 5
    assert visited.visit.connections == 3


def test_421_to_the_last_rset_does_not_make_the_first_guest_go_out_of_step() -> None:
    """The end behind it is told to everybody, and is no fault of the groups."""
    host = RuleServer(limit=5, limited_verb="RSET", ending="421")
    visited = shared(host)
    assert "one-by-one" not in {s.purpose for told in visited.told.values() for s in told}


@pytest.mark.parametrize("ending", ["timeout", "eof"])
def test_a_domain_that_the_server_never_answers_for_is_no_harm_to_the_others(ending: str) -> None:
    """Two of them: each is asked for once more, one by one where that was not tried yet."""
    silent = ("charlie.test", "echo.test")
    host = RuleServer(rcpt_replies={f"postmaster@{name}": ending for name in silent})
    visited = shared(host)
    for guest in GUESTS:
        told = visited.told[guest.domain]
        check_sessions(guest, told, GUESTS)
        assert answers(told)["relay"] == answers(alone(host, guest)).get("relay") or guest.domain in silent
        if guest.domain in silent:
            assert [t.verdict for t in told[-2].transactions[:2]] == [None, None]
        else:
            assert answers(told) == answers(alone(host, guest))
    assert visited.visit.connections <= len(GUESTS) + 2


def test_a_relay_question_that_was_cut_off_is_asked_once_more_alone() -> None:
    host = RuleServer(limit=10, ending="eof")
    visited = shared(host)
    assert [s.purpose for s in visited.told["echo.test"]] == ["main", "relay"]
    assert host.received[1][-4:] == ["MAIL FROM:<postmaster@probe.test>", RELAY, "RSET", "QUIT"]
    (first, relay) = visited.told["alfa.test"]
    assert (first.end is not None, relay.transactions[0].rcpt is not None) == (True, True)


def test_whoever_shuts_the_door_on_the_second_connection_is_told_to_those_who_stood_there() -> None:
    class Tired(RuleServer):
        async def run(self, script):  # type: ignore[no-untyped-def]
            self.fault = "421" if self.received else ""
            return await RuleServer.run(self, script)

    visited = shared(Tired(limit=4))
    assert [s.purpose for s in visited.told["alfa.test"]] == ["main"]
    assert visited.told["bravo.test"][0].transactions[1].verdict is not None
    for name in NAMES[2:]:
        (session,) = visited.told[name]
        assert session.greeting is not None
        assert (session.greeting.code, {t.recipient for t in session.transactions}) == (
            421,
            {f"postmaster@{name}", "postmaster@example.com"},
        )
    assert visited.visit.connections == 2
    again = result_of(visited.visit.run(GUESTS[:2]))
    assert (visited.visit.connections, again["alfa.test"][0].greeting.code) == (2, 421)  # type: ignore[union-attr]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("fault", ["", "handshake", "group"])
def test_where_the_time_is_up_everybody_is_told_so(fault: str, tls: bool, pipelining: bool) -> None:
    """Sixty seconds for each, together: who was asked in them has answers, the others a reason."""
    for pace in (1.0, 3.0, 7.0, 11.0, 13.0):
        guests = [options(name, timeout=12.0) for name in NAMES]
        host = RuleServer(fault=fault, starttls=tls, pipelining=pipelining, seconds_per_step=pace)
        visited = shared(host, guests, most=3)
        for guest in guests:
            told = visited.told[guest.domain]
            check_sessions(guest, told, guests)
            left = [t for t in told[-1].transactions if t.verdict is None]
            assert not left or told[-1].end is not None
            check_verdict(observation(endpoint_of(told)))


def test_who_had_no_turn_is_told_of_the_time_that_ran_out() -> None:
    guests = [options(name, timeout=12.0) for name in NAMES]
    visited = shared(RuleServer(pipelining=False, starttls=False, seconds_per_step=9.0), guests)
    last = visited.told["echo.test"][0]
    assert last.end is not None
    assert (last.end.step, last.end.kind, last.end.at) == ("MAIL", "budget", last.transcript[-1]["at"])
    told = verdicts(visited.told["echo.test"])
    assert [message for code, *_, message in told if code == "smtp.not_tested"] == [
        "Not tested: the null sender, postmaster and relaying; the time for this endpoint ran out at MAIL."
    ]


def test_a_second_visit_is_named_so() -> None:
    visit = EndpointProbe(
        RuleServer(starttls=False), GUESTS[0], ADDRESS, NAME, SEED, max_domains=10, purpose="revisit"
    )
    told = result_of(visit.run(GUESTS))
    assert {s.purpose for sessions in told.values() for s in sessions} == {"revisit"}


def test_a_plan_of_one_guest_takes_quit_along_and_of_several_does_not() -> None:
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


codes = st.sampled_from(
    ["250 2.1.5 ok", "550 5.1.1 no such user", "450 4.2.0 later", "554 5.7.1 no", "252 hm"]
)
hosts = st.builds(
    RuleServer,
    fault=st.sampled_from([fault for fault in FAULTS if fault != "rset"]) | st.just(""),
    pipelining=st.booleans(),
    starttls=st.booleans(),
    mail_replies=st.dictionaries(st.sampled_from(["", "postmaster@probe.test"]), codes, max_size=1),
    rcpt_replies=st.dictionaries(
        st.sampled_from([f"postmaster@{name}" for name in (*NAMES, "example.com", "example.net")]), codes
    ),
    limit=st.just(10**6) | st.integers(3, 12),
    limited_verb=st.sampled_from(["MAIL", "RCPT", "RSET"]),
    ending=st.sampled_from(ENDINGS),
)
everybody = [*GUESTS, options("example.com")]
parties = st.lists(st.sampled_from(everybody), min_size=1, max_size=6, unique_by=lambda guest: guest.domain)


@pytest.mark.slow
@settings(steady, max_examples=60)
@given(hosts, parties, st.integers(1, 6), st.integers(0, 6))
def test_whoever_shares_a_server_gets_the_same_answers(
    host: RuleServer, guests: list[Options], most: int, split: int
) -> None:
    visit = EndpointProbe(host, guests[0], ADDRESS, NAME, SEED, max_domains=most)
    told: dict[str, tuple[Session, ...]] = {}
    for party in filter(None, (guests[:split], guests[split:])):
        told |= result_of(visit.run(party))
    assert len(host.received) == visit.connections <= 3 * len(guests) + 2 * (4 + 1 + 3)
    for guest in guests:
        check_sessions(guest, told[guest.domain], [g for g in guests if g.domain != "example.com"])
        sessions = alone(host, guest)
        assert answers(told[guest.domain]) == answers(sessions)
        assert verdicts(told[guest.domain]) == verdicts(sessions)


@pytest.mark.slow
@settings(steady, max_examples=60)
@given(st.data(), NETWORK_FAULTS, parties, st.integers(1, 6))
def test_in_any_weather_everybody_is_told_something(
    data: st.DataObject, faults: NetworkFaults, guests: list[Options], most: int
) -> None:
    server = fuzz_server(data, faults)
    visit = EndpointProbe(server, guests[0], ADDRESS, NAME, SEED, max_domains=most)
    told = result_of(visit.run(guests))
    assert set(told) == {guest.domain for guest in guests}
    assert server.connections == visit.connections <= 3 * len(guests) + 4 + 1 + 2 * 3
    for guest in guests:
        sessions = told[guest.domain]
        assert sessions[0].purpose == "main"
        check_verdict(observation(endpoint_of(sessions)))
        for other in guests:
            if other.domain not in (guest.domain, "example.com"):
                said = [str(entry.get("data", "")) for s in sessions for entry in s.transcript]
                assert other.domain not in "".join(said)
