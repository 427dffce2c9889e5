"""A server that asked to come back later is asked once more, and the later answer counts."""

from dataclasses import dataclass, field, replace
from typing import TypeVar

import anyio
import pytest

from checker_smtp.probes.check import check
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.observation import Endpoint, Observation
from checker_smtp.probes.options import OptionError
from checker_smtp.probes.ports import Runner
from checker_smtp.probes.retry import is_deferred, merge_retry
from checker_smtp.probes.rules import apply_rules
from checker_smtp.testing import FAULTS, FakeResolver, RuleServer, resume
from smtp_sansio import Connect, Script
from tests.probes.observations import HERE, endpoint, observation, session, short
from tests.probes.world import options

T = TypeVar("T")
pytestmark = pytest.mark.anyio

ADDRESS = "192.0.2.7"
ZONE = f"example.test MX 10 mx.example.test.\nmx.example.test A {ADDRESS}\nmx.example.test AAAA 2001:db8::7"
POSTMASTER = "postmaster@example.test"
GREYLISTED = {POSTMASTER: "450 4.2.0 Greylisted, come back"}
REFUSED = {POSTMASTER: "550 5.1.1 no such user"}
BOUNCES = "postmaster.deferred info transient", "null_sender.deferred info transient"


@dataclass
class UnreliableServer:
    """A server that is one now and, after a pause, another; `paused` are the seconds waited."""

    now: RuleServer
    later: RuleServer
    limits: ConnectionLimits = field(default_factory=lambda: ConnectionLimits(total=1, per_address=1))
    paused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now, self.later = replace(self.now, received=[]), replace(self.later, received=[])

    async def run(self, script: Script[T]) -> T:
        return await self.now.run(script)

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        with anyio.fail_after(5):
            async with self.limits.connection(ADDRESS):
                self.now = self.later

    async def checked(self, **given: object) -> Observation:
        return await check(
            options("example.test", ipv6=False, **given),
            FakeResolver(ZONE),
            self,
            run_at="",
            seed=1,
            limits=self.limits,
            pause=self.pause,
        )


def purposes(seen: Observation) -> list[str]:
    return [session.purpose for session in seen.endpoints[0].sessions]


def endpoint_findings(seen: Observation) -> set[str]:
    """What is found at the endpoint."""
    found = apply_rules(replace(seen, mx=replace(seen.mx, records=())))
    return {short(finding).removesuffix(f" {HERE}") for finding in found if finding.subject == HERE} - {
        "ptr.missing warn fail"
    }


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (RuleServer(), set()),
        (RuleServer(rcpt_replies=REFUSED), {"postmaster.rejected crit fail", "not_tested info not-tested"}),
        (RuleServer(rcpt_replies=GREYLISTED), set(BOUNCES)),
        (RuleServer(mail_replies={"": "550 5.7.1 no bounces"}), {"null_sender.rejected crit fail"}),
        # the relay probe was answered at the first visit, and is not sent again
        (RuleServer(relays=True), set()),
        (RuleServer(fault="421"), set(BOUNCES)),
        (RuleServer(fault="refused"), set(BOUNCES)),
        (RuleServer(fault="handshake"), set()),
        (RuleServer(limit=1), set()),
    ],
)
async def test_greylisting_is_settled_by_the_second_visit(later: RuleServer, expected: set[str]) -> None:
    server = UnreliableServer(RuleServer(rcpt_replies=GREYLISTED), later)
    seen = await server.checked(retry_deferred=0.5)
    assert (endpoint_findings(seen), server.paused) == (expected, [30.0])
    assert purposes(seen)[0] == "main"
    assert "revisit" in purposes(seen)
    assert len(server.later.received) <= 3


