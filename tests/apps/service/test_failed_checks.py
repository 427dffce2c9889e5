"""A check without a result is kept for the client that asks, without the steps that it took."""

import pytest

from checker_smtp.service.running_checks import FailedCheck, RunningCheck
from tests.probes.world import options

pytestmark = pytest.mark.anyio


async def test_the_steps_are_for_those_that_read_them_when_it_ends() -> None:
    check = RunningCheck(options("d.test"), "192.0.2.1", "")
    check.note("192.0.2.7:25", "connecting")
    check.note("192.0.2.7:25", "EHLO")
    check.outcome = FailedCheck(message="the check failed")
    kept = check.without_steps()
    check.end()
    assert len([step async for step in check.steps()]) == 2
    assert [step async for step in kept.steps()] == []
    assert (kept.name, kept.outcome, kept.latest) == (check.name, check.outcome, check.latest)
    assert kept.ended.is_set()
