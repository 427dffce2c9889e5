"""An accepted relay probe: who took it, and what the control says."""

import pytest

from checker_smtp.probes.observation import Session
from checker_smtp.probes.rules import RULES
from tests.probes.observations import HERE, endpoint, finding_lines, observation, only, session, settings

TAKEN = "250 2.1.5 ok"


def control(answer: str | None, **words: object) -> Session:
    """The connection on which the second outside mailbox is asked for."""
    return session("relay-control", control=answer, **words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "verdict", "control_result"),
    [
        (TAKEN, "open_relay crit fail", None),
        ("251 will forward", "open_relay crit fail", None),
        ("550 5.1.1 no such user", "open_relay.suspected warn fail", "answered with 550 5.1.1"),
        ("554 5.7.1 Relay access denied", "open_relay.suspected warn fail", "answered with 554 5.7.1"),
        ("450 4.2.0 later", "open_relay.suspected warn fail", "answered with 450 4.2.0"),
        ("MAIL 421 busy", "open_relay.suspected warn fail", "answered with 421"),
    ],
)
def test_the_control_decides(answer: str, verdict: str, control_result: str | None) -> None:
    seen = observation(endpoint(session(relay=TAKEN), control(answer)))
    assert finding_lines(seen) == [f"{verdict} {HERE}"]
    finding = only(seen)
    assert [e.session for e in finding.evidence] == [0, 1]
    if control_result is None:
        assert finding.message == (
            "The server accepts postmaster@example.com and nobody-1@example.net from this client without a "
            "login, as an open relay does (shown at RCPT; nothing was sent). If it may relay for this "
            "machine, repeat the check from another network."
        )
    else:
        assert finding.message == (
            "The server accepts postmaster@example.com from outside; a random recipient at another domain "
            f"was {control_result}."
        )


@pytest.mark.parametrize(
    "second",
    [
        (),
        (control(None, end="RCPT/closed", greeting="421 busy"),),
        (session("relay-control", connected=False, end="connect/refused"),),
    ],
)
def test_without_an_answer_to_the_control_it_is_a_suspicion(second: tuple[Session, ...]) -> None:
    seen = observation(endpoint(session(relay=TAKEN), *second))
    assert finding_lines(seen) == [f"open_relay.suspected warn fail {HERE}"]
    assert only(seen).message.endswith("was not answered.")


@pytest.mark.parametrize(
    ("hosts", "own"),
    [
        (("mx.example.org",), True),
        (("192.0.2.7",), True),
        (("192.0.2.7", "other.test"), True),
        (("192.0.2.70", "mx.example.com"), False),
        (("example.org",), False),
    ],
)
def test_a_server_of_the_probe_s_own_domain_was_not_tested(hosts: tuple[str, ...], own: bool) -> None:
    seen = observation(endpoint(session(relay=TAKEN), control(TAKEN)), probe_hosts=hosts)
    assert finding_lines(seen) == [
        f"not_tested info not-tested {HERE}" if own else f"open_relay crit fail {HERE}"
    ]
    assert ("it serves that domain" in only(seen).message) is own


def test_an_open_relay_is_reported_beside_everything_else() -> None:
    everything = session(null="550 5.7.1 no bounces", postmaster=TAKEN, relay=TAKEN)
    assert finding_lines(observation(endpoint(everything, control(TAKEN)))) == [
        f"null_sender.rejected crit fail {HERE}",
        f"open_relay crit fail {HERE}",
    ]


def test_one_open_relay_among_others() -> None:
    relay = endpoint(session(relay=TAKEN), control(TAKEN), address="192.0.2.8")
    seen = observation(endpoint(), relay)
    assert finding_lines(seen) == ["open_relay crit fail 192.0.2.8:25"]
    assert RULES["smtp.open_relay"].tested(seen)


def test_the_last_answer_counts_where_the_probe_was_repeated() -> None:
    flight = session(relay=None, end="RCPT/timeout")
    again = session("one-by-one", relay=TAKEN)
    assert finding_lines(observation(endpoint(flight, again, control(TAKEN)))) == [
        f"open_relay crit fail {HERE}"
    ]


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        ("450 4.2.0 later", '450 4.2.0 ("later") at RCPT'),
        ("MAIL 553 5.1.8 no", "553 5.1.8 at MAIL"),
        ("553 5.1.8 no", "553 5.1.8 at RCPT"),
    ],
)
def test_an_answer_that_says_nothing_of_relaying_is_quoted_with_its_step(answer: str, where: str) -> None:
    finding = only(observation(endpoint(relay=answer)))
    assert finding.message == f"It is not known if the server relays: {where} does not answer that."


def test_a_server_that_relays_for_its_own_machine_is_no_open_relay() -> None:
    relaying = endpoint(session(relay=TAKEN), control(TAKEN))
    here = observation(relaying, settings=settings(source_addresses=("2001:db8::9", relaying.address)))
    found = only(here)
    assert (found.code, found.outcome) == ("smtp.not_tested", "not-tested")
    assert "its own machine, where this check runs" in found.message
    assert found.fix.startswith("Repeat the check from another network")
    elsewhere = observation(relaying, settings=settings(source_addresses=("192.0.2.99",)))
    assert finding_lines(elsewhere) == [f"open_relay crit fail {HERE}"]
