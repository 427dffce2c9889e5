"""DNS and the resolver: situations from the field, in a check, and the same in its replay and in a scan."""

import json
from itertools import cycle
from pathlib import Path

import pytest

from checker_smtp.api import RunContext, check, replay
from checker_smtp.backends.recording.record_backend import Recording
from checker_smtp.probes.dns import ResolverError
from checker_smtp.probes.ports import Backend, DnsAnswer
from checker_smtp.probes.result import Result
from checker_smtp.testing import FakeResolver, RuleServer, Zone
from tests.apps.dns_situations import SITUATIONS, V4, V6, WELL, answer
from tests.apps.resolver_situations import RESOLVER_SITUATIONS, UNTRUE
from tests.apps.scan.comparing import comparable
from tests.apps.scan.fake_internet import FakeInternet, scanned
from tests.probes.world import options

pytestmark = pytest.mark.anyio


def resolver(zone: str, answers: tuple[DnsAnswer, ...]) -> FakeResolver:
    """Return a resolver for the zone; an answer for `*.invalid` is that for every name there."""
    given = Zone(zone, *(one for one in answers if not one.unvalidated and not one.name.startswith("*")))
    wild = {one.rdtype: one for one in answers if one.name.startswith("*")}

    def lookup(name: str, rdtype: str) -> DnsAnswer:
        if not name.endswith(".invalid") or rdtype not in wild:
            return given.lookup(name, rdtype)
        records = tuple(record.replace("*.invalid.", f"{name}.") for record in wild[rdtype].records)
        return answer(f"{rdtype} {name}", *records, status=str(wild[rdtype].status))

    return FakeResolver(lookup, *(one for one in answers if one.unvalidated))


def internet(zone: str, answers: tuple[DnsAnswer, ...]) -> FakeInternet:
    servers = {address: RuleServer() for address in (V4, V6, "2001:db8:64::c000:207")}
    return FakeInternet(resolver(zone, answers), servers, seconds=0)  # type: ignore[arg-type]


async def checked(backend: Backend) -> Result:
    return await check(
        options("good.test"), backend, context=RunContext(run_at="2026-11-28T12:00:00Z", seed=SEED)
    )


SEED = 1
ALL = SITUATIONS | RESOLVER_SITUATIONS
# what the DNS means does not depend on the loop, so each situation is run on one of them, in turn
each_situation = pytest.mark.parametrize(
    ("name", "loop"), list(zip(ALL, cycle(["asyncio", "trio"]), strict=False))
)


@each_situation
async def test_a_situation(name: str, loop: str) -> None:
    situation = ALL[name]
    result = await checked(internet(situation.zone, situation.answers))
    verdicts = [
        f"{f.code.removeprefix('smtp.')} {f.severity} {f.outcome} {f.subject}".strip()
        for f in result.findings
    ]
    text = "\n".join(f"{f.message} {f.fix} {[e.quote for e in f.evidence]}" for f in result.findings)
    assert verdicts == (situation.verdicts if situation.verdicts is not None else verdicts)
    assert result.mail.state == situation.mail
    assert situation.says in text
    assert not situation.not_says or situation.not_says not in text


@pytest.mark.slow
@each_situation
async def test_a_replay_and_a_scan_give_the_result_of_the_check(name: str, loop: str, tmp_path: Path) -> None:
    situation = ALL[name]
    recording = Recording(internet(situation.zone, situation.answers))
    result = await checked(recording)
    recording.save(tmp_path / "case", options("good.test"), result, seed=SEED)
    assert comparable(await replay(tmp_path / "case")) == comparable(result)
    found = await scanned(internet(situation.zone, situation.answers), ["good.test"])
    assert comparable(found.of("good.test")) == comparable(result)


@pytest.mark.parametrize("name", UNTRUE)
async def test_a_resolver_that_gives_untrue_answers(name: str) -> None:
    zone, answers, reason = UNTRUE[name]
    world = internet(zone, answers)
    with pytest.raises(ResolverError, match="the resolver gives untrue answers: ") as raised:
        await check(options("good.test"), world, context=RunContext(seed=1))
    assert reason in str(raised.value)
    assert world.sessions == []
    line = json.loads((await scanned(internet(zone, answers), ["good.test"])).line("good.test"))
    assert line["not_checked"] == "resolver"
    assert reason in line["reason"]


async def test_what_is_there_is_reported_although_the_resolver_invents_names() -> None:
    answers = (answer("A *.invalid", "*.invalid. 60 IN A 192.0.2.66"),)
    result = await check(options("good.test"), internet(WELL, answers), context=RunContext(seed=1))
    assert (result.status, result.mail.state) == ("ok", "accepted")
