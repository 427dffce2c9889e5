"""What goes wrong with one domain is that domain's; what goes wrong with the results ends the scan."""

import json
from typing import TypeVar

import pytest

from checker_smtp.probes.observation import Observation
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.report.summary.line import read_line
from checker_smtp.scan.domain_list import Entry
from checker_smtp.scan.results import ResultsError
from checker_smtp.scan.scan import Scan
from smtp_sansio import Script
from tests.apps.scan.fake_internet import Scanned, Town, scanned, settings, shared, zone
from tests.probes.hosts import Host
from tests.probes.world import Names

pytestmark = pytest.mark.anyio

T = TypeVar("T")
HERE = "192.0.2.7"


class Broken(Host):
    """A host at which this program fails."""

    async def run(self, script: Script[T]) -> T:
        script.close()
        raise ZeroDivisionError("out of luck " + "x" * 1000)


def town(host: Host | list[Host] | None = None) -> Town:
    return Town(Names(zone(shared(5), {"mx.host.test": HERE})), {HERE: host or Host()})


def bugs(found: Scanned) -> dict[str, str]:
    """The domains that could not be told about, with the reason."""
    told = {}
    for raw, line in zip(found.raw, found.lines, strict=True):
        read_line(raw)
        if "not_checked" in line:
            assert (line["version"], line["not_checked"]) == (1, "error")
            assert len(line["reason"]) < 400
            told[line["domain"]] = line["reason"]
    assert found.scan.stats.statuses["not_checked"] == len(told)
    return told


async def test_a_rule_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_for_one(observation: Observation) -> Result:
        if observation.domain == "d3.test":
            raise KeyError("what?")
        return evaluate(observation)

    monkeypatch.setattr("checker_smtp.scan.domain_scan.evaluate", fail_for_one)
    ((domain, reason),) = bugs(await scanned(town(), shared(5))).items()
    assert domain == "d3.test"
    assert reason.startswith("a bug in checker-smtp, please report it: KeyError: 'what?' (test_faults.py:")


async def test_a_lookup_that_fails() -> None:
    here = town()
    resolve = here.names.resolve

    async def fail(name: str, rdtype: str) -> object:
        if name == "d3.test":
            raise RuntimeError("what?")
        return await resolve(name, rdtype)

    here.names.resolve = fail  # type: ignore[method-assign, assignment]
    assert list(bugs(await scanned(here, shared(5)))) == ["d3.test"]


async def test_a_reverse_lookup_that_fails() -> None:
    """It is made in a task, so its exception comes in a group."""
    here = town()
    resolve = here.names.resolve

    async def fail(name: str, rdtype: str) -> object:
        if rdtype == "PTR":
            raise RuntimeError("what?")
        return await resolve(name, rdtype)

    here.names.resolve = fail  # type: ignore[method-assign, assignment]
    told = bugs(await scanned(here, shared(5)))
    assert sorted(told) == list(shared(5))
    assert all("RuntimeError: what?" in reason for reason in told.values())


async def test_a_visit_that_fails() -> None:
    """It is the end of no other server, nor of this one for those who come later."""
    mx = shared(5) | shared(2, "mx.other.test", "e")
    records = zone(mx, {"mx.host.test": HERE, "mx.other.test": "192.0.2.8"})
    here = Town(Names(records), {HERE: [Broken(), Host()], "192.0.2.8": Host()})
    told = bugs(await scanned(here, mx, settings(per_session=3)))
    assert len(told) == 3
    assert set(told) < set(shared(5))
    assert all("ZeroDivisionError: out of luck xx" in reason for reason in told.values())


async def test_a_second_visit_that_fails() -> None:
    later = Host(rcpt={"postmaster@d3.test": "450 4.2.0 greylisted"})
    found = await scanned(town([later, Broken()]), shared(5), settings(given={"retry_deferred": 1.0}))
    assert list(bugs(found)) == ["d3.test"]


async def test_a_domain_with_several_servers_has_one_line_all_the_same() -> None:
    records = zone({"a.test": "mx.host.test"}, {"mx.host.test": HERE})
    records += "\na.test MX 20 b.test.\nb.test A 192.0.2.8\na.test MX 30 c.test.\nc.test A 192.0.2.9"
    here = Town(Names(records), {HERE: Broken(), "192.0.2.8": Broken(), "192.0.2.9": Host()})
    assert list(bugs(await scanned(here, ["a.test"]))) == ["a.test"]
    assert here.connections("192.0.2.9") == 1


async def test_a_resolver_that_answers_nothing_at_all() -> None:
    records = (
        zone(shared(1), {"mx.host.test": HERE}) + "\ndead.test MX !timeout no answer\n. NS !timeout no answer"
    )
    here = Town(Names(records), {HERE: Host()})
    found = await scanned(here, ["dead.test", "d0.test"])
    assert json.loads(found.line("dead.test")) == {
        "version": 1,
        "domain": "dead.test",
        "not_checked": "resolver",
        "reason": "the resolver does not answer: no answer",
    }
    assert found.of("d0.test").status in ("ok", "info")


async def test_a_resolver_that_fails_for_one_domain() -> None:
    records = zone(shared(1), {"mx.host.test": HERE}) + "\nfail.test MX !servfail out of order"
    found = await scanned(Town(Names(records), {HERE: Host()}), ["fail.test", "d0.test"])
    assert found.codes("fail.test") == {"smtp.mx.lookup_failed"}


async def test_results_that_cannot_be_written_end_the_scan() -> None:
    written: list[int] = []

    def write(number: int, _: bytes) -> None:
        if len(written) == 2:
            raise ResultsError("no room")
        written.append(number)

    here = town()
    with pytest.raises(ExceptionGroup) as caught:
        await Scan(settings(per_session=1, per_address=1), here, write).run(map(Entry, shared(5)))
    assert caught.group_contains(ResultsError, match="no room")
    assert len(written) == 2
    assert here.connections(HERE) <= 3
    assert not here.open


async def test_a_list_that_ends_in_an_error_ends_the_scan() -> None:
    def listed() -> object:
        yield Entry("d0.test")
        raise OSError(5, "Input/output error")

    with pytest.raises(ExceptionGroup) as caught:
        await Scan(settings(), town(), lambda *_: None).run(listed())  # type: ignore[arg-type]
    assert caught.group_contains(OSError, match="Input/output")
