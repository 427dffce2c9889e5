"""Resolvers that answer nothing or untruly are refused, and a question that two ask for is asked once."""

import anyio
import pytest

from checker_smtp.probes.dns import LookupCache, ResolverError, is_control, require_sound
from checker_smtp.probes.observation import Mx
from checker_smtp.probes.ports import DnsAnswer, DnsStatus, Resolver
from checker_smtp.testing import FakeResolver, Zone
from tests.probes.observations import finding_lines, observation, target
from tests.probes.world import answer

pytestmark = pytest.mark.anyio

SOUND = FakeResolver("")
SILENT = FakeResolver.failing(DnsStatus.TIMEOUT)


def inventing(name: str, rdtype: str) -> DnsAnswer:
    """Answer as a resolver that has an address for every name."""
    if rdtype == "A":
        return answer(name, rdtype, f"{name}. 60 IN A 192.0.2.9")
    return Zone("").lookup(name, rdtype)


async def test_one_resolver_that_answers_is_enough() -> None:
    await require_sound([SILENT, SOUND], 1)


@pytest.mark.parametrize(
    ("resolvers", "message"),
    [([SILENT], "cannot be used"), ([SOUND, FakeResolver(inventing)], "has an address for")],
)
async def test_a_resolver_that_cannot_be_used_is_refused(resolvers: list[Resolver], message: str) -> None:
    with pytest.raises(ResolverError) as error:
        await require_sound(resolvers, 1)
    assert message in f"{error.value.problem} {error.value.detail}"


async def test_two_tasks_ask_one_question_once() -> None:
    class Slow(FakeResolver):
        async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
            await anyio.wait_all_tasks_blocked()
            return await super().resolve(name, rdtype, unvalidated=unvalidated)

    resolver = Slow("mx.test A 192.0.2.7")
    lookups = LookupCache(resolver).view()
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(lookups.ask, "mx.test", "A")
    assert resolver.asked == [("mx.test", "A")]


async def test_no_typing_error_is_named_where_there_is_no_mx_record() -> None:
    seen = target("example.org", ipv4="", ipv6="")
    implicit = observation(mx=Mx(status=DnsStatus.NODATA, implicit_mx=True, records=(seen,)))
    assert "mx.unresolved crit fail example.org" in finding_lines(implicit)


@pytest.mark.parametrize(
    ("name", "rdtype", "expected"),
    [
        (".", "NS", True),
        ("com", "NS", True),
        ("0123456789abcdef.invalid", "MX", True),
        ("example.org", "MX", False),
        ("invalid.example.org", "A", False),
    ],
)
def test_a_control_question_is_known_by_its_name(name: str, rdtype: str, expected: bool) -> None:
    assert is_control(name, rdtype) is expected
