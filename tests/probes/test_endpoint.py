"""One address: as many connections as its faults make necessary, each with what the one before left open."""

import pytest

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.endpoint.follow_ups import control_address
from checker_smtp.probes.observation import Session
from checker_smtp.testing import ScriptedServer
from tests.probes.dialogues import (
    ASKED,
    BYE,
    FLIGHT,
    LANDED,
    NULL,
    OFFERED,
    PIPELINING,
    PLAIN,
    SECURED,
    TAKES_ALL,
    codes,
    ending,
)
from tests.probes.sessions import probe_endpoint
from tests.probes.world import options

pytestmark = pytest.mark.anyio

ADDRESS = "192.0.2.7"
SEED = 7
CONTROL = "nobody-7902699be42c8a8e@example.net"
ALL_ASKED = ["250 250 250", "250 250 250", "250 554 250"]
HELO = "S: 220 mx\nC: HELO probe.test\nS: 250 mx\n"
NO_EHLO = "S: 220 mx\nC: EHLO probe.test\nS: 550 no\n"
NO_HANDSHAKE = OFFERED + "C: STARTTLS\nS: 220 go\n"
CONTROL_ASKED = f"""
    C: MAIL FROM:<postmaster@probe.test>
    S: 250 ok
    C: RCPT TO:<{CONTROL}>
    S: 250 ok
    C: RSET
    S: 250 ok
    """


async def visited(*plays: str, **given: object) -> tuple[Session, ...]:
    servers = ScriptedServer({ADDRESS: plays})
    sessions = await probe_endpoint(options(**given), servers, ADDRESS, "mx.example.org", SEED)  # type: ignore[arg-type]
    servers.expect_end()
    return sessions


def purposes(sessions: tuple[Session, ...]) -> list[str]:
    return [session.purpose for session in sessions]


@pytest.mark.parametrize(
    "play",
    [
        PLAIN + ASKED,
        PIPELINING + FLIGHT + LANDED,
        SECURED + "C: EHLO probe.test\nS: 250 mx\n" + ASKED,
        OFFERED + "C: STARTTLS\nS: 454 later\n" + ASKED,
        OFFERED + "C: STARTTLS\nS: 554 no\n" + ASKED,
        NO_EHLO + "C: HELO probe.test\nS: 250 mx\n" + ASKED,
    ],
)
async def test_one_connection_is_enough_where_everything_was_asked(play: str) -> None:
    (session,) = await visited(play)
    assert (session.purpose, codes(session)) == ("main", ALL_ASKED)


@pytest.mark.parametrize(
    "play",
    [
        "-- refused",
        "-- timeout",
        "-- connected\n-- timeout",
        "-- connected\n-- eof",
        "S: 554 go away\n" + BYE,
        "S: 421 busy\n" + BYE,
        "S: garbage",
        "S: 220 mx\nC: EHLO probe.test\n-- timeout",
        "S: 220 mx\nC: EHLO probe.test\nS: 421 busy\n" + BYE,
        "S: 220 mx\nC: EHLO probe.test\nS: 450 later\n" + BYE,
        NO_EHLO + "C: HELO probe.test\nS: 550 no\n" + BYE,
        NO_EHLO + "C: HELO probe.test\nS: 421 busy\n" + BYE,
        OFFERED + "C: STARTTLS\nS: 421 busy\n" + BYE,
        SECURED + "C: EHLO probe.test\nS: 421 busy\n" + BYE,
        PLAIN + "C: MAIL FROM:<>\nS: 421 busy\n" + BYE,
        PLAIN + NULL + "C: MAIL FROM:<postmaster@probe.test>\n-- reset",
        PIPELINING + FLIGHT + "S: 250 ok\nS: 421 4.7.0 enough\n-- eof",
    ],
)
async def test_nobody_knocks_again_where_that_would_tell_nothing_new(play: str) -> None:
    assert purposes(await visited(play)) == ["main"]


