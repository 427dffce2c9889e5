"""The result for a host serves every domain that uses it, until it expires; a failed one is not kept."""

import anyio
import pytest

from checker_smtp.probes.check import resolve_domain
from checker_smtp.probes.dns import LookupCache, ResolverError, resolve_mx, resolve_reverse_dns
from checker_smtp.probes.evidence_budget import EvidenceBudget, octets_of_answers
from checker_smtp.probes.options import OptionError
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.testing import FakeClock, FakeResolver
from tests.probes.world import options, questions

pytestmark = pytest.mark.anyio

ZONE = """
    one.example         MX    10 mx.example.net.
    two.example         MX    20 mx.example.net.
    mx.example.net      A     192.0.2.7
    mx.example.net      AAAA  2001:db8::7
    7.2.0.192.in-addr.arpa  PTR  mx.example.net.
"""


async def test_the_second_domain_asks_for_its_mx_alone() -> None:
    names = FakeResolver(ZONE)
    hosts = LookupCache(names, 60, FakeClock())
    first = await resolve_domain(options("one.example"), hosts.view())
    asked = len(questions(names))
    second = await resolve_domain(options("two.example"), hosts.view())
    assert questions(names)[asked:] == [("two.example", "MX")]
    assert (first.mx.records[0].preference, second.mx.records[0].preference) == (10, 20)
    assert first.mx.records[0].ipv4 == second.mx.records[0].ipv4 == ("192.0.2.7",)


async def test_a_domain_is_told_the_answers_as_if_it_had_asked() -> None:
    hosts = LookupCache(FakeResolver(ZONE), 60, FakeClock())
    await resolve_domain(options("one.example"), hosts.view())
    shared = await resolve_domain(options("two.example"), hosts.view())
    alone = await resolve_domain(options("two.example"), LookupCache(FakeResolver(ZONE)).view())
    for prospect in (shared, alone):
        await resolve_reverse_dns(prospect.lookups, "192.0.2.7")
    assert shared.lookups.answers == alone.lookups.answers
    assert shared.mx == alone.mx


async def test_who_asks_what_is_being_asked_waits_for_that_answer() -> None:
    names = FakeResolver(ZONE)
    lookups = LookupCache(names).view()
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(lookups.ask, "one.example", "MX")
    assert questions(names) == [("one.example", "MX")]
    assert [answer.name for answer in lookups.answers] == ["one.example"]


async def test_what_is_too_old_is_looked_up_again() -> None:
    names, clock = FakeResolver(ZONE), FakeClock()
    hosts = LookupCache(names, 60, clock)
    for clock.now, times in ((0.0, 1), (59.9, 1), (60.0, 2)):
        await resolve_reverse_dns(hosts.view(), "192.0.2.7")
        assert questions(names).count(("7.2.0.192.in-addr.arpa", "PTR")) == times


async def test_a_question_that_stayed_open_is_asked_again() -> None:
    names = FakeResolver("mx.example.net A !servfail\n7.2.0.192.in-addr.arpa PTR mx.example.net.")
    hosts = LookupCache(names, 60, FakeClock())
    for times in (1, 2):
        await resolve_reverse_dns(hosts.view(), "192.0.2.7")
        assert questions(names).count(("mx.example.net", "A")) == times


async def test_no_more_hosts_are_kept_than_there_is_room_for() -> None:
    names = FakeResolver(ZONE)
    hosts = LookupCache(names, 60, FakeClock(), max_hosts=2)
    for last in (1, 2, 3, 3, 2, 1):
        await resolve_reverse_dns(hosts.view(), f"192.0.2.{last}")
    assert [name.split(".")[0] for name, rdtype in questions(names) if rdtype == "PTR"] == [
        "1",
        "2",
        "3",
        "1",
    ]


def test_the_same_options_for_another_domain() -> None:
    given = options("one.example", timeout=3.0, port=2525, test_open_relay=False)
    assert given.about("Zwei.Example.") == options(
        "zwei.example", timeout=3.0, port=2525, test_open_relay=False
    )
    assert given.domain == "one.example"
    with pytest.raises(OptionError, match="is not a host name"):
        given.about("-")


async def test_a_resolver_that_dies_during_a_scan_is_at_fault_and_not_the_domain() -> None:
    clock = FakeClock()
    names = FakeResolver(ZONE)
    hosts = LookupCache(names, 600, clock)
    await resolve_mx(hosts.view(), options("one.example"))
    names.lookup = FakeResolver.failing(DnsStatus.TIMEOUT, "no answer").lookup
    clock.now += 60
    with pytest.raises(ResolverError, match="the resolver cannot be used: no answer"):
        await resolve_mx(hosts.view(), options("two.example"))


async def test_hosts_with_long_answers_are_kept_within_some_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ones go, and one that is too large for the cache is not kept at all."""
    names = FakeResolver(ZONE)
    hosts = LookupCache(names, 60, FakeClock())

    async def is_kept(address: str) -> bool:
        asked = len(questions(names))
        await resolve_reverse_dns(hosts.view(), address)
        return len(questions(names)) == asked

    assert not await is_kept("192.0.2.7")
    assert await is_kept("192.0.2.7")
    # a PTR record and its confirmation have 1.1 KiB, an address without one 0.5
    monkeypatch.setattr("checker_smtp.probes.dns.lookups._MAX_OCTETS", 1500)
    assert not await is_kept("192.0.2.8")
    assert not await is_kept("192.0.2.7")
    assert await is_kept("192.0.2.7")
    monkeypatch.setattr("checker_smtp.probes.dns.lookups._MAX_OCTETS", 0)
    assert not await is_kept("192.0.2.9")
    assert not await is_kept("192.0.2.7")


async def test_answers_of_a_domain_stay_within_its_evidence() -> None:
    """Those that were asked for by another domain as well: it has as many of them as there is room for."""
    names = FakeResolver(ZONE)
    hosts = LookupCache(names, 60, FakeClock())
    whole = EvidenceBudget()
    first = await resolve_domain(options("one.example"), hosts.view(whole))
    assert whole.in_use == octets_of_answers(first.lookups.answers)
    for room, known in ((whole.in_use, 2), (whole.in_use - 1, 1)):
        budget = EvidenceBudget(room)
        found = await resolve_domain(options("two.example"), hosts.view(budget))
        (target,) = found.mx.records
        assert [target.ipv4_status, target.ipv6_status].count(DnsStatus.ANSWER) == known
        assert budget.in_use <= room


async def test_a_host_that_had_no_room_is_not_kept() -> None:
    hosts = LookupCache(FakeResolver(ZONE), 60, FakeClock())
    await resolve_domain(options("one.example"), hosts.view(EvidenceBudget(1000)))
    (target,) = (await resolve_domain(options("two.example"), hosts.view())).mx.records
    assert (target.ipv4_status, target.ipv6_status) == (DnsStatus.ANSWER, DnsStatus.ANSWER)
