"""An error in one domain affects only that domain; an error in the results ends the scan."""

import json
from typing import TypeVar

import pytest

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.report.summary.line import read_line
from checker_smtp.scan.output.results import ResultsError
from checker_smtp.scan.scan import Scan
from checker_smtp.testing import FakeResolver, RuleServer, Zone
from smtp_sansio import Script
from tests.apps.scan.fake_internet import (
    FakeInternet,
    Results,
    Scanned,
    listed,
    scanned,
    settings,
    shared,
    zone,
)

pytestmark = pytest.mark.anyio

T = TypeVar("T")
HERE = "192.0.2.7"


class Broken(RuleServer):
    """A host at which this program raises an error."""

    async def run(self, script: Script[T]) -> T:
        script.close()
        raise ZeroDivisionError("out of luck " + "x" * 1000)


def fake_internet(host: RuleServer | list[RuleServer] | None = None) -> FakeInternet:
    return FakeInternet(FakeResolver(zone(shared(5), {"mx.host.test": HERE})), {HERE: host or RuleServer()})


def bugs(found: Scanned) -> dict[str, str]:
    """Return the domains that failed, with the reason."""
    reasons = {}
    for raw, line in zip(found.raw, found.lines, strict=True):
        read_line(raw)
        if "not_checked" in line:
            assert (line["version"], line["not_checked"]) == (2, "error")
            assert len(line["reason"]) < 400
            reasons[line["domain"]] = line["reason"]
    assert found.scan.stats.statuses["not_checked"] == len(reasons)
    return reasons


async def test_a_rule_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_for_one(observation: Observation) -> Result:
        if observation.domain == "d3.test":
            raise KeyError("what?")
        return evaluate(observation)

    monkeypatch.setattr("checker_smtp.scan.evaluate.evaluate", fail_for_one)
    ((domain, reason),) = bugs(await scanned(fake_internet(), shared(5))).items()
    assert domain == "d3.test"
    assert reason.startswith("a bug in checker-smtp, please report it: KeyError: 'what?' (test_faults.py:")


async def test_a_lookup_that_fails() -> None:
    internet = fake_internet()
    resolve = internet.names.resolve

    async def fail(name: str, rdtype: str, *, unvalidated: bool = False) -> object:
        if name == "d3.test":
            raise RuntimeError("what?")
        return await resolve(name, rdtype, unvalidated=unvalidated)

    internet.names.resolve = fail  # type: ignore[method-assign, assignment]
    assert list(bugs(await scanned(internet, shared(5)))) == ["d3.test"]


async def test_a_reverse_lookup_that_fails() -> None:
    """It is made in a task, so its exception comes in a group."""
    internet = fake_internet()
    resolve = internet.names.resolve

    async def fail(name: str, rdtype: str, *, unvalidated: bool = False) -> object:
        if rdtype == "PTR":
            raise RuntimeError("what?")
        return await resolve(name, rdtype, unvalidated=unvalidated)

    internet.names.resolve = fail  # type: ignore[method-assign, assignment]
    reasons = bugs(await scanned(internet, shared(5)))
    assert sorted(reasons) == list(shared(5))
    assert all("RuntimeError: what?" in reason for reason in reasons.values())


async def test_a_session_that_fails() -> None:
    """It affects no other server, and not the later domains of this one."""
    mx = shared(5) | shared(2, "mx.other.test", "e")
    records = zone(mx, {"mx.host.test": HERE, "mx.other.test": "192.0.2.8"})
    internet = FakeInternet(
        FakeResolver(records), {HERE: [Broken(), RuleServer()], "192.0.2.8": RuleServer()}
    )
    reasons = bugs(await scanned(internet, mx, settings(per_session=3)))
    assert len(reasons) == 3
    assert set(reasons) < set(shared(5))
    assert all("ZeroDivisionError: out of luck xx" in reason for reason in reasons.values())


async def test_a_retry_that_fails() -> None:
    later = RuleServer(rcpt_replies={"postmaster@d3.test": "450 4.2.0 greylisted"})
    found = await scanned(
        fake_internet([later, Broken()]), shared(5), settings(given={"retry_deferred": 1.0})
    )
    assert list(bugs(found)) == ["d3.test"]


async def test_a_domain_with_several_servers_has_one_line() -> None:
    records = zone({"a.test": "mx.host.test"}, {"mx.host.test": HERE})
    records += "\na.test MX 20 b.test.\nb.test A 192.0.2.8\na.test MX 30 c.test.\nc.test A 192.0.2.9"
    internet = FakeInternet(
        FakeResolver(records), {HERE: Broken(), "192.0.2.8": Broken(), "192.0.2.9": RuleServer()}
    )
    assert list(bugs(await scanned(internet, ["a.test"]))) == ["a.test"]
    assert internet.connections("192.0.2.9") == 1


async def test_a_resolver_that_answers_nothing_at_all() -> None:
    world = Zone(zone(shared(1), {"mx.host.test": HERE}))

    def lookup(name: str, rdtype: str) -> DnsAnswer:
        if name in ("dead.test", ".", "com") or name.endswith(".invalid"):
            return DnsAnswer(name=name, rdtype=rdtype, status=DnsStatus.TIMEOUT, detail="no answer")
        return world.lookup(name, rdtype)

    internet = FakeInternet(FakeResolver(lookup), {HERE: RuleServer()})
    found = await scanned(internet, ["dead.test", "d0.test"])
    assert json.loads(found.line("dead.test")) == {
        "version": 2,
        "domain": "dead.test",
        "not_checked": "resolver",
        "reason": "the resolver cannot be used: no answer",
    }
    assert found.of("d0.test").status in ("ok", "info")


async def test_a_resolver_that_fails_for_one_domain() -> None:
    records = zone(shared(1), {"mx.host.test": HERE}) + "\nfail.test MX !servfail out of order"
    found = await scanned(FakeInternet(FakeResolver(records), {HERE: RuleServer()}), ["fail.test", "d0.test"])
    assert found.codes("fail.test") == {"smtp.mx.lookup_failed"}


async def test_results_that_cannot_be_written_end_the_scan() -> None:
    written: list[int] = []

    def write(number: int, _: bytes) -> None:
        if len(written) == 2:
            raise ResultsError("no room")
        written.append(number)

    internet = fake_internet()
    with pytest.raises(ExceptionGroup) as caught:
        await Scan(settings(per_session=1, per_address=1), internet, internet).run(
            listed(shared(5)), Results(write)
        )
    assert caught.group_contains(ResultsError, match="no room")
    assert len(written) == 2
    # the next one may have begun in the same moment, and is cancelled at once
    assert sum(session.ended > session.began for session in internet.sessions) == 3
    assert not internet.open


async def test_a_list_that_ends_in_an_error_ends_the_scan() -> None:
    def broken() -> object:
        yield from listed(["d0.test"])
        raise OSError(5, "Input/output error")

    internet = fake_internet()
    with pytest.raises(ExceptionGroup) as caught:
        await Scan(settings(), internet, internet).run(broken(), Results())  # type: ignore[arg-type]
    assert caught.group_contains(OSError, match="Input/output")
