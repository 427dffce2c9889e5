"""From one connection to the next, as data: no runner, no clock, no event loop."""

from dataclasses import replace

import pytest

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.endpoint.fallbacks import FALLBACKS
from checker_smtp.probes.endpoint.reducer import advance, begin, settled, without_waiting
from checker_smtp.probes.endpoint.session import SessionSpec, SharedSession
from checker_smtp.probes.observation import Keyword, Session
from tests.probes.connections import (
    ALFA,
    BRAVO,
    CHARLIE,
    DOMAINS,
    OPEN,
    RELAY,
    SEED,
    SPEC,
    broken,
    connection,
    ended,
    facts,
    names,
    purposes,
    reply,
    started,
)
from tests.probes.world import options

# questions


def test_one_domain_alone_has_all_its_transactions_in_one_flight() -> None:
    state, spec = started(ALFA)
    assert spec == replace(SPEC, domain_flights=(transactions_for(ALFA),))
    state, spec = advance(state, connection(spec))
    assert (spec, purposes(state)) == (None, ["main"])


def test_several_domains_have_a_flight_each_and_the_relay_probe_in_common() -> None:
    state, spec = started()
    assert spec is not None
    assert spec.domain_flights == tuple(transactions_for(domain)[:-1] for domain in DOMAINS)
    assert (spec.transactions, spec.budget) == (RELAY, 180.0)
    state, spec = advance(state, connection(spec))
    assert spec is None
    assert [len(state.sessions[domain.domain]) for domain in DOMAINS] == [1, 1, 1]


def test_a_domain_whose_options_ask_nothing_needs_its_connection_all_the_same() -> None:
    silent = options(test_null_sender=False, test_postmaster=False, test_open_relay=False)
    state, spec = started(silent)
    assert spec is not None
    assert spec.domain_flights == ((),)
    assert advance(state, connection(spec))[1] is None


def test_no_more_than_max_domains_share_a_connection() -> None:
    state, spec = started(known=facts(max_domains=2))
    assert names(spec) == ["alfa.test", "bravo.test"]
    state, spec = advance(state, connection(spec))
    assert names(spec) == ["charlie.test"]


def test_unanswered_domains_go_first_on_the_next_connection_which_takes_no_more_than_were_answered() -> None:
    state, spec = started()
    state, spec = advance(state, connection(spec, answered=1))
    assert (names(spec), state.facts.max_domains) == (["bravo.test"], 1)
    state, spec = advance(state, connection(spec))
    assert (names(spec), spec and spec.transactions) == (["charlie.test"], ())  # the relay probe was answered


def test_421_for_a_domain_that_is_not_the_first_is_no_answer() -> None:
    state, spec = started(ALFA, BRAVO)
    shared = connection(spec)
    refused = tuple(replace(t, mail=reply(421)) for t in shared.sessions[1].transactions)
    shared = replace(shared, sessions=(shared.sessions[0], replace(shared.sessions[1], transactions=refused)))
    state, spec = advance(state, shared)
    assert names(spec) == ["bravo.test"]


def test_the_first_domain_of_a_connection_is_not_asked_again() -> None:
    state, spec = started(ALFA, BRAVO)
    state, spec = advance(state, connection(spec, answered=0))
    assert names(spec) == ["bravo.test"]
    assert [t.verdict for t in state.sessions["alfa.test"][0].transactions] == [None] * 3


def test_a_domain_that_the_shared_probe_is_not_meant_for_does_not_get_its_answer() -> None:
    probed = options("example.com")
    state, spec = started(ALFA, probed)
    assert spec is not None
    assert spec.domain_flights[1][-1].recipient == "postmaster@example.net"
    state, spec = advance(state, connection(spec))
    assert len(state.sessions["example.com"][0].transactions) == 3


def test_advance_leaves_the_state_it_was_given_alone() -> None:
    state, spec = started()
    before, shared = repr(state), connection(spec, answered=1)
    assert advance(state, shared) == advance(state, shared)
    assert repr(state) == before


# fallbacks

DROPPED = replace(OPEN, ehlo=reply(550), end=ended("HELO"))
NO_NAME = replace(OPEN, starttls=reply(220), end=ended("TLS", "tls", "tlsv1 unrecognized name"))
NO_TLS = replace(OPEN, starttls=reply(220), end=ended("TLS", "tls"))
REFUSED = replace(OPEN, greeting=reply(554))


