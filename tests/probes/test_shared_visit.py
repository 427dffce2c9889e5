"""Many domains at one address: each has the result it would have had alone, and nothing of the others."""

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
from tests.probes.fuzz_server import WEATHERS, Chaos, NetworkFaults, result_of
from tests.probes.hosts import ENDINGS, FAULTS, Host, answers, endpoint_of, plain
from tests.probes.observations import observation
from tests.probes.test_properties import check_verdict
from tests.probes.world import options
from tests.sansio.strategies import steady

ADDRESS, NAME, SEED = "192.0.2.7", "mx.example.org", 7
NAMES = ("alfa.test", "bravo.test", "charlie.test", "delta.test", "echo.test")
DOMAINS = [options(name) for name in NAMES]
RELAY = "RCPT TO:<postmaster@example.com>"
MIXED = {"postmaster@bravo.test": "550 5.1.1 no such user", "postmaster@delta.test": "450 4.2.0 greylisted"}
# Where a group is not answered, only the first one's was sent: that one session is not the same for all.
GROUPS = ("group", "slow-group")


@dataclass
class Probed:
    """A probe and the sessions it returned, by domain."""

    probe: EndpointProbe
    sessions: dict[str, tuple[Session, ...]]


def shared(host: Host, domains: list[Options] = DOMAINS, max_domains: int = 10) -> Probed:
    """Probe all domains together."""
    probe = EndpointProbe(host, domains[0], ADDRESS, NAME, SEED, max_domains=max_domains)
    return Probed(probe, result_of(probe.run(domains)))


def alone(host: Host, domain: Options) -> tuple[Session, ...]:
    """Probe one domain with a server of its own."""
    return result_of(probe_endpoint(domain, replace(host, said=[]), ADDRESS, NAME, SEED))


def verdicts(sessions: tuple[Session, ...]) -> list[tuple[str, ...]]:
    """Return the findings without their evidence."""
    found = apply_rules(observation(endpoint_of(sessions)))
    return [(f.code, f.severity, f.outcome, f.subject, f.message) for f in found]


