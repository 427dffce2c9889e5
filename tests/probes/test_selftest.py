"""Looking around: routes, this machine's names, the EHLO name, and the controls that were named."""

import pytest

from checker_smtp.probes.dns import LookupCache
from checker_smtp.probes.observation import Control
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.selftest import FamilyView, SelfTest, run_selftest
from checker_smtp.testing import FakeResolver, ScriptedServer
from tests.probes.world import options, questions

pytestmark = pytest.mark.anyio

ZONE = """
    probe.test      A     9.9.9.1
    probe.test      AAAA  2620:fe::1
    1.9.9.9.in-addr.arpa PTR probe.test.
    mx.friend.test  A     192.0.2.1
    mx.friend.test  A     192.0.2.2
    mx.friend.test  A     192.0.2.3
    mx.friend.test  AAAA  2001:db8::1
    mx.inside.test  A     10.0.0.1
    """


async def looked(local: dict[int, str], plays: dict[str, str], *controls: str, zone: str = ZONE) -> SelfTest:
    servers = ScriptedServer(plays)  # type: ignore[arg-type]
    seen = await run_selftest(
        options(controls=controls), LookupCache(FakeResolver(zone)).view(), servers, local
    )
    servers.expect_end()
    return seen


async def test_an_address_with_a_name_that_leads_back() -> None:
    seen = await looked({4: "9.9.9.1", 6: ""}, {})
    four, six = seen.families
    assert four.reverse is not None
    assert (four.reverse.names, four.reverse.confirmed_by) == (("probe.test",), ("probe.test",))
    assert six == FamilyView(family=6)
    assert seen.helo_addresses == ("9.9.9.1", "2620:fe::1")
    assert (seen.helo_status, seen.controls) == (DnsStatus.ANSWER, ())


async def test_behind_nat_the_name_that_counts_cannot_be_seen() -> None:
    seen = await looked({4: "192.168.1.4", 6: "fd00::2"}, {})
    assert [(view.not_public.split(" ")[0], view.reverse) for view in seen.families] == [
        ("private", None),
        ("unique", None),
    ]


async def test_a_helo_name_that_does_not_resolve() -> None:
    seen = await looked({4: "", 6: ""}, {}, zone="other.test A 9.9.9.1")
    assert (seen.helo_status, seen.helo_addresses) == (DnsStatus.NXDOMAIN, ())


async def test_controls_are_probed_politely_at_two_addresses_of_a_family() -> None:
    plays = {
        "192.0.2.1": "S: 220 mx.friend.test ESMTP\nC: QUIT\nS: 221 bye",
        "192.0.2.2": "-- timeout",
        "2001:db8::1": "-- connected\n-- eof",
    }
    seen = await looked({4: "", 6: ""}, plays, "mx.friend.test", "mx.inside.test", "nowhere.test")
    assert seen.controls == (
        Control(host="mx.friend.test", address="192.0.2.1", port=25, outcome="connected"),
        Control(host="mx.friend.test", address="192.0.2.2", port=25, outcome="timeout"),
        Control(host="mx.friend.test", address="2001:db8::1", port=25, outcome="connected"),
        Control(host="mx.inside.test", address="", port=25, outcome="its addresses are not public"),
        Control(host="nowhere.test", address="", port=25, outcome="it has no address (NXDOMAIN)"),
    )
    assert [control.family for control in seen.controls if control.address] == [4, 4, 6]


async def test_where_the_resolver_is_dead_nothing_else_is_tested() -> None:
    names, servers = FakeResolver.failing(DnsStatus.TIMEOUT, "no answer"), ScriptedServer({})
    seen = await run_selftest(
        options(controls=("mx.friend.test",)), LookupCache(names).view(), servers, {4: "9.9.9.1", 6: ""}
    )
    assert (seen.resolver.is_alive, seen.resolver.failure) == (False, "no answer")
    assert (seen.families, seen.controls, servers.connected) == ((), (), [])
    assert questions(names) == []
