"""A check within its limits: what it keeps of hostile servers and zones, and how long it takes."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import anyio
import pytest

from checker_smtp.probes.bounded import BoundedResolver, BoundedRunner, TimeBudget
from checker_smtp.probes.check import check
from checker_smtp.probes.evidence_budget import ENTRY_COST, EvidenceBudget
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.observation import Observation, Session
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus, Resolver, Runner
from checker_smtp.probes.result import evaluate
from checker_smtp.probes.rules import Outcome, Severity
from checker_smtp.testing import FakeResolver, RuleServer, backend_options, resume
from smtp_sansio import Connect, Done, Effect, Failed, FailureKind, Receive, Received, Script, Send, Upgrade
from tests.probes.world import options

T = TypeVar("T")
MIB = 1024 * 1024
MOST_READ = 64 * 1024
ADDRESSES = [f"192.0.2.{number}" for number in range(1, 33)]
ZONE = "example.org MX 10 mx.test.\n" + "\n".join(f"mx.test A {address}" for address in ADDRESSES)
FEW = "\n".join(ZONE.splitlines()[:5])
LONG = b"x" * 500


def at_once(loop: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on this event loop, every wait of which is skipped."""
    return anyio.run(work, backend=loop, backend_options=backend_options(loop))


class Verbose:
    """A server that answers each command with nearly 64 KiB, in reads of `size` octets."""

    def __init__(self, size: int = MOST_READ) -> None:
        self._size = size
        self.connections = 0

    async def run(self, script: Script[T]) -> T:
        self.connections += 1
        return drive(script, self._reply)

    def _reply(self, data: bytes) -> list[bytes]:
        code = 221 if data == b"QUIT\r\n" else 250 if data else 220
        octets = b"".join(b"%d-%s\r\n" % (code, LONG) for _ in range(120)) + b"%d end\r\n" % code
        return [octets[start : start + self._size] for start in range(0, len(octets), self._size)]


def drive(script: Script[T], reply: Callable[[bytes], list[bytes]]) -> T:
    """Run `script` against a server that says `reply(b"")` first, and `reply(data)` to what is sent."""
    unread = reply(b"")
    try:
        effect = next(script)
        while True:
            match effect:
                case Receive() if effect.timeout <= 0:
                    effect = script.send(Failed(1.0, effect.late))
                case Receive():
                    effect = script.send(Received(1.0, unread.pop(0)))
                case Send():
                    unread += reply(effect.data)
                    effect = script.send(Done(1.0))
                case _ if effect.timeout <= 0:
                    effect = script.send(Failed(0.0, effect.late))
                case _:
                    effect = script.send(Done(1.0))
    except StopIteration as stop:
        value: T = stop.value
        return value


class Silent:
    """Servers that accept connections and say nothing; each effect takes as long as it may."""

    def __init__(self) -> None:
        self.connections = 0

    async def run(self, script: Script[T]) -> T:
        began = anyio.current_time()
        try:
            effect = next(script)
            self.connections += effect.timeout > 0
            effect = script.send(Done(0.0) if effect.timeout > 0 else Failed(0.0, effect.late))
            while True:
                await anyio.sleep(effect.timeout)
                effect = script.send(Failed(anyio.current_time() - began, effect.late))
        except StopIteration as stop:
            value: T = stop.value
            return value


async def observed(
    given: Options, resolver: Resolver, runner: Runner, evidence: EvidenceBudget | None = None
) -> Observation:
    evidence = evidence or EvidenceBudget(8 * MIB)
    return await check(given, resolver, runner, run_at="", seed=1, evidence=evidence)


def ends(observation: Observation) -> set[str]:
    """Return the kinds of the ends of all sessions."""
    return {s.end.kind if s.end else "" for e in observation.endpoints for s in e.sessions}


def cost(sessions: tuple[Session, ...]) -> int:
    """Return what these transcripts take of a budget."""
    entries = [entry for session in sessions for entry in session.transcript]
    octets = sum(len(str(entry.get("got", ""))) + len(str(entry.get("data", ""))) for entry in entries)
    return octets + ENTRY_COST * len(entries)


# evidence


