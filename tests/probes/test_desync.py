"""A reply to no command, before or behind EHLO: the session is brought in step, and the reply is found."""

import pytest

from checker_smtp.probes.observation import Session
from checker_smtp.probes.rules import Finding, apply_rules
from checker_smtp.testing import ScriptedServer
from tests.probes.dialogues import ASKED, BYE
from tests.probes.observations import observation
from tests.probes.sessions import endpoint_of, probe_endpoint
from tests.probes.world import options

pytestmark = pytest.mark.anyio

ADDRESS, SEED = "192.0.2.7", 7
STRAY = "500 5.5.1 command not recognized"
EHLO, HELO = "C: EHLO probe.test\n", "C: HELO probe.test\n"
OFFERS = "250-mx.example.org\nS+ 250-SIZE 1000000\nS+ 250 8BITMIME\n"
AGAIN = EHLO + "S: " + OFFERS

WITH_THE_GREETING = f"S: 220 mx.example.org\nS+ {STRAY}\n" + AGAIN
BEHIND_EHLO = f"S: 220 mx.example.org\n{EHLO}S: {OFFERS}S+ {STRAY}\n"
IN_ONE_READ = f"S: 220 mx.example.org\n{EHLO}S: {STRAY}\nS+ {OFFERS}{HELO}S: 250 mx.example.org\n{AGAIN}"
ONE_LATE = f"S: 220 mx.example.org\n{EHLO}S: {STRAY}\n{HELO}S: {OFFERS}"
ONE_LATE_AND_MORE = f"{ONE_LATE}S+ 250 mx.example.org\n{AGAIN}"
ONE_LATE_THEN_MORE = f"{ONE_LATE}S: 250 mx.example.org\n{AGAIN}"


async def visited(play: str) -> tuple[tuple[Session, ...], list[Finding]]:
    servers = ScriptedServer({ADDRESS: play})
    sessions = await probe_endpoint(options(), servers, ADDRESS, "mx.example.org", SEED)
    servers.expect_end()
    return sessions, list(apply_rules(observation(endpoint_of(sessions))))


@pytest.mark.parametrize(
    "play", [WITH_THE_GREETING, BEHIND_EHLO, IN_ONE_READ, ONE_LATE_AND_MORE, ONE_LATE_THEN_MORE]
)
async def test_every_question_has_its_own_reply_and_the_stray_one_is_named(play: str) -> None:
    (session,), found = await visited(play + ASKED)
    assert [t.verdict.code for t in session.transactions if t.verdict] == [250, 250, 554]
    assert session.ehlo is not None
    assert session.ehlo.code == 250
    assert session.offers("8BITMIME")
    (desync,) = (finding for finding in found if finding.code == "smtp.protocol.desync")
    assert ": 500 5.5.1. " in desync.message
    assert any(STRAY in str(evidence) for evidence in desync.evidence)
    assert not {"smtp.ehlo.fallback", "smtp.ehlo.failed", "smtp.open_relay"} & {f.code for f in found}


@pytest.mark.parametrize("end", ["-- eof", "-- reset", "S: 421 4.7.0 too many errors\n"])
async def test_a_session_that_ends_before_it_is_in_step_is_found_as_well(end: str) -> None:
    sessions, found = await visited(ONE_LATE + end)
    assert not any(t.verdict for s in sessions for t in s.transactions)
    (desync,) = (finding for finding in found if finding.code == "smtp.protocol.desync")
    assert ": 500 5.5.1. " in desync.message
    assert any(STRAY in str(evidence) for evidence in desync.evidence)


async def test_421_to_helo_is_answered_by_quit_alone() -> None:
    play = f"S: 220 mx.example.org\nS+ {OFFERS}{EHLO}S: {STRAY}\n{HELO}S: 421 4.3.2 closing\n{BYE}"
    (session,), _ = await visited(play)
    assert session.helo is not None
    assert session.helo.code == 421
    assert session.quit is not None


async def test_a_server_that_lists_its_keywords_after_helo_only_is_in_step() -> None:
    (session,), found = await visited(ONE_LATE + "-- timeout\n" + ASKED)
    assert [t.verdict.code for t in session.transactions if t.verdict] == [250, 250, 554]
    assert "smtp.protocol.desync" not in {f.code for f in found}


async def test_helo_after_a_refused_ehlo_is_no_desync() -> None:
    play = f"S: 220 mx.example.org\n{EHLO}S: {STRAY}\n{HELO}S: 250-mx.example.org\nS+ 250 Hello there\n"
    (session,), found = await visited(play + ASKED)
    assert session.helo is not None
    assert "smtp.protocol.desync" not in {f.code for f in found}
    assert "smtp.ehlo.fallback" in {f.code for f in found}


@pytest.mark.parametrize(
    "play",
    [
        "S: 220 mx.example.org\nS+ 421 4.3.2 closing\n",
        f"S: 220 mx.example.org\n{EHLO}S: {OFFERS}S+ 421 4.4.2 command timeout\n",
        f"S: 220 mx.example.org\n{EHLO}S: 421 4.3.2 closing\n{BYE}",
    ],
)
async def test_a_421_is_no_desync(play: str) -> None:
    _, found = await visited(play)
    assert "smtp.protocol.desync" not in {f.code for f in found}
