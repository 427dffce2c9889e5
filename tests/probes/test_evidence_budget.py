"""The budget of evidence: parts of parts, reserves, and waiting for room."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.probes.evidence_budget import (
    CHECK_LIMIT,
    ENTRY_COST,
    PROCESS_LIMIT,
    EvidenceBudget,
    dns_limit,
    endpoint_limit,
)

pytestmark = pytest.mark.anyio


def part_of(whole: EvidenceBudget, limit: int = 100, reserve: int = 0) -> EvidenceBudget:
    part = whole.part(limit, reserve)
    assert part is not None
    return part


def test_takes_up_to_the_limit_and_nothing_beyond_it() -> None:
    budget = EvidenceBudget(100)
    assert budget.take(100)
    assert not budget.take(1)
    assert budget.in_use == 100
    budget.give_back(1)
    assert budget.take(1)


def test_an_entry_costs_more_than_its_octets() -> None:
    budget = EvidenceBudget(2 * ENTRY_COST)
    assert budget.take(1, entries=1)
    assert not budget.take(0, entries=1)
    budget.give_back(1, entries=1)
    assert budget.in_use == 0


def test_what_a_part_takes_is_in_use_for_the_whole() -> None:
    whole = EvidenceBudget(100)
    check = part_of(whole)
    endpoint = part_of(check, limit=40)
    assert endpoint.take(40)
    assert not endpoint.take(1)
    assert (check.in_use, whole.in_use) == (40, 40)
    endpoint.close()
    assert (check.in_use, whole.in_use) == (0, 0)


def test_a_part_cannot_take_what_others_keep() -> None:
    whole = EvidenceBudget(100)
    first, second = part_of(whole), part_of(whole)
    assert first.take(60)
    assert not second.take(41)
    assert second.in_use == 0
    first.close()
    assert second.take(41)


def test_a_reserve_is_in_use_from_the_beginning_and_never_counted_twice() -> None:
    whole = EvidenceBudget(100)
    part = part_of(whole, reserve=30)
    assert whole.in_use == 30
    assert part.take(20)
    assert whole.in_use == 30
    assert part.take(20)
    assert whole.in_use == 40
    part.give_back(40)
    assert whole.in_use == 30
    part.close()
    assert whole.in_use == 0


def test_a_reserve_can_be_taken_however_much_others_keep() -> None:
    whole = EvidenceBudget(100)
    honest, hostile = part_of(whole, reserve=30), part_of(whole)
    assert hostile.take(70)
    assert not hostile.take(1)
    assert honest.take(30)
    assert not honest.take(1)


def test_there_is_no_part_without_room_for_its_reserve() -> None:
    whole = EvidenceBudget(100)
    assert whole.part(100, 101) is None
    assert whole.in_use == 0


def test_a_closed_part_has_nothing_left() -> None:
    whole = EvidenceBudget(100)
    part = part_of(whole, reserve=30)
    part.close()
    part.close()
    assert whole.in_use == 0
    assert not part.take(1)


def test_a_process_has_room_for_several_checks_that_keep_all_they_may() -> None:
    whole = EvidenceBudget()
    parts = [whole.part() for _ in range(PROCESS_LIMIT // CHECK_LIMIT)]
    assert all(part is not None and part.take(CHECK_LIMIT) for part in parts)
    assert whole.part() is None


@given(
    st.integers(0, 50),
    st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=20),
)
def test_the_whole_is_never_exceeded_and_empty_at_the_end(
    reserve: int, steps: list[tuple[bool, int]]
) -> None:
    whole = EvidenceBudget(100)
    first, second = part_of(whole, reserve=reserve), part_of(whole, limit=80)
    for is_first, octets in steps:
        (first if is_first else second).take(octets)
        assert whole.in_use == max(first.in_use, reserve) + second.in_use <= 100
    first.close()
    second.close()
    assert whole.in_use == 0


async def test_waits_until_another_part_is_closed() -> None:
    whole = EvidenceBudget(100)
    first = part_of(whole, reserve=80)
    opened: list[EvidenceBudget] = []

    async def wait() -> None:
        opened.append(await whole.wait_for_part(100, 40))

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not opened
        first.close()
    assert opened[0].take(100)


async def test_waits_again_where_the_room_is_too_small() -> None:
    whole = EvidenceBudget(100)
    first, second = part_of(whole, reserve=30), part_of(whole, reserve=30)
    with anyio.move_on_after(0) as scope:
        await whole.wait_for_part(100, 80)
    assert scope.cancelled_caught
    opened: list[EvidenceBudget] = []

    async def wait() -> None:
        opened.append(await whole.wait_for_part(100, 80))

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        first.close()
        await anyio.wait_all_tasks_blocked()
        assert not opened
        second.close()
    assert opened


async def test_refuses_to_wait_for_what_never_comes() -> None:
    with pytest.raises(ValueError, match="the reserve of 101 octets exceeds the limit of 100"):
        await EvidenceBudget(100).wait_for_part(100, 101)


def test_a_settled_part_has_in_use_what_is_beyond_the_free_octets() -> None:
    for reserve, taken, in_use in ((60, 10, 0), (60, 50, 30), (0, 50, 30), (10, 50, 30)):
        whole = EvidenceBudget(100)
        part = part_of(whole, reserve=reserve)
        assert part.take(taken)
        part.settle(20)
        assert whole.in_use == part.in_use == in_use
        assert not part.take(100 - taken + 1)
        assert part.take(100 - taken)
        part.close()
        assert whole.in_use == 0


def test_a_budget_that_is_no_part_can_be_settled() -> None:
    budget = EvidenceBudget(100)
    assert budget.take(50)
    budget.settle(20)
    assert budget.in_use == 30


def test_the_endpoints_and_the_dns_have_no_more_than_the_check_together() -> None:
    for endpoints in range(33):
        assert endpoint_limit(endpoints) * endpoints + dns_limit() <= CHECK_LIMIT