def check_sessions(domain: Options, sessions: tuple[Session, ...], others: list[Options]) -> None:
    """Assert the invariants of every session, for any server."""
    assert sessions
    for session in sessions:
        for reply in session.replies:
            got = str(session.transcript[reply.entry]["got"])
            assert reply.raw in got or reply.raw.endswith(got)
        if session.end is not None:
            assert session.end.entry == max(len(session.transcript) - 1, 0)
        for other in others:
            if other.domain != domain.domain:
                assert f"postmaster@{other.domain}" not in repr(session).replace(domain.probe_address, "")
    purposes = [session.purpose for session in sessions]
    assert len(set(purposes)) == len(purposes)


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "rset"])
def test_each_domain_has_the_result_it_would_have_had_alone(fault: str, pipelining: bool, tls: bool) -> None:
    host = Host(fault=fault, pipelining=pipelining, tls=tls, rcpt=MIXED, mail={"": "550 5.7.1 no"})
    probed = shared(host)
    for domain in DOMAINS:
        sessions, results = alone(host, domain), probed.sessions[domain.domain]
        check_sessions(domain, results, DOMAINS)
        first = 1 if fault in GROUPS and pipelining else 0
        assert list(map(plain, results[first:])) == list(map(plain, sessions[first:]))
        assert [s.purpose for s in results] == [s.purpose for s in sessions]
        assert answers(results) == answers(sessions)
        assert verdicts(results) == verdicts(sessions)
    assert probed.probe.connections == len(sessions)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("relays", [True, False])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "RSET"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_domain_is_lost_where_the_connection_ends(
    ending: str, verb: str, relays: bool, pipelining: bool
) -> None:
    """A server that takes so many commands on a connection, and as few as one domain alone has need of."""
    kind = Host(pipelining=pipelining, relays=relays, verb=verb, ending=ending, rcpt=MIXED)
    expected = {domain.domain: alone(replace(kind, limit=3), domain) for domain in DOMAINS}
    for limit in range(3, 13):
        host = replace(kind, limit=limit, said=[])
        probed = shared(host)
        for domain in DOMAINS:
            results = probed.sessions[domain.domain]
            check_sessions(domain, results, DOMAINS)
            assert answers(results) == answers(expected[domain.domain])
            assert limit % 4 or verdicts(results) == verdicts(expected[domain.domain])
        assert host.times(RELAY) <= 2  # once more where the first time was cut off
        per_connection = limit // 2
        assert probed.probe.connections <= -(-len(DOMAINS) // per_connection) + 1 + relays
        assert probed.probe.facts.max_domains <= max(per_connection, 1) or limit >= 2 * len(DOMAINS)


def test_the_first_answers_stand_and_the_others_are_asked_again() -> None:
    host = Host(limit=4)
    probed = shared(host)
    asked = [list(dict.fromkeys(re.findall("TO:<postmaster@(.*?)>", "|".join(said)))) for said in host.said]
    assert asked == [
        ["alfa.test", "bravo.test", "charlie.test"],
        ["charlie.test", "delta.test", "example.com"],
        ["echo.test", "example.com"],
    ]
    assert probed.probe.facts.max_domains == 2
    assert [s.purpose for s in probed.sessions["alfa.test"]] == ["main", "relay"]
    assert probed.sessions["alfa.test"][0].end is None


@pytest.mark.parametrize("pipelining", [True, False])
def test_the_relay_probe_and_its_control_are_sent_once(pipelining: bool) -> None:
    """Over several connections, several runs, and a copy of the probe."""
    host = Host(relays=True, pipelining=pipelining)
    probe = EndpointProbe(host, DOMAINS[0], ADDRESS, NAME, SEED, max_domains=2)
    results = result_of(probe.run(DOMAINS[:3]))
    results |= result_of(copy(probe).run(DOMAINS[3:]))
    assert host.times(RELAY) == 1
    assert host.times(f"RCPT TO:<{control_address(DOMAINS[0], SEED)}>") == 1
    assert len(host.said) == 4
    for domain in DOMAINS:
        assert answers(results[domain.domain]) == answers(alone(host, domain))
        assert "smtp.open_relay" in [code for code, *_ in verdicts(results[domain.domain])]


def test_a_domain_alone_has_one_flight_and_leaves_the_relay_probe_to_the_next() -> None:
    """A flight that names a domain is no evidence for another one, so the relay probe is sent once more."""
    host = Host()
    probe = EndpointProbe(host, DOMAINS[0], ADDRESS, NAME, SEED, max_domains=10)
    for domain in DOMAINS:
        results = result_of(probe.run([domain]))[domain.domain]
        assert answers(results) == answers(alone(host, domain))
        check_sessions(domain, results, DOMAINS)
    assert (host.times(RELAY), probe.connections) == (2, len(DOMAINS))
    first = shared(Host(), DOMAINS[:1]).sessions["alfa.test"][0]
    writes = [str(entry["data"]) for entry in first.transcript if entry["do"] == "send"]
    assert writes[-1].count("\r\n") == 10


@pytest.mark.parametrize("max_domains", [1, 2, 10])
@pytest.mark.parametrize("relays", [True, False])
@pytest.mark.parametrize("first", [0, 2])
def test_the_domain_of_the_probe_address_has_another_one(first: int, relays: bool, max_domains: int) -> None:
    """`example.com` takes its own postmaster, which says nothing about relaying."""
    host = Host(relays=relays, rcpt={"postmaster@example.com": "250 ok"})
    domains = [*DOMAINS[:2], options("example.com"), *DOMAINS[2:]]
    domains.insert(0, domains.pop(first))
    probed = shared(host, domains, max_domains)
    for domain in domains:
        results = probed.sessions[domain.domain]
        assert answers(results) == answers(alone(host, domain))
        assert verdicts(results) == verdicts(alone(host, domain))
        assert [t.recipient for s in results for t in s.transactions if t.purpose == "relay"] == [
            domain.probe_address
        ]
        check_sessions(domain, results, DOMAINS)


def test_there_is_no_shared_flight_where_no_domain_shares_the_probe() -> None:
    domains = [options("example.com"), options("example.net", test_probe_address="a@example.net")]
    host = Host()
    probed = shared(host, domains)
    assert probed.probe.connections == 1
    assert [session.purpose for session in probed.sessions["example.net"]] == ["main"]


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
def test_questions_switched_off_are_sent_for_no_domain(off: tuple[str, ...], pipelining: bool) -> None:
    domains = [options(name, **{f"test_{question}": False for question in off}) for name in NAMES]
    host = Host(pipelining=pipelining)
    probed = shared(host, domains)
    assert probed.probe.connections == 1
    for domain in domains:
        assert plain(probed.sessions[domain.domain][0]) == plain(alone(host, domain)[0])
        assert len(probed.sessions[domain.domain]) == 1


def test_421_for_the_only_question_of_a_domain_is_no_answer_to_it() -> None:
    domains = [options(name, test_null_sender=False, test_open_relay=False) for name in NAMES]
    probed = shared(Host(limit=2), domains)
    assert [answers(results)["postmaster"].split()[2] for results in probed.sessions.values()] == ["250"] * 5
    assert probed.probe.connections == 3


def test_421_to_the_last_rset_is_not_out_of_step() -> None:
    """The end after it belongs to every domain, and is no fault of the groups."""
    host = Host(limit=5, verb="RSET", ending="421")
    probed = shared(host)
    assert "one-by-one" not in {s.purpose for results in probed.sessions.values() for s in results}


@pytest.mark.parametrize("ending", ["timeout", "eof"])
def test_a_domain_without_any_reply_does_not_harm_the_others(ending: str) -> None:
    """Two of them: each is asked for once more, one by one where that was not tried yet."""
    silent = ("charlie.test", "echo.test")
    host = Host(rcpt={f"postmaster@{name}": ending for name in silent})
    probed = shared(host)
    for domain in DOMAINS:
        results = probed.sessions[domain.domain]
        check_sessions(domain, results, DOMAINS)
        assert (
            answers(results)["relay"] == answers(alone(host, domain)).get("relay") or domain.domain in silent
        )
        if domain.domain in silent:
            assert [t.verdict for t in results[-2].transactions[:2]] == [None, None]
        else:
            assert answers(results) == answers(alone(host, domain))
    assert probed.probe.connections <= len(DOMAINS) + 2


def test_a_relay_question_that_was_cut_off_is_asked_once_more_alone() -> None:
    host = Host(limit=10, ending="eof")
    probed = shared(host)
    assert [s.purpose for s in probed.sessions["echo.test"]] == ["main", "relay"]
    assert host.said[1][-4:] == ["MAIL FROM:<postmaster@probe.test>", RELAY, "RSET", "QUIT"]
    (first, relay) = probed.sessions["alfa.test"]
    assert (first.end is not None, relay.transactions[0].rcpt is not None) == (True, True)


def test_a_refusal_of_the_second_connection_is_the_result_of_its_domains() -> None:
    class Busy(Host):
        async def run(self, script):  # type: ignore[no-untyped-def]
            self.fault = "421" if self.said else ""
            return await Host.run(self, script)

    probed = shared(Busy(limit=4))
    assert [s.purpose for s in probed.sessions["alfa.test"]] == ["main"]
    assert probed.sessions["bravo.test"][0].transactions[1].verdict is not None
    for name in NAMES[2:]:
        (session,) = probed.sessions[name]
        assert session.greeting is not None
        assert (session.greeting.code, {t.recipient for t in session.transactions}) == (
            421,
            {f"postmaster@{name}", "postmaster@example.com"},
        )
    assert probed.probe.connections == 2
    again = result_of(probed.probe.run(DOMAINS[:2]))
    assert (probed.probe.connections, again["alfa.test"][0].greeting.code) == (2, 421)  # type: ignore[union-attr]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("fault", ["", "handshake", "group"])
def test_domains_beyond_the_budget_have_sessions_that_say_so(fault: str, tls: bool, pipelining: bool) -> None:
    """Sixty seconds per domain, shared: domains asked in that time have answers, the others a reason."""
    for pace in (1.0, 3.0, 7.0, 11.0, 13.0):
        domains = [options(name, timeout=12.0) for name in NAMES]
        host = Host(fault=fault, tls=tls, pipelining=pipelining, pace=pace)
        probed = shared(host, domains, max_domains=3)
        for domain in domains:
            results = probed.sessions[domain.domain]
            check_sessions(domain, results, domains)
            left = [t for t in results[-1].transactions if t.verdict is None]
            assert not left or results[-1].end is not None
            check_verdict(observation(endpoint_of(results)))


def test_a_domain_without_a_flight_ends_by_the_budget() -> None:
    domains = [options(name, timeout=12.0) for name in NAMES]
    probed = shared(Host(pipelining=False, tls=False, pace=9.0), domains)
    last = probed.sessions["echo.test"][0]
    assert last.end is not None
    assert (last.end.step, last.end.kind, last.end.at) == ("MAIL", "budget", last.transcript[-1]["at"])
    results = verdicts(probed.sessions["echo.test"])
    assert [message for code, *_, message in results if code == "smtp.not_tested"] == [
        "Not tested: the null sender, postmaster and relaying; the session ended (budget) at MAIL."
    ]


def test_the_purpose_of_a_retry_is_that_of_its_sessions() -> None:
    probe = EndpointProbe(Host(tls=False), DOMAINS[0], ADDRESS, NAME, SEED, max_domains=10, purpose="revisit")
    results = result_of(probe.run(DOMAINS))
    assert {s.purpose for sessions in results.values() for s in sessions} == {"revisit"}


def test_quit_rides_with_one_domain_and_not_with_several() -> None:
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
    Host,
    fault=st.sampled_from([fault for fault in FAULTS if fault != "rset"]) | st.just(""),
    pipelining=st.booleans(),
    tls=st.booleans(),
    mail=st.dictionaries(st.sampled_from(["", "postmaster@probe.test"]), codes, max_size=1),
    rcpt=st.dictionaries(
        st.sampled_from([f"postmaster@{name}" for name in (*NAMES, "example.com", "example.net")]), codes
    ),
    limit=st.just(10**6) | st.integers(3, 12),
    verb=st.sampled_from(["MAIL", "RCPT", "RSET"]),
    ending=st.sampled_from(ENDINGS),
)
everybody = [*DOMAINS, options("example.com")]
parties = st.lists(st.sampled_from(everybody), min_size=1, max_size=6, unique_by=lambda domain: domain.domain)