def out_of_step(spec: SessionSpec | None) -> SharedSession:
    shared = connection(spec, answered=0)
    pipelining = (Keyword(keyword="PIPELINING"),)
    return replace(
        shared,
        sessions=tuple(replace(session, capabilities=pipelining) for session in shared.sessions),
        common=replace(shared.common, capabilities=pipelining),
    )


@pytest.mark.parametrize(
    ("number", "fault"),
    [(0, DROPPED), (1, NO_NAME), (2, NO_TLS), (3, None)],
    ids=["EHLO drops", "server name", "TLS", "group"],
)
def test_each_fault_has_its_fallback(number: int, fault: Session | None) -> None:
    state, spec = started()
    state, after = advance(state, broken(spec, fault) if fault else out_of_step(spec))
    assert spec is not None
    changed = FALLBACKS[number].change(replace(spec, budget=179.0))
    assert after == changed != replace(spec, budget=179.0)
    assert (len(state.facts.failed_attempts), state.facts.spec.purpose) == (1, changed.purpose)
    state, after = advance(state, connection(after))
    assert after is None
    assert purposes(state) == purposes(state, CHARLIE) == ["main", changed.purpose]


def test_fallbacks_are_taken_from_top_to_bottom_and_each_once() -> None:
    state, spec = started(ALFA)
    for fault in (DROPPED, NO_NAME, NO_TLS):
        state, spec = advance(state, broken(spec, fault))
    state, spec = advance(state, out_of_step(spec))
    assert purposes(state) == ["main", "helo-only", "without-sni", "without-tls"]
    state, spec = advance(state, broken(spec, DROPPED))
    assert (spec, purposes(state)[-1]) == (None, "one-by-one")


def test_later_domains_begin_with_the_fallback_and_have_the_failed_attempt_as_theirs() -> None:
    state, spec = started(known=facts(max_domains=1))
    state, spec = advance(state, broken(spec, NO_TLS))
    state, spec = advance(state, connection(spec))
    assert spec is not None
    assert (spec.purpose, spec.starttls, names(spec)) == ("without-tls", False, ["bravo.test"])
    (attempt,) = state.sessions["bravo.test"]
    assert (attempt.purpose, attempt.transactions) == ("main", transactions_for(BRAVO))


def test_a_fault_in_a_later_domains_flight_is_no_fault_of_the_connection() -> None:
    state, spec = started()
    shared = out_of_step(spec)
    shared = replace(
        shared, sessions=(replace(shared.head, transactions=connection(spec).head.transactions),)
    )
    state, spec = advance(state, shared)
    assert spec is not None
    assert spec.purpose == "main"


# connections that reach no question


def test_a_refusal_before_any_question_is_the_result_of_every_domain() -> None:
    state, spec = started(known=facts(max_domains=1))
    state, spec = advance(state, broken(spec, REFUSED))
    assert spec is None
    for domain in DOMAINS:
        (session,) = state.sessions[domain.domain]
        assert (session.greeting, session.transactions) == (REFUSED.greeting, transactions_for(domain))
    again, spec = begin(state.facts, [BRAVO], SEED, {})
    assert (spec, again.sessions["bravo.test"]) == (None, state.sessions["bravo.test"])


# time


def test_domains_without_time_left_have_sessions_that_say_so() -> None:
    state, spec = started(known=facts(max_domains=1))
    state, spec = advance(state, connection(spec, seconds=180.0))
    assert spec is None
    assert state.sessions["alfa.test"][0].end is None
    for domain in (BRAVO, CHARLIE):
        session = state.sessions[domain.domain][0]
        assert session.end == ended("MAIL", "budget")
        assert session.transactions == transactions_for(domain)
        assert purposes(state, domain) == ["main", "relay"]  # that one was answered for alfa.test


def test_an_unanswered_domain_without_time_left_keeps_what_it_met() -> None:
    state, spec = started(ALFA, BRAVO)
    state, spec = advance(state, connection(spec, answered=1, seconds=500.0))
    assert spec is None
    assert state.sessions["bravo.test"][0].end == ended("MAIL")


def test_the_budget_of_the_next_connection_is_the_time_left() -> None:
    state, spec = started(known=facts(max_domains=1))
    state, spec = advance(state, connection(spec, seconds=100.5))
    assert spec is not None
    assert spec.budget == 79.5


