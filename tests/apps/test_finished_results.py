"""Several domains in one `check`: one budget for all, and results that take little until reported."""

import tempfile
from dataclasses import replace
from typing import BinaryIO, TypeVar

import click
import pytest

from checker_smtp.cli.checks import CheckRun
from checker_smtp.cli.finished_results import FinishedResults
from checker_smtp.probes.evidence_budget import CHECK_RESERVE, EvidenceBudget
from checker_smtp.probes.result import Result, evaluate
from checker_smtp.testing import FakeResolver, RuleServer
from smtp_sansio import Script
from tests.apps.scan.fake_internet import FakeInternet, shared, zone
from tests.probes.world import options
from tests.report.results import POSTURES

T = TypeVar("T")
NAMES = [f"d{number}.test" for number in range(6)]


def named(domain: str) -> Result:
    result = POSTURES["relay"]()
    return evaluate(replace(result.observation, domain=domain))


def test_results_are_in_the_order_of_the_domains_wherever_they_are_kept() -> None:
    """The first three that finish stay in memory, and their part of the budget stays open."""
    whole, kept = EvidenceBudget(), FinishedResults(NAMES, 3000)
    for domain in reversed(NAMES):
        part = whole.part()
        assert part is not None
        assert part.take(1000)
        kept.put(named(domain), part)
    assert whole.in_use == 3000
    assert list(kept) == list(map(named, NAMES))
    assert [kept[number].observation.domain for number in (0, -1)] == [NAMES[0], NAMES[-1]]
    assert kept[1:3] == (named(NAMES[1]), named(NAMES[2]))
    assert kept[3] is kept[3]
    assert kept[0] is not kept[0]
    kept.close()


def test_nothing_is_written_where_all_results_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> BinaryIO:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    kept, budget = FinishedResults(NAMES, 1000), EvidenceBudget()
    kept.put(named(NAMES[0]), budget)
    kept.close()
    assert budget.take(1001)
    with pytest.raises(click.ClickException, match="no room for temporary files: No space left on device"):
        kept.put(named(NAMES[1]), budget)


class Counted(FakeInternet):
    """Counts the checks that run while a session does."""

    run_of: CheckRun
    most = 0

    async def run(self, script: Script[T]) -> T:
        self.most = max(self.most, len(self.run_of.running))
        return await super().run(script)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_check_begins_when_there_is_room_for_its_evidence(
    monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    budget = EvidenceBudget(2 * CHECK_RESERVE)
    monkeypatch.setattr("checker_smtp.cli.checks.EvidenceBudget", lambda: budget)
    internet = Counted(
        FakeResolver(zone(shared(6), {"mx.host.test": "192.0.2.7"})), {"192.0.2.7": RuleServer()}, seconds=0
    )
    checks = internet.run_of = CheckRun(options=list(map(options, NAMES)), backend=internet)
    assert checks.run(loop)
    assert [result.observation.domain for result in checks.results] == NAMES
    assert internet.most == 2
    assert 0 < budget.in_use < CHECK_RESERVE