@settings(steady, max_examples=60)
@given(hosts, parties, st.integers(1, 6), st.integers(0, 6))
def test_domains_that_share_a_server_get_the_same_answers(
    host: Host, domains: list[Options], max_domains: int, split: int
) -> None:
    probe = EndpointProbe(host, domains[0], ADDRESS, NAME, SEED, max_domains=max_domains)
    results: dict[str, tuple[Session, ...]] = {}
    for party in filter(None, (domains[:split], domains[split:])):
        results |= result_of(probe.run(party))
    assert len(host.said) == probe.connections <= len(domains) + 2 * (4 + 1 + 2)
    for domain in domains:
        check_sessions(domain, results[domain.domain], [g for g in domains if g.domain != "example.com"])
        sessions = alone(host, domain)
        assert answers(results[domain.domain]) == answers(sessions)
        assert verdicts(results[domain.domain]) == verdicts(sessions)


@settings(steady, max_examples=60)
@given(st.data(), WEATHERS, parties, st.integers(1, 6))
def test_every_domain_has_a_result_under_any_network_faults(
    data: st.DataObject, weather: NetworkFaults, domains: list[Options], max_domains: int
) -> None:
    chaos = Chaos(data, weather)
    probe = EndpointProbe(chaos, domains[0], ADDRESS, NAME, SEED, max_domains=max_domains)
    results = result_of(probe.run(domains))
    assert set(results) == {domain.domain for domain in domains}
    assert chaos.connections == probe.connections <= len(domains) + 4 + 1 + 2 * 2
    for domain in domains:
        sessions = results[domain.domain]
        assert sessions[0].purpose == "main"
        check_verdict(observation(endpoint_of(sessions)))
        for other in domains:
            if other.domain not in (domain.domain, "example.com"):
                said = [str(entry.get("data", "")) for s in sessions for entry in s.transcript]
                assert other.domain not in "".join(said)