@pytest.mark.parametrize(
    "now", [RuleServer(fault="421"), RuleServer(fault="ehlo-421"), RuleServer(fault="450")]
)
@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (RuleServer(), set()),
        (RuleServer(rcpt_replies=REFUSED), {"postmaster.rejected crit fail", "not_tested info not-tested"}),
        (RuleServer(fault="handshake"), {"starttls.failed crit fail"}),
        (RuleServer(fault="starttls-454"), {"starttls.deferred warn transient"}),
        (RuleServer(fault="554"), {"refused_us info refused-us"}),
        (RuleServer(limit=0, ending="timeout"), {"not_tested info not-tested"}),
        (RuleServer(rcpt_replies=GREYLISTED), set(BOUNCES)),
    ],
)
async def test_a_client_refused_before_mail_is_judged_by_the_second_visit(
    now: RuleServer, later: RuleServer, expected: set[str]
) -> None:
    server = UnreliableServer(now, later)
    seen = await server.checked(retry_deferred=2)
    assert (endpoint_findings(seen), server.paused) == (expected, [120.0])
    assert (purposes(seen)[0], purposes(seen)[-1]) == ("revisit", "main")
    assert seen.coverage.ipv4.connected == 1


@pytest.mark.parametrize("later", [RuleServer(fault=fault) for fault in ("refused", "timeout", "silent")])
async def test_a_second_visit_without_a_greeting_leaves_the_first_refusal(
    later: RuleServer,
) -> None:
    seen = await UnreliableServer(RuleServer(fault="421"), later).checked(retry_deferred=1)
    assert endpoint_findings(seen) == {"refused_us info refused-us"}
    assert purposes(seen) == ["main", "revisit"]


async def test_what_was_answered_the_first_time_stands_where_the_second_has_no_answer() -> None:
    server = UnreliableServer(
        RuleServer(mail_replies={"": "450 4.7.1 later"}), RuleServer(limit=1, ending="timeout")
    )
    seen = await server.checked(retry_deferred=1)
    postmaster, null_sender = (seen.endpoints[0].asked(purpose) for purpose in ("postmaster", "null-sender"))
    assert postmaster is not None
    assert null_sender is not None
    assert postmaster is seen.endpoints[0].sessions[0].transactions[1]
    assert null_sender is seen.endpoints[0].sessions[-1].transactions[0]
    assert endpoint_findings(seen) == set()


async def test_the_evidence_is_in_the_session_that_settled_it() -> None:
    seen = await UnreliableServer(
        RuleServer(rcpt_replies=GREYLISTED), RuleServer(rcpt_replies=REFUSED)
    ).checked(retry_deferred=1)
    (rejected,) = (f for f in apply_rules(seen) if f.code == "smtp.postmaster.rejected")
    (evidence,) = rejected.evidence
    assert evidence.session is not None
    assert evidence.entry is not None
    held = seen.endpoints[0].sessions[evidence.session]
    assert held.purpose == "revisit"
    assert evidence.quote in str(held.transcript[evidence.entry]["got"])


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault not in ("421", "450", "ehlo-421", "rset")]
)
async def test_nobody_comes_back_where_nobody_was_put_off(fault: str) -> None:
    server = UnreliableServer(RuleServer(fault=fault), RuleServer())
    seen = await server.checked(retry_deferred=1)
    assert (server.paused, "revisit" in purposes(seen)) == ([], False)


async def test_nobody_comes_back_unless_that_was_asked_for() -> None:
    server = UnreliableServer(RuleServer(rcpt_replies=GREYLISTED), RuleServer())
    seen = await server.checked()
    assert (server.paused, endpoint_findings(seen), purposes(seen)) == ([], set(BOUNCES), ["main"])


