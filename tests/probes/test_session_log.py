"""One connection split by domain: the part each one sees, its numbering, and the end."""

import pytest

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.endpoint.session import SharedSession, run_shared_session
from checker_smtp.probes.observation import Session
from tests.probes.dialogues import PIPELINING, PLAIN, codes, ending, plan
from tests.probes.world import act, options

FIRST, SECOND = (
    transactions_for(options(name, test_null_sender=False, test_open_relay=False))
    for name in ("alfa.test", "bravo.test")
)
RELAY = transactions_for(options(test_null_sender=False, test_postmaster=False))


def flight(name: str) -> str:
    return f"C: MAIL FROM:<postmaster@probe.test>\nC: RCPT TO:<postmaster@{name}>\nC: RSET\n"


def one_by_one(name: str) -> str:
    said = flight(name).splitlines()
    return "".join(f"{line}\nS: 250 ok\n" for line in said)


LANDED = "S: 250 ok\nS+ 250 ok\nS+ 250 ok\n"
WITH_QUIT = "C: QUIT\n"


def shared(text: str, *flights: tuple, common: tuple = RELAY, **given: object) -> SharedSession:  # type: ignore[type-arg]
    return act(run_shared_session(plan(domain_flights=flights, transactions=common, **given)), text)


def said(session: Session) -> str:
    return "".join(str(entry.get("data", "")) for entry in session.transcript)


def numbered_well(session: Session) -> None:
    for reply in session.replies:
        assert reply.raw in str(session.transcript[reply.entry]["got"])
    assert session.end is None or session.end.entry == len(session.transcript) - 1


def test_each_has_the_opening_its_own_flight_the_shared_one_and_the_end() -> None:
    last = flight("example.com") + WITH_QUIT + LANDED + "S: 221 bye\n"
    text = PIPELINING + flight("alfa.test") + LANDED + flight("bravo.test") + LANDED + last
    held = shared(text, FIRST, SECOND)
    assert [codes(session) for session in held.sessions] == [["250 250 250"] * 2] * 2
    assert codes(held.common) == ["250 250 250"]
    for session, mine, foreign in zip(held.sessions, ("alfa", "bravo"), ("bravo", "alfa"), strict=True):
        numbered_well(session)
        assert (mine in said(session), foreign in said(session)) == (True, False)
        assert (session.end, session.quit is not None) == (None, True)
    assert ".test" not in said(held.common).replace("probe.test", "")
    assert held.head is held.sessions[0]


@pytest.mark.parametrize(
    ("end", "met"),
    [
        (flight("alfa.test") + "-- timeout", [True]),
        (flight("alfa.test") + LANDED + flight("bravo.test") + "S: 250 ok\n-- reset", [False, True]),
        (flight("alfa.test") + LANDED + flight("bravo.test") + LANDED + "C: QUIT\n-- eof", [True, True]),
    ],
)
def test_the_end_belongs_to_those_who_met_it(end: str, met: list[bool]) -> None:
    held = shared(PIPELINING + end, FIRST, SECOND, common=())
    assert [session.end is not None for session in held.sessions] == met
    assert (held.common.end is not None) is (met == [True, True])
    for session in (*held.sessions, held.common):
        numbered_well(session)
    assert held.reached


def test_an_end_before_any_flight_belongs_to_all() -> None:
    held = shared("S: 220 mx\nC: EHLO probe.test\n-- reset", FIRST, SECOND)
    assert (held.sessions, held.reached, held.head) == ((), False, held.common)
    assert ending(held.common) == ("EHLO", "reset")
    assert held.common.transactions == RELAY
    unreached = shared("-- refused", FIRST, SECOND)
    assert ending(unreached.common) == ("connect", "refused")


def test_a_budget_used_up_between_two_flights_ends_the_second() -> None:
    text = "@ 59\n-- connected\n" + PIPELINING + flight("alfa.test") + "@ 60\n" + LANDED
    first, second = shared(text, FIRST, SECOND).sessions
    assert (first.end, codes(first)) == (None, ["250 250 250", "- - -"])
    assert ending(second)[1] == "budget"
    assert "alfa" not in said(second)
    numbered_well(second)


def test_an_unsolicited_421_ends_the_flight_that_meets_it() -> None:
    text = PIPELINING + flight("alfa.test") + LANDED + "S+ 421 4.3.2 going down\n"
    first, second = shared(text, FIRST, SECOND).sessions
    assert [reply.code for reply in first.unsolicited] == [421]
    assert (first.end, codes(first)[0]) == (None, "250 250 250")
    assert (ending(second)[1], codes(second)[0]) == ("closed", "- - -")


def test_one_by_one_a_flight_that_rset_does_not_end_is_the_last() -> None:
    text = PLAIN + one_by_one("alfa.test").removesuffix("S: 250 ok\n") + "S: 502 what?\nC: QUIT\nS: 221 bye\n"
    (only,) = shared(text, FIRST, SECOND).sessions
    assert codes(only) == ["250 250 502", "- - -"]
    assert (only.end, only.quit is not None) == (None, True)


@pytest.mark.parametrize("opening", [PLAIN, PIPELINING])
def test_nothing_is_sent_for_a_domain_without_questions(opening: str) -> None:
    held = shared(opening + "C: QUIT\nS: 221 bye", (), (), common=())
    assert [(said(session), session.transactions) for session in held.sessions] == [
        ("EHLO probe.test\r\nQUIT\r\n", ())
    ] * 2


def test_quit_rides_with_the_only_domain() -> None:
    held = shared(PIPELINING + flight("alfa.test") + WITH_QUIT + LANDED + "S: 221 bye", FIRST, common=())
    (only,) = held.sessions
    assert (codes(only), only.quit is not None, held.common.quit) == (["250 250 250"], True, None)
    assert "alfa" not in said(held.common)


def test_equal_replies_are_separate_objects() -> None:
    """Rules find evidence by the identity of a reply, and servers repeat themselves."""
    (only,) = shared(
        PIPELINING + flight("alfa.test") + WITH_QUIT + LANDED + "S: 221 bye", FIRST, common=()
    ).sessions
    heard = [reply for t in only.transactions for reply in (t.mail, t.rcpt, t.rset)]
    assert len({id(reply) for reply in heard}) == len(heard)
