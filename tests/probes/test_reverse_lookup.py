"""From an address to its names, and from the names back (RFC 8601 §3)."""

import pytest

from checker_smtp.probes.dns import LookupCache, resolve_reverse_dns
from checker_smtp.probes.observation import ReverseDns
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.testing import FakeResolver
from tests.probes.world import questions

pytestmark = pytest.mark.anyio

POINTER = "7.2.0.192.in-addr.arpa"


async def looked_up(zone: str, address: str = "192.0.2.7") -> ReverseDns:
    return await resolve_reverse_dns(LookupCache(FakeResolver(zone)).view(), address)


async def test_a_name_that_leads_back() -> None:
    assert await looked_up(f"{POINTER} PTR MX.Example.org.\nmx.example.org A 192.0.2.7") == ReverseDns(
        status=DnsStatus.ANSWER, names=("mx.example.org",), total=1, confirmed_by=("mx.example.org",)
    )


async def test_any_of_several_names_confirms() -> None:
    reverse = await looked_up(
        f"""
        {POINTER} PTR  web.example.org.
        {POINTER} PTR  mx.example.org.
        web.example.org A 192.0.2.8
        mx.example.org  A 192.0.2.6
        mx.example.org  A 192.0.2.7
        """
    )
    assert (reverse.names, reverse.confirmed_by) == (
        ("mx.example.org", "web.example.org"),
        ("mx.example.org",),
    )


async def test_ipv6_is_compared_as_addresses_of_its_own_family() -> None:
    pointer = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    zone = f"{pointer} PTR mx.example.org.\nmx.example.org AAAA 2001:0DB8:0::0:7\nmx.example.org A 192.0.2.7"
    names = FakeResolver(zone)
    reverse = await resolve_reverse_dns(LookupCache(names).view(), "2001:db8::7")
    assert reverse.confirmed_by == ("mx.example.org",)
    assert questions(names) == [(pointer, "PTR"), ("mx.example.org", "AAAA")]


async def test_a_pointer_behind_an_alias_is_followed() -> None:
    """RFC 2317: the reverse zone of a small network is delegated by CNAME."""
    reverse = await looked_up(
        f"{POINTER} CNAME 7.0/25.2.0.192.in-addr.arpa.\n"
        "7.0/25.2.0.192.in-addr.arpa PTR mx.example.org.\nmx.example.org CNAME a.example.org.\n"
        "a.example.org A 192.0.2.7"
    )
    assert (reverse.names, reverse.confirmed_by) == (("mx.example.org",), ("mx.example.org",))


@pytest.mark.parametrize(
    "zone", ["", f"{POINTER} TXT x", f"{POINTER} PTR !servfail", f"{POINTER} PTR !timeout"]
)
async def test_no_name(zone: str) -> None:
    status = "nxdomain" if not zone else "nodata" if "!" not in zone else zone.partition("!")[2]
    assert await looked_up(zone) == ReverseDns(status=DnsStatus(status))


async def test_a_name_whose_lookup_fails_is_unsettled_and_one_without_addresses_is_not() -> None:
    reverse = await looked_up(
        f"{POINTER} PTR a.test.\n{POINTER} PTR b.test.\n{POINTER} PTR c.test.\n"
        "a.test A !servfail\nb.test TXT x"
    )
    assert reverse == ReverseDns(
        status=DnsStatus.ANSWER, names=("a.test", "b.test", "c.test"), total=3, unsettled=("a.test",)
    )


async def test_ten_names_at_most_are_looked_up() -> None:
    pointers = [f"{POINTER} PTR n{n:02}.test." for n in range(40)]
    names = FakeResolver("\n".join([*pointers, "n39.test A 192.0.2.7", "n09.test A 192.0.2.7"]))
    reverse = await resolve_reverse_dns(LookupCache(names).view(), "192.0.2.7")
    assert reverse.names == tuple(f"n{n:02}.test" for n in range(10))
    assert (reverse.total, reverse.confirmed_by) == (40, ("n09.test",))
    assert len(questions(names)) == 11