async def test_each_endpoint_that_put_us_off_is_waited_for_and_no_other() -> None:
    servers = {
        ADDRESS: UnreliableServer(RuleServer(rcpt_replies=GREYLISTED), RuleServer()),
        "2001:db8::7": UnreliableServer(RuleServer(), RuleServer()),
    }

    class Both:
        async def run(self, script: Script[T]) -> T:
            first = next(script)
            assert isinstance(first, Connect)
            return await servers[first.host].run(resume(first, script))

    runner: Runner = Both()
    seen = await check(
        options("example.test", retry_deferred=1),
        FakeResolver(ZONE),
        runner,
        run_at="",
        seed=1,
        pause=servers[ADDRESS].pause,
    )
    assert [[s.purpose for s in e.sessions] for e in seen.endpoints] == [["main", "revisit"], ["main"]]
    assert servers[ADDRESS].paused == [60.0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({}, False),
        ({"greeting": "421 busy"}, True),
        ({"greeting": "554 no"}, False),
        ({"greeting": None, "end": "greeting/timeout"}, False),
        ({"ehlo": "450 later"}, True),
        ({"ehlo": "550 no", "helo": "421 later"}, True),
        ({"ehlo": "550 no", "helo": "250 mx"}, False),
        ({"null": "450 later"}, True),
        ({"postmaster": "MAIL 452 full"}, True),
        ({"relay": "451 later"}, True),
        ({"connected": False, "end": "connect/refused"}, False),
    ],
)
def test_replies_that_defer(words: dict[str, str], expected: bool) -> None:
    assert is_deferred(endpoint(**words).sessions) is expected  # type: ignore[arg-type]


def test_the_last_answer_decides_whether_it_is_deferred() -> None:
    waiting, well = session(null="450 later"), session("one-by-one")
    assert is_deferred((waiting, well)) is False
    assert is_deferred((well, waiting)) is True


def test_both_visits_are_kept() -> None:
    first, again = session(greeting="421 busy"), session("revisit")
    kept = merge_retry((first,), (again,))
    assert (kept[0], kept[1].greeting, kept[1].transactions) == (again, first.greeting, ())
    held = Endpoint(address=ADDRESS, port=25, targets=("mx.example.org",), reverse=None, sessions=kept)
    assert apply_rules(observation(held)) == ()
    grey = session(null="450 later")
    assert merge_retry((grey,), (again,)) == (grey, again)


@pytest.mark.parametrize("minutes", [-1, 1440.5, float("nan"), float("inf")])
async def test_minutes_out_of_range_are_refused(minutes: float) -> None:
    with pytest.raises(
        OptionError, match=r"retry_deferred is .*: give minutes, at most 1440, or 0 for never"
    ):
        options(retry_deferred=minutes)


RELAY = "RCPT TO:<postmaster@example.com>"
NULL, USUAL = "MAIL FROM:<>", "MAIL FROM:<postmaster@probe.test>"


@pytest.mark.parametrize(
    ("first", "asked"),
    [
        ({"rcpt_replies": {"postmaster@example.test": "450 4.2.0 greylisted"}}, {NULL, USUAL}),
        ({"mail_replies": {"": "450 4.2.0 greylisted"}}, {NULL, USUAL}),
        ({"mail_replies": {"postmaster@probe.test": "450 4.2.0 greylisted"}}, {USUAL, RELAY}),
        ({"rcpt_replies": {"postmaster@example.com": "450 4.2.0 greylisted"}}, {USUAL, RELAY}),
    ],
)
async def test_the_second_visit_asks_only_what_was_deferred(
    first: dict[str, object], asked: set[str]
) -> None:
    server = UnreliableServer(RuleServer(**first), RuleServer())  # type: ignore[arg-type]
    await server.checked(retry_deferred=0.5)
    (received,) = server.later.received
    assert {line for line in received if line in (NULL, USUAL, RELAY)} == asked


async def test_a_relay_probe_that_is_refused_with_4yz_is_no_reason_for_a_second_visit() -> None:
    """Postfix says 454 to every recipient that it does not relay for."""
    refused = {"postmaster@example.com": "454 4.7.1 <postmaster@example.com>: Relay access denied"}
    server = UnreliableServer(RuleServer(rcpt_replies=refused), RuleServer())
    await server.checked(retry_deferred=0.5)
    assert (server.paused, server.later.received) == ([], [])
