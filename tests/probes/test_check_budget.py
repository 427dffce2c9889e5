"""The time of a whole check: it ends in time, keeps what it knows, and blames nobody."""

from functools import partial

import anyio
import pytest

from checker_smtp.probes.bounded import BoundedResolver, TimeBudget
from checker_smtp.probes.check import check
from checker_smtp.probes.evidence_budget import EvidenceBudget
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.observation import Observation
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.probes.result import evaluate
from checker_smtp.probes.rules import Outcome, Severity
from checker_smtp.testing import FakeResolver, RuleServer
from tests.probes.limited_worlds import ADDRESSES, MIB, ZONE, Silent, Sleepy, at_once, ends, observed
from tests.probes.world import options


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