@pytest.mark.parametrize("fault", [NO_TLS, DROPPED])
def test_a_fallback_takes_time(fault: Session) -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, broken(spec, fault, seconds=60.0))
    assert (spec, purposes(state)) == (None, ["main"])


# relaying


def relay_cut(spec: SessionSpec | None, seconds: float = 1.0) -> SharedSession:
    """All domains answered, the shared flight not."""
    assert spec is not None
    return connection(spec, answered=len(spec.domain_flights), seconds=seconds)


def test_a_relay_probe_that_was_cut_off_is_asked_once_for_all_domains() -> None:
    state, spec = started()
    state, spec = advance(state, relay_cut(spec))
    assert spec == replace(SPEC, budget=179.0, transactions=RELAY)
    state, spec = advance(state, connection(spec))
    assert spec is None
    assert [purposes(state, domain) for domain in DOMAINS] == [["main", "relay"]] * 3
    again, spec = begin(state.facts, DOMAINS, SEED, {})
    assert spec is not None
    assert spec.transactions == ()
    again, spec = advance(again, connection(spec))
    assert (spec, purposes(again)) == (None, ["main", "relay"])


def test_a_relay_probe_that_is_cut_off_twice_stays_open() -> None:
    state, spec = started()
    state, spec = advance(state, relay_cut(spec))
    state, spec = advance(state, relay_cut(spec))
    assert (spec, purposes(state), state.facts.relay) == (None, ["main"], None)


def test_without_time_left_the_relay_probe_is_not_asked_again() -> None:
    state, spec = started()
    shared = relay_cut(spec, seconds=180.0)
    still_open = tuple(replace(session, end=None) for session in shared.sessions)
    state, spec = advance(state, replace(shared, sessions=still_open))
    assert spec is None
    assert [state.sessions[d.domain][0].end for d in DOMAINS] == [ended("MAIL", "budget")] * 3


def test_one_domain_has_the_relay_probe_in_its_own_flight_and_no_second_one() -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, connection(spec, answered=0))
    assert (spec, state.facts.relay) == (None, None)


# a run that ends before all domains were asked


def test_a_run_goes_on_without_the_domains_that_wait() -> None:
    state, spec = started(known=facts(max_domains=1))
    state, spec = advance(state, connection(spec))
    assert names(spec) == ["bravo.test"]
    left, spec = without_waiting(state, spec)
    assert (spec, set(left.sessions)) == (None, {"alfa.test"})


def test_the_only_domains_of_a_run_are_kept() -> None:
    state, spec = started(ALFA, BRAVO)
    state, after = advance(state, broken(spec, NO_TLS))
    assert without_waiting(state, after) == (state, after)


def test_no_domain_waits_once_relaying_is_asked() -> None:
    state, spec = started()
    state, spec = advance(state, relay_cut(spec))
    assert without_waiting(state, spec) == (state, spec)


def test_a_stopped_run_returns_the_domains_that_need_nothing_else() -> None:
    state, spec = started()
    state, spec = advance(state, connection(spec))
    again, spec = begin(replace(state.facts, max_domains=1), DOMAINS, SEED, {})
    again, spec = advance(again, connection(spec))
    assert purposes(settled(again)) == ["main", "relay"]
    assert set(settled(again).sessions) == {"alfa.test"}


def test_a_stopped_run_returns_no_domain_without_an_answer_about_relaying() -> None:
    state, spec = started()
    state, spec = advance(state, relay_cut(spec))
    assert settled(state).sessions == {}


def test_a_421_to_the_first_mail_is_that_of_every_domain_and_names_none() -> None:
    state, spec = started()
    shared = connection(spec, answered=0)
    first, *others = shared.head.transactions
    closing = replace(
        shared.head,
        transactions=(replace(first, mail=reply(421)), *others),
        transcript=({"do": "send", "data": "MAIL FROM:<>\r\nRCPT TO:<postmaster@alfa.test>\r\n", "at": 0.1},),
    )
    state, spec = advance(state, replace(shared, sessions=(closing,)))
    assert spec is None
    (session,) = state.sessions["bravo.test"]
    assert [t.mail is not None and t.mail.code for t in session.transactions] == [421, False, False]
    assert session.transactions[0].recipient == "postmaster@bravo.test"
    assert session.transcript[0]["data"] == "MAIL FROM:<>\r\n"
    assert "alfa.test" in str(state.sessions["alfa.test"][0].transcript)