@pytest.mark.parametrize(
    "end", ["-- closed", "-- reset", "C: HELO probe.test\n-- eof", "C: HELO probe.test\n-- timeout"]
)
async def test_helo_alone_where_the_refused_ehlo_took_the_connection_with_it(end: str) -> None:
    sessions = await visited(NO_EHLO + end, HELO + ASKED)
    assert purposes(sessions) == ["main", "helo-only"]
    assert codes(sessions[1]) == ALL_ASKED


@pytest.mark.parametrize(
    "failure",
    [
        NO_HANDSHAKE + "-- tls wrong version number",
        NO_HANDSHAKE + "-- reset",
        NO_HANDSHAKE + "-- timeout",
        NO_HANDSHAKE.rstrip() + "\nS+ 250 injected",
        OFFERED + "C: STARTTLS\n-- eof",
        OFFERED + "C: STARTTLS\n-- timeout",
        OFFERED + "C: STARTTLS\n-- reset",
        SECURED + "C: EHLO probe.test\n-- eof",
        SECURED + "C: EHLO probe.test\nS: 503 what?\nC: HELO probe.test\nS: 503 what?\n" + BYE,
        SECURED + "C: EHLO probe.test\nS: 450 later\n" + BYE,
    ],
)
async def test_in_the_clear_where_tls_ended_the_session(failure: str) -> None:
    sessions = await visited(failure, OFFERED + ASKED)
    assert purposes(sessions) == ["main", "without-tls"]
    assert codes(sessions[1]) == ALL_ASKED
    assert sessions[1].starttls is None


REFUSED_NAME = NO_HANDSHAKE + "-- tls tlsv1 unrecognized name"


async def test_without_a_name_where_the_handshake_refused_it() -> None:
    servers = ScriptedServer({ADDRESS: [REFUSED_NAME, SECURED + "C: EHLO probe.test\nS: 250 mx\n" + ASKED]})
    sessions = await probe_endpoint(options(), servers, ADDRESS, "mx.example.org", SEED)
    assert purposes(sessions) == ["main", "without-sni"]
    assert servers.server_names == ["mx.example.org", ""]
    assert sessions[1].tls is not None
    assert (sessions[1].tls.server_name, codes(sessions[1])) == ("", ALL_ASKED)


async def test_without_a_name_and_then_in_the_clear() -> None:
    sessions = await visited(REFUSED_NAME, NO_HANDSHAKE + "-- tls handshake failure", OFFERED + ASKED)
    assert purposes(sessions) == ["main", "without-sni", "without-tls"]
    assert [ending(session) for session in sessions[:2]] == [("TLS", "tls")] * 2
    assert codes(sessions[2]) == ALL_ASKED


@pytest.mark.parametrize(
    "flight",
    [
        "S: 250 ok\n-- timeout",
        "-- timeout",
        "-- eof",
        "S: 250 ok\nS: 250 ok\nS: garbage",
        "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 ok\n-- reset",
    ],
)
async def test_one_by_one_where_a_flight_was_not_answered_to_its_end(flight: str) -> None:
    sessions = await visited(PIPELINING + FLIGHT + flight, PIPELINING + ASKED)
    assert purposes(sessions) == ["main", "one-by-one"]
    assert codes(sessions[1]) == ALL_ASKED


async def test_a_flight_answered_to_its_end_but_for_quit_is_not_repeated() -> None:
    done = LANDED.rpartition("S+ 221")[0]
    assert purposes(await visited(PIPELINING + FLIGHT + done + "\n-- eof")) == ["main"]


async def test_every_fault_at_once_takes_a_connection_each() -> None:
    sessions = await visited(
        REFUSED_NAME,
        NO_HANDSHAKE + "-- reset",
        PIPELINING + FLIGHT + "-- timeout",
        PIPELINING + TAKES_ALL,
        PIPELINING + CONTROL_ASKED + BYE,
    )
    assert purposes(sessions) == ["main", "without-sni", "without-tls", "one-by-one", "relay-control"]


