"""Ten connections in all and two to one address, shared by checks that run together."""

from collections import Counter
from functools import partial

import anyio
import pytest
from anyio.lowlevel import checkpoint

from checker_smtp.probes.check import check
from checker_smtp.probes.limits import ConnectionLimits
from checker_smtp.probes.observation import Endpoint
from checker_smtp.testing import FakeResolver, ScriptedServer
from tests.probes.dialogues import ASKED, PLAIN
from tests.probes.world import options

pytestmark = pytest.mark.anyio

WELL = PLAIN + ASKED
MANY = [f"192.0.2.{n}" for n in range(1, 26)]
ZONE = "example.org MX 10 mx.test.\n" + "\n".join(f"mx.test A {address}" for address in MANY)


async def test_a_check_holds_ten_connections_at_most() -> None:
    servers = ScriptedServer(dict.fromkeys(MANY, WELL))
    observation = await check(options(), FakeResolver(ZONE), servers, run_at="", seed=1)
    assert len(observation.endpoints) == 25
    assert servers.max_open == 10
    assert [e.address for e in observation.endpoints] == MANY


@pytest.mark.parametrize(
    ("given", "most"), [({}, 2), ({"per_address": 1}, 1), ({"per_address": 5}, 5), ({"total": 1}, 1)]
)
async def test_checks_that_share_limits_share_addresses(given: dict[str, int], most: int) -> None:
    limits = ConnectionLimits(**given)
    servers = ScriptedServer({"192.0.2.1": [WELL] * 8})
    run = partial(check, options(), runner=servers, run_at="", seed=1, limits=limits)
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(partial(run, resolver=FakeResolver("example.org A 192.0.2.1")))
    assert (servers.max_open, servers.max_open_to["192.0.2.1"]) == (most, most)
    servers.expect_end()


async def test_who_waits_for_a_busy_address_does_not_hold_a_place_of_the_whole() -> None:
    limits = ConnectionLimits(total=2, per_address=1)
    held: Counter[str] = Counter()
    release = anyio.Event()

    async def hold(address: str) -> None:
        async with limits.connection(address):
            held[address] += 1
            await release.wait()

    async with anyio.create_task_group() as group:
        for address in ("a", "a", "a", "b"):
            group.start_soon(hold, address)
        for _ in range(10):
            await checkpoint()
        assert held == {"a": 1, "b": 1}
        release.set()
    assert held == {"a": 3, "b": 1}


async def test_a_place_is_given_back_whatever_happens() -> None:
    limits = ConnectionLimits(total=1, per_address=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with limits.connection("a"):
                raise ZeroDivisionError
    with anyio.CancelScope() as scope:
        async with limits.connection("a"):
            scope.cancel()
            await checkpoint()
    async with limits.connection("a"):
        with anyio.move_on_after(0) as waiting:
            async with limits.connection("b"):
                raise AssertionError("there was one place only")
        assert waiting.cancelled_caught
    with anyio.fail_after(5):
        async with limits.connection("b"):
            pass


async def test_an_address_nobody_visits_any_more_is_forgotten() -> None:
    """A service that runs for months meets every address of the Internet."""
    limits = ConnectionLimits()
    for address in ("a", "b", "a"):
        async with limits.connection(address):
            assert len(limits._addresses) == 1
    assert not limits._addresses


async def test_an_address_that_somebody_waits_for_is_not_forgotten() -> None:
    """Two leave and two come in the same turn of the loop: never three at once."""
    limits = ConnectionLimits(total=10, per_address=2)
    now: Counter[str] = Counter()
    most = 0

    async def visit() -> None:
        nonlocal most
        async with limits.connection("a"):
            now["a"] += 1
            most = max(most, now["a"])
            await checkpoint()
            now["a"] -= 1

    async def come_again() -> None:
        for _ in range(20):
            await visit()

    async with anyio.create_task_group() as group:
        for _ in range(7):
            group.start_soon(come_again)
    assert most == 2


async def test_a_check_that_is_not_admitted_connects_to_nothing() -> None:
    class NotAdmittedError(Exception):
        pass

    async def admit(endpoints: tuple[Endpoint, ...]) -> None:
        assert [endpoint.address for endpoint in endpoints] == MANY
        raise NotAdmittedError

    servers = ScriptedServer(dict.fromkeys(MANY, WELL))
    with pytest.raises(NotAdmittedError):
        await check(options(), FakeResolver(ZONE), servers, run_at="", seed=1, admit=admit)
    assert servers.max_open == 0
