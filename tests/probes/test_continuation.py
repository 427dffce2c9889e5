"""A server that closes after a refusal, or refuses RSET: the next connection begins with what is left."""

from dataclasses import replace

import pytest

from checker_smtp.probes.endpoint import EndpointProbe, transactions_for
from checker_smtp.probes.endpoint.reducer import advance
from checker_smtp.probes.endpoint.retry_conditions import answered
from checker_smtp.probes.endpoint.session import SessionSpec, SharedSession
from checker_smtp.probes.observation import Session
from checker_smtp.testing import RuleServer, ScriptedServer
from tests.probes.connections import (
    ALFA,
    BRAVO,
    RELAY,
    SPEC,
    connection,
    ended,
    names,
    purposes,
    reply,
    started,
)
from tests.probes.dialogues import (
    ASKED,
    BYE,
    FLIGHT,
    NULL,
    PIPELINING,
    PLAIN,
    POSTMASTER,
    codes,
)
from tests.probes.dialogues import (
    RELAY as RELAY_ASKED,
)
from tests.probes.fuzzing import result_of
from tests.probes.sessions import answers, endpoint_of, probe_endpoint
from tests.probes.world import options

ADDRESS, SEED = "192.0.2.7", 7
QUESTIONS = ("null-sender", "postmaster", "relay")
REFUSED = "S: 550 5.1.1 no such user\n"
NULL_REFUSED = NULL.rpartition("S: 250 ok\n    C: RSET")[0] + REFUSED
POSTMASTER_REFUSED = POSTMASTER.rpartition("S: 250 ok\n    C: RSET")[0] + REFUSED
NO_RSET = NULL.replace("C: RSET\n    S: 250", "C: RSET\n    S: 502")
CLOSED = ["-- eof", "-- reset", "S: 421 4.7.0 too many errors\n"]


def closed(spec: SessionSpec | None, *replies: int, kind: str = "closed") -> SharedSession:
    """The result of a connection that answered these RCPT, and then closed."""
    assert spec is not None
    shared = connection(spec, answered=0)
    flight = spec.domain_flights[0] if spec.domain_flights else spec.transactions
    heard = [
        replace(t, mail=reply(250), rcpt=reply(code), rset=reply(250) if number < len(replies) else None)
        for number, (t, code) in enumerate(zip(flight, replies, strict=False), 1)
    ]
    session = replace(
        shared.common,
        transactions=(*heard, *flight[len(heard) :]),
        end=ended("RSET", kind),
    )
    sessions = (session,) if spec.domain_flights else ()
    return replace(shared, sessions=sessions, common=session)


# as data


def test_the_next_connection_has_exactly_the_questions_that_are_left() -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, closed(spec, 550))
    left = transactions_for(ALFA)[1:]
    assert spec == replace(SPEC, purpose="continued", pipelining=False, budget=59.0, transactions=left)
    state, spec = advance(state, closed(spec, 550))
    assert spec is not None
    assert (spec.purpose, spec.transactions) == ("continued", RELAY)
    state, spec = advance(state, connection(spec))
    assert (spec, purposes(state)) == (None, ["main", "continued", "continued"])


def test_there_are_two_at_most() -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, closed(spec, 550))
    for _ in range(2):
        shared = closed(spec, 550)
        assert spec is not None
        # refused once more, and none of the questions answered
        heard = (replace(shared.common.transactions[0], purpose="another"), *spec.transactions)
        state, spec = advance(state, replace(shared, common=replace(shared.common, transactions=heard)))
    assert (spec, purposes(state)) == (None, ["main", "continued", "continued"])


@pytest.mark.parametrize("kind", ["timeout", "budget", "syntax.code"])
def test_an_end_that_the_server_did_not_choose_is_not_continued(kind: str) -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, closed(spec, 550, kind=kind))
    assert (spec, purposes(state)) == (None, ["main"])


def test_a_close_without_a_refusal_is_not_continued() -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, closed(spec, 250))
    assert (spec, purposes(state)) == (None, ["main"])


@pytest.mark.parametrize("code", [421, 500, 503])
def test_a_close_after_a_reply_about_commands_is_not_continued(code: int) -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, closed(spec, code))
    assert (spec, purposes(state)) == (None, ["main"])


def test_nothing_left_is_not_continued() -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, closed(spec, 550, 550, 554))
    assert (spec, purposes(state)) == (None, ["main"])


def test_it_takes_time() -> None:
    state, spec = started(ALFA)
    state, spec = advance(state, replace(closed(spec, 550), seconds=60.0))
    assert (spec, purposes(state)) == (None, ["main"])


def test_of_several_domains_each_continues_alone_and_the_relay_probe_is_asked_for_all() -> None:
    state, spec = started(ALFA, BRAVO)
    state, spec = advance(state, closed(spec, 550))
    assert names(spec) == ["bravo.test"]
    state, spec = advance(state, connection(spec, answered=1))
    assert spec is not None
    assert (spec.purpose, spec.transactions) == ("main", RELAY)
    state, spec = advance(state, connection(spec))
    assert spec is not None
    assert (spec.purpose, spec.transactions) == ("continued", transactions_for(ALFA)[1:2])
    state, spec = advance(state, connection(spec))
    assert (spec, purposes(state), purposes(state, BRAVO)) == (
        None,
        ["main", "relay", "continued"],
        ["main", "relay"],
    )
    assert not any("alfa.test" in key[0].recipient for key in state.controls)