@pytest.mark.parametrize(
    ("size", "number", "limit"), [(1, 1, MIB * 3 // 16), (500, 2, MIB // 4), (MOST_READ, 4, MIB)]
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


# time


@pytest.mark.parametrize("seconds", [5.0, 30.0, 100.0])
def test_a_check_ends_with_its_time_and_keeps_what_it_knows(loop: str, seconds: float) -> None:
    server = Silent()

    async def timed() -> tuple[Observation, float]:
        began = anyio.current_time()
        given = options(check_budget=seconds, timeout=40)
        return await observed(given, FakeResolver(ZONE), server), anyio.current_time() - began

    observation, took = at_once(loop, timed)
    assert took == pytest.approx(seconds)
    assert len(observation.endpoints) == len(ADDRESSES)
    assert server.connections == 10 * (1 + int(seconds // 40))
    reached = [endpoint for endpoint in observation.endpoints if endpoint.connected]
    assert len(reached) == server.connections
    (finding,) = [f for f in evaluate(observation).findings if f.rule == "smtp.endpoint_reachable"]
    assert finding.outcome is Outcome.NOT_TESTED
    assert finding.message.startswith("Not tested: ")
    assert finding.message.endswith("the time for the whole check ran out.")
    assert finding.fix == "Repeat the check with a longer `--check-budget`."


def test_the_time_of_a_check_is_no_fault_of_a_server(loop: str) -> None:
    given = options(check_budget=5, timeout=40)
    zone = "example.org MX 10 mx.test.\nmx.test A 192.0.2.1"
    observation = at_once(loop, partial(observed, given, FakeResolver(zone), Silent()))
    findings = evaluate(observation).findings
    assert ends(observation) == {"check-budget"}
    at_server = [f for f in findings if f.subject == "192.0.2.1:25" and f.rule != "smtp.reverse_dns"]
    assert {finding.outcome for finding in at_server} == {Outcome.NOT_TESTED}


def test_a_place_that_others_hold_is_waited_for_no_longer_than_the_check_has_time(loop: str) -> None:
    limits = ConnectionLimits(per_address=1)
    zone = "example.org MX 10 mx.test.\nmx.test A 192.0.2.1"

    async def beside_another() -> tuple[Observation, float]:
        began = anyio.current_time()
        async with limits.connection("192.0.2.1"):
            observation = await check(
                options(check_budget=5),
                FakeResolver(zone),
                RuleServer(),
                run_at="",
                seed=1,
                limits=limits,
                evidence=EvidenceBudget(8 * MIB),
            )
            return observation, anyio.current_time() - began

    observation, took = at_once(loop, beside_another)
    assert took == pytest.approx(5)
    assert ends(observation) == {"check-budget"}


def test_the_wait_for_a_retry_does_not_count(loop: str) -> None:
    server = RuleServer(rcpt_replies={"postmaster@example.org": "450 4.2.0 Greylisted"})
    zone = "example.org MX 10 mx.test.\nmx.test A 192.0.2.1"
    given = options(check_budget=5, retry_deferred=10)
    observation = at_once(loop, partial(observed, given, FakeResolver(zone), server))
    assert [s.purpose for s in observation.endpoints[0].sessions] == ["main", "revisit"]
    assert ends(observation) == {""}


class Sleepy:
    """A resolver that answers `after` some seconds, and counts its questions."""

    def __init__(self, zone: str, after: float) -> None:
        self._resolver = FakeResolver(zone)
        self._after = after
        self.asked = 0

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        self.asked += 1
        await anyio.sleep(self._after)
        return await self._resolver.resolve(name, rdtype, unvalidated=unvalidated)


def test_lookups_end_with_the_time_of_the_check(loop: str) -> None:
    resolver = Sleepy("example.org MX 10 mx.test.\nmx.test A 192.0.2.1", after=4)

    async def timed() -> tuple[Observation, float]:
        began = anyio.current_time()
        observation = await observed(options(check_budget=6), resolver, RuleServer())
        return observation, anyio.current_time() - began

    observation, took = at_once(loop, timed)
    assert took == pytest.approx(6)
    assert observation.mx.status is DnsStatus.ANSWER
    assert {record.ipv4_status for record in observation.mx.records} == {DnsStatus.CHECK_BUDGET}
    result = evaluate(observation)
    assert not [finding for finding in result.findings if finding.severity is not Severity.INFO]
    assert result.status == "unknown"


def test_a_domain_whose_mx_is_not_known_in_time_is_not_known(loop: str) -> None:
    resolver = Sleepy("example.org MX 10 mx.test.", after=9)
    observation = at_once(loop, partial(observed, options(check_budget=6), resolver, RuleServer()))
    (finding,) = [f for f in evaluate(observation).findings if f.rule == "smtp.mx_present"]
    assert (finding.code, finding.outcome) == ("smtp.not_tested", Outcome.NOT_TESTED)
    assert finding.message == (
        "The MX lookup gave nothing that could be used (the time for the whole check, 6 seconds, ran out). "
        "That is a limit of this check, and nothing is known of the domain."
    )
    assert finding.fix == "Repeat the check with a longer `--check-budget`."


def test_nothing_is_asked_after_the_end(loop: str) -> None:
    resolver = Sleepy("", after=0)

    async def ask() -> DnsAnswer:
        bounded = BoundedResolver(resolver, EvidenceBudget(MIB), TimeBudget(0))
        return await bounded.resolve("Example.org", "MX", unvalidated=True)

    assert at_once(loop, ask) == DnsAnswer(
        name="example.org",
        rdtype="MX",
        status=DnsStatus.CHECK_BUDGET,
        detail="the time for the whole check, 0 seconds, ran out",
        unvalidated=True,
    )
    assert resolver.asked == 0
