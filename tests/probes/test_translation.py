"""DNS64: which addresses were made by the resolver, and connecting by them where there is no IPv4."""

import pytest

from checker_smtp.probes.check import check
from checker_smtp.probes.dns import LookupCache
from checker_smtp.probes.dns.translation import find_translated
from checker_smtp.testing import FakeResolver, ScriptedServer
from tests.probes.world import options, questions

pytestmark = pytest.mark.anyio

WELL_KNOWN = "64:ff9b::c000:207"
SESSION = "S: 220 mx.test\nC: EHLO probe.test\nS: 502 no\nC: HELO probe.test\nS: 250 ok\n"


@pytest.mark.parametrize(
    ("address", "known", "asked"),
    [
        (WELL_KNOWN, "", 0),
        ("2001:db8::7", "", 0),
        # RFC 6052 §2.4, with 192.0.2.33 as there
        ("2001:db8:c000:221::", "2001:db8:c000:aa::", 1),
        ("2001:db8:1c0:2:21::", "2001:db8:1c0:0:aa::", 1),
        ("2001:db8:122:c000:2:2100::", "2001:db8:122:c000:0:aa00::", 1),
        ("2001:db8:122:3c0:0:221::", "2001:db8:122:3c0:0:aa::", 1),
        ("2001:db8:122:344:c0:2:2100::", "2001:db8:122:344:c0:0:aa00::", 1),
        ("2001:db8:122:344::c000:221", "2001:db8:122:344::c000:aa", 1),
        # the prefix is another one
        ("2001:db8:122:344::c000:221", "2001:db8:999::c000:aa", 1),
        ("2001:db8:122:344::c000:221", "", 1),
    ],
)
async def test_the_places_of_an_ipv4_address(address: str, known: str, asked: int) -> None:
    names = FakeResolver(f"ipv4only.arpa AAAA {known}" if known else "")
    ipv4 = ("192.0.2.7", "192.0.2.33")
    found = await find_translated(LookupCache(names).view(), ipv4, (address, "2001:db8:ffff::1"))
    is_made = address == WELL_KNOWN or (known != "" and not known.startswith("2001:db8:999"))
    assert found == (((address, ipv4[address != WELL_KNOWN]),) if is_made else ())
    assert len(questions(names)) == asked


@pytest.mark.parametrize("way", ["network-unreachable", "refused"])
async def test_an_ipv4_server_is_reached_by_its_translation_where_there_is_no_ipv4(way: str) -> None:
    zone = f"example.org MX 10 mx.test.\nmx.test A 192.0.2.7\nmx.test AAAA {WELL_KNOWN}"
    servers = ScriptedServer({"192.0.2.7": f"-- {way}", WELL_KNOWN: "-- connected\n-- eof"})
    observation = await check(options(), FakeResolver(zone), servers, run_at="", seed=1)
    (endpoint,) = observation.endpoints
    assert endpoint.address == "192.0.2.7"
    assert endpoint.connected is (way == "network-unreachable")
    assert [address for address, _ in servers.connected] == ["192.0.2.7", WELL_KNOWN][
        : 1 + endpoint.connected
    ]
    assert observation.coverage.ipv6.published == 0