# as dialogues


async def visited(*plays: str) -> tuple[Session, ...]:
    servers = ScriptedServer({ADDRESS: plays})
    sessions = await probe_endpoint(options(), servers, ADDRESS, "mx.example.org", SEED)
    servers.expect_end()
    return sessions


@pytest.mark.anyio
@pytest.mark.parametrize("end", CLOSED)
@pytest.mark.parametrize("offered", [PLAIN, PIPELINING])
async def test_a_refusal_heard_counts_and_the_rest_is_asked(offered: str, end: str) -> None:
    by_one = "C: RSET\n" + end + (BYE if "421" in end else "")
    flight = FLIGHT + "S: 250 ok\n" + REFUSED + end + ("-- eof" if "421" in end else "")
    sessions = await visited(
        offered + (flight if offered == PIPELINING else NULL_REFUSED + by_one),
        offered + POSTMASTER_REFUSED + by_one,
        offered + RELAY_ASKED + BYE,
    )
    assert [s.purpose for s in sessions] == ["main", "continued", "continued"]
    endpoint = endpoint_of(sessions)
    heard = [t.verdict.code for p in QUESTIONS if (t := endpoint.asked(p)) is not None and t.verdict]
    assert heard == [550, 550, 554]
    assert [len(list(answered(session))) for session in sessions] == [1, 1, 1]


@pytest.mark.anyio
@pytest.mark.parametrize("end", ["-- eof", "-- reset"])
async def test_a_flight_that_is_cut_before_the_first_refusal_is_asked_one_by_one_and_then_continued(
    end: str,
) -> None:
    sessions = await visited(
        PIPELINING + FLIGHT + "S: 250 ok\n" + end,
        PIPELINING + NULL_REFUSED + "C: RSET\n" + end,
        PIPELINING + POSTMASTER + RELAY_ASKED + BYE,
    )
    assert [s.purpose for s in sessions] == ["main", "one-by-one", "continued"]
    assert codes(sessions[1])[0] == "250 550 -"
    assert codes(sessions[2]) == ["250 250 250", "250 554 250"]


@pytest.mark.anyio
async def test_a_refused_rset_is_followed_by_a_connection_with_what_is_left() -> None:
    sessions = await visited(PLAIN + NO_RSET + BYE, PLAIN + POSTMASTER + RELAY_ASKED + BYE)
    assert [s.purpose for s in sessions] == ["main", "continued"]
    assert codes(sessions[0])[0] == "250 250 502"


@pytest.mark.anyio
@pytest.mark.parametrize("word", ["550 5.7.0 too many RSET", "421 4.7.0 too many RSET"])
async def test_rsets_that_are_counted_are_followed_by_a_connection_with_what_is_left(word: str) -> None:
    counted = NULL + POSTMASTER.replace("C: RSET\n    S: 250 ok", f"C: RSET\n    S: {word}")
    sessions = await visited(PLAIN + counted + BYE, PLAIN + RELAY_ASKED + BYE)
    assert [s.purpose for s in sessions] == ["main", "continued"]


@pytest.mark.anyio
async def test_a_503_to_mail_after_a_refused_rset_in_a_flight_is_no_answer() -> None:
    nested = "S: 250 ok\nS: 250 ok\nS: 502 what\n" + "S: 503 nested\nS: 250 ok\nS: 502 what\n" * 2
    sessions = await visited(
        PIPELINING + FLIGHT + nested + "S: 221 bye",
        PIPELINING + NO_RSET.replace("<>", "<postmaster@probe.test>") + BYE,
        PIPELINING + RELAY_ASKED + BYE,
    )
    assert [s.purpose for s in sessions] == ["main", "continued", "continued"]


@pytest.mark.anyio
async def test_a_continuation_that_is_not_answered_is_not_repeated() -> None:
    sessions = await visited(PLAIN + NULL_REFUSED + "C: RSET\n-- eof", "-- refused")
    assert [s.purpose for s in sessions] == ["main", "continued"]
    asked = endpoint_of(sessions).asked("null-sender")
    assert asked is not None
    assert asked.verdict is not None
    assert asked.verdict.code == 550


@pytest.mark.anyio
async def test_whatever_was_answered_in_full_is_one_connection() -> None:
    assert [s.purpose for s in await visited(PLAIN + ASKED)] == ["main"]


# in company

TESTED = [options(name) for name in ("alfa.test", "bravo.test", "charlie.test")]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("server", [RuleServer(fault="rset"), RuleServer(fault="refusal-closes")])
def test_each_of_several_domains_has_the_answers_that_it_would_have_alone(
    server: RuleServer, pipelining: bool
) -> None:
    refused = {
        "postmaster@bravo.test": "550 5.1.1 no such user",
        "postmaster@charlie.test": "450 4.2.0 later",
    }
    kind = replace(server, pipelining=pipelining, rcpt_replies=refused, received=[])
    host = replace(kind, received=[])
    probe = EndpointProbe(host, TESTED[0], ADDRESS, "mx.test", SEED, max_domains=10)
    sessions = result_of(probe.run(TESTED))
    for given in TESTED:
        alone = result_of(probe_endpoint(given, replace(kind, received=[]), ADDRESS, "mx.test", SEED))
        assert answers(sessions[given.domain]) == answers(alone)
        assert all(t.verdict is not None for t in map(endpoint_of(alone).asked, answers(alone)) if t)
        assert [s.purpose for s in alone].count("continued") <= 2