async def test_an_accepted_relay_probe_is_followed_by_a_control_in_the_same_manner() -> None:
    sessions = await visited(
        NO_HANDSHAKE + "-- tls no shared cipher", OFFERED + TAKES_ALL, OFFERED + CONTROL_ASKED + BYE
    )
    assert purposes(sessions) == ["main", "without-tls", "relay-control"]
    (control,) = sessions[-1].transactions
    assert (control.purpose, control.sender, control.recipient) == (
        "relay-control",
        "postmaster@probe.test",
        CONTROL,
    )
    assert control.verdict is not None
    assert control.verdict.positive


@pytest.mark.parametrize("answer", ["450 later", "550 no", "421 busy"])
async def test_a_relay_probe_that_was_not_accepted_needs_no_control(answer: str) -> None:
    play = PLAIN + ASKED.replace("554 no relay", answer)
    if answer.startswith("421"):
        play = play.rpartition("C: RSET")[0] + BYE
    assert purposes(await visited(play)) == ["main"]


async def test_all_connections_together_share_one_budget() -> None:
    """With a timeout of twelve seconds there are sixty in all; here the first connection takes 45 of them."""
    long = NO_HANDSHAKE + "@ 45\n-- timeout"
    main, second = await visited(long, "@ 12\n-- timeout", timeout=12)
    assert (second.purpose, ending(second)) == ("without-tls", ("connect", "timeout"))
    main, second = await visited(long, "@ 14.9\n-- connected\n@ 15\n-- timeout", timeout=12)
    assert (second.purpose, ending(second)) == ("without-tls", ("greeting", "budget"))
    (main,) = await visited(NO_HANDSHAKE + "@ 60\n-- timeout", timeout=12)
    assert ending(main) == ("TLS", "budget")


async def test_where_the_time_is_up_no_connection_is_made_whatever_is_open() -> None:
    took = "@ 30\n-- connected\n" + PLAIN + TAKES_ALL.replace("S: 221", "@ 60\n    S: 221")
    (session,) = await visited(took)
    assert session.transactions[2].verdict is not None
    assert session.transactions[2].verdict.positive


@pytest.mark.parametrize(
    ("given", "purposes_wanted"),
    [
        ({}, ["null-sender", "postmaster", "relay"]),
        ({"test_null_sender": False}, ["postmaster", "relay"]),
        ({"test_postmaster": False}, ["null-sender", "postmaster", "relay"]),
        ({"test_open_relay": False}, ["null-sender", "postmaster"]),
        ({"test_null_sender": False, "test_postmaster": False}, ["relay"]),
        ({"test_postmaster": False, "test_open_relay": False}, ["null-sender", "postmaster"]),
        ({"test_null_sender": False, "test_postmaster": False, "test_open_relay": False}, []),
    ],
)
async def test_what_is_asked_follows_the_options_and_the_control_the_null_sender(
    given: dict[str, bool], purposes_wanted: list[str]
) -> None:
    wanted = transactions_for(options(**given))  # type: ignore[arg-type]
    assert [t.purpose for t in wanted] == purposes_wanted


@pytest.mark.parametrize(
    ("domain", "probe", "outside"),
    [
        ("example.org", "postmaster@example.com", "example.net"),
        ("example.net", "postmaster@example.com", "example.org"),
        ("example.com", "postmaster@example.com", "example.org"),
        ("other.test", "a@elsewhere.test", "example.com"),
    ],
)
async def test_the_control_is_at_a_second_outside_domain(domain: str, probe: str, outside: str) -> None:
    given = options(domain, test_probe_address=probe)
    assert control_address(given, SEED) == f"nobody-7902699be42c8a8e@{outside}"
    assert control_address(given, SEED) != control_address(given, SEED + 1)
