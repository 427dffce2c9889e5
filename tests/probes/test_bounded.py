"""A check within its budget of evidence: what it keeps of hostile servers and zones."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import anyio
import pytest

from checker_smtp.probes.bounded import BoundedRunner, TimeBudget
from checker_smtp.probes.evidence_budget import ENTRY_COST, EvidenceBudget
from checker_smtp.probes.observation import Session
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.result import evaluate
from checker_smtp.probes.rules import Outcome, Severity
from checker_smtp.testing import FakeResolver, RuleServer, resume
from smtp_sansio import Connect, Done, Effect, Failed, FailureKind, Receive, Received, Script, Send, Upgrade
from tests.probes.limited_worlds import (
    ADDRESSES,
    FEW,
    MIB,
    MOST_READ,
    ZONE,
    T,
    Verbose,
    at_once,
    drive,
    ends,
    observed,
)
from tests.probes.world import options


def cost(sessions: tuple[Session, ...]) -> int:
    """Return what these transcripts take of a budget."""
    entries = [entry for session in sessions for entry in session.transcript]
    octets = sum(len(str(entry.get("got", ""))) + len(str(entry.get("data", ""))) for entry in entries)
    return octets + ENTRY_COST * len(entries)


@pytest.mark.parametrize(
    ("size", "number", "limit"),
    [
        pytest.param(1, 1, MIB * 3 // 16, marks=pytest.mark.slow),
        (500, 2, MIB // 4),
        (MOST_READ, 4, MIB),
    ],
)
def test_a_check_keeps_no_more_than_its_budget_whatever_the_servers_send(
    loop: str, size: int, number: int, limit: int
) -> None:
    budget = EvidenceBudget(limit)
    zone = "\n".join(ZONE.splitlines()[: number + 1])
    observation = at_once(
        loop, partial(observed, options(), FakeResolver(zone), Verbose(size), evidence=budget)
    )
    kept = sum(cost(endpoint.sessions) for endpoint in observation.endpoints)
    assert len(observation.endpoints) == number
    assert 0 < kept <= budget.in_use <= limit
    assert ends(observation) == {"evidence"}
    findings = evaluate(observation).findings
    # where the whole reply to EHLO was received, it offers no STARTTLS
    assert {f.code for f in findings if f.severity is Severity.CRIT} <= {"smtp.all_no_starttls"}
    assert {f.outcome for f in findings if f.subject.endswith(":25")} <= {Outcome.NOT_TESTED, Outcome.FAIL}


def test_a_server_that_sends_too_much_takes_nothing_from_the_others(loop: str) -> None:
    class OneHonest:
        async def run(self, script: Script[T]) -> T:
            effect = next(script)
            assert isinstance(effect, Connect)
            server = RuleServer() if effect.host == ADDRESSES[3] else Verbose()
            return await server.run(resume(effect, script))

    hostile, honest = at_once(
        loop,
        lambda: pair(
            partial(observed, options(), FakeResolver(FEW), OneHonest(), EvidenceBudget(MIB)),
            partial(observed, options(), FakeResolver(FEW), RuleServer(), EvidenceBudget(MIB)),
        ),
    )
    assert hostile.endpoints[-1].sessions == honest.endpoints[-1].sessions
    assert ends(hostile) == {"evidence", ""}


async def pair(*work: Callable[[], Coroutine[Any, Any, T]]) -> list[T]:
    return [await one() for one in work]


def test_no_other_connection_is_made_once_an_endpoint_has_no_room(loop: str) -> None:
    server = Verbose()
    at_once(loop, partial(observed, options(), FakeResolver(FEW), server, EvidenceBudget(MIB)))
    assert server.connections == 4


def test_joined_reads_cost_one_entry(loop: str) -> None:
    budget = EvidenceBudget(MIB)

    def read(number: int) -> Script[None]:
        for _ in range(number):
            yield Receive(12)

    class OctetByOctet:
        async def run(self, script: Script[T]) -> T:
            return drive(script, lambda _: [b"x"] * 1000)

    async def run() -> None:
        await BoundedRunner(OctetByOctet(), budget, TimeBudget(120)).run(read(1000))

    at_once(loop, run)
    assert budget.in_use == 1000 + 65 * ENTRY_COST


def test_a_script_may_be_resumed_where_no_event_loop_is_known(loop: str) -> None:
    """A driver resumes it in a callback of the event loop, which is no task."""

    class InThread:
        async def run(self, script: Script[T]) -> T:
            return await anyio.to_thread.run_sync(drive, script, lambda _: [b"x"] * 10)

    def read() -> Script[object]:
        yield Connect("192.0.2.1", 25, 12)
        return (yield Receive(12))

    async def run() -> object:
        return await BoundedRunner(InThread(), EvidenceBudget(MIB), TimeBudget(120)).run(read())

    # the virtual clock would not wait for the thread
    assert anyio.run(run, backend=loop) == Received(1.0, b"x")


@pytest.mark.parametrize(
    "effect", [Connect("192.0.2.1", 25, 12), Send(b"NOOP\r\n", 12), Receive(12), Upgrade("", 12)]
)
def test_what_has_no_room_is_not_performed(loop: str, effect: Effect) -> None:
    def script() -> Script[object]:
        return (yield effect)

    async def run() -> object:
        return await BoundedRunner(Verbose(), EvidenceBudget(1), TimeBudget(120)).run(script())

    outcome = at_once(loop, run)
    assert isinstance(outcome, Failed | Done)
    # a command is sent by a server's answer alone
    assert isinstance(effect, Send) or outcome in (
        Failed(0.0, FailureKind.EVIDENCE),
        Failed(1.0, FailureKind.EVIDENCE),
    )


def test_answers_of_the_dns_that_have_no_room_are_not_kept(loop: str) -> None:
    records = "\n".join(f"mx{n}.test A 192.0.2.{n}" for n in range(1, 21))
    zone = "\n".join(f"example.org MX 10 mx{n}.test." for n in range(1, 21)) + "\n" + records
    budget = EvidenceBudget(64 * 1024)
    observation = at_once(
        loop, partial(observed, options(), FakeResolver(zone), RuleServer(), evidence=budget)
    )
    limited = [answer for answer in observation.dns if answer.status is DnsStatus.EVIDENCE]
    assert limited
    assert {(answer.records, answer.detail) for answer in limited} == {
        ((), "this check keeps no more answers of the DNS")
    }
    findings = evaluate(observation).findings
    assert not [finding for finding in findings if finding.severity is Severity.CRIT]


def test_where_no_lookup_of_a_target_has_room_nothing_is_known(loop: str) -> None:
    # a quarter of the budget is for the DNS: MX and the control questions take it
    budget = EvidenceBudget(4 * 7 * ENTRY_COST)
    zone = "example.org MX 10 mx.test.\nmx.test A 192.0.2.1"
    observation = at_once(loop, partial(observed, options(), FakeResolver(zone), RuleServer(), budget))
    (finding,) = [f for f in evaluate(observation).findings if f.rule == "smtp.mx_present"]
    assert finding.outcome is Outcome.NOT_TESTED
    assert finding.message == (
        "The addresses of no MX target could be looked up: mx.test A (this check keeps no more answers of "
        "the DNS). That is a limit of this check, and nothing is known of the servers."
    )
