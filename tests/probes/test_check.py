"""One check from the domain to the observation: the endpoints, the sessions, the facts kept."""

import anyio
import pytest

from checker_smtp.probes.check import MAX_ENDPOINTS, check
from checker_smtp.probes.dns import ResolverError
from checker_smtp.probes.observation import (
    Control,
    Coverage,
    Endpoint,
    FamilyCoverage,
    Observation,
    ReverseDns,
    Settings,
)
from checker_smtp.probes.ports import DnsStatus
from checker_smtp.testing import FakeResolver, ScriptedServer
from tests.probes.dialogues import ASKED, BYE, PLAIN, SECURED, TAKES_ALL
from tests.probes.world import options, questions

pytestmark = pytest.mark.anyio

ZONE = """
    example.org        MX    10 mx1.example.org.
    example.org        MX    20 mx2.example.org.
    mx1.example.org    A     192.0.2.1
    mx1.example.org    AAAA  2001:db8::1
    mx2.example.org    A     192.0.2.2
    1.2.0.192.in-addr.arpa PTR mx1.example.org.
    """
WELL = PLAIN + ASKED


async def checked(zone: str, plays: dict[str, str | list[str]], **given: object) -> Observation:
    names, servers = FakeResolver(zone), ScriptedServer(plays)  # type: ignore[arg-type]
    observation = await check(
        options(**given),  # type: ignore[arg-type]
        names,
        servers,
        run_at="2026-11-22T09:00:00Z",
        seed=1,
        resolver_name="192.0.2.53",
    )
    servers.expect_end()
    assert len(set(questions(names))) == len(questions(names))
    assert [(a.name, a.rdtype) for a in observation.dns] == sorted(questions(names))
    return observation


async def test_every_address_of_every_target_is_visited_in_the_order_of_a_sender() -> None:
    plays: dict[str, str | list[str]] = {
        "192.0.2.2": WELL,
        "2001:db8::1": "-- network-unreachable",
        "192.0.2.1": WELL,
    }
    observation = await checked(ZONE, plays)
    assert [(e.subject, e.targets, e.connected) for e in observation.endpoints] == [
        ("192.0.2.1:25", ("mx1.example.org",), True),
        ("[2001:db8::1]:25", ("mx1.example.org",), False),
        ("192.0.2.2:25", ("mx2.example.org",), True),
    ]
    assert observation.coverage == Coverage(
        ipv4=FamilyCoverage(published=2, connected=2),
        ipv6=FamilyCoverage(published=1, connected=0, untestable=1),
    )
    first, second, third = (e.reverse for e in observation.endpoints)
    assert first == ReverseDns(
        status=DnsStatus.ANSWER, names=("mx1.example.org",), total=1, confirmed_by=("mx1.example.org",)
    )
    assert second == third == ReverseDns(status=DnsStatus.NXDOMAIN)
    assert (observation.domain, observation.run_at, observation.resolver) == (
        "example.org",
        "2026-11-22T09:00:00Z",
        "192.0.2.53",
    )
    assert (observation.skipped, observation.probe_hosts, observation.controls) == ((), (), ())


@pytest.mark.parametrize("ending", ["refused", "timeout", "reset", "other", "host-unreachable"])
async def test_an_endpoint_that_fails_for_other_reasons_is_not_untestable(ending: str) -> None:
    observation = await checked(
        "example.org MX 10 mx.test.\nmx.test A 192.0.2.1", {"192.0.2.1": f"-- {ending}"}
    )
    assert observation.coverage.ipv4 == FamilyCoverage(published=1)
    assert observation.coverage.ipv6 == FamilyCoverage()


async def test_an_endpoint_lost_after_connecting_counts_as_connected() -> None:
    observation = await checked(
        "example.org MX 10 mx.test.\nmx.test A 192.0.2.1",
        {"192.0.2.1": "-- connected\n-- network-unreachable"},
    )
    assert observation.coverage.ipv4 == FamilyCoverage(published=1, connected=1)


async def test_the_settings_are_kept() -> None:
    observation = await checked(
        "example.org MX 0 .", {}, timeout=3, port=2525, ipv6=False, test_open_relay=False
    )
    assert observation.settings == Settings(
        timeout=3.0,
        helo_name="probe.test",
        sender="postmaster@probe.test",
        probe_address="postmaster@example.com",
        test_null_sender=True,
        test_postmaster=True,
        test_open_relay=False,
        port=2525,
        ipv4=True,
        ipv6=False,
        allow_targets=("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"),
    )
    assert (observation.endpoints, observation.mx.null_mx) == ((), True)


async def test_the_addresses_of_this_machine_are_those_found_or_those_of_the_options() -> None:
    seen: list[Endpoint] = []

    def find_sources(endpoints: tuple[Endpoint, ...]) -> tuple[str, ...]:
        seen.extend(endpoints)
        return ("9.9.9.10",)

    zone = "example.org MX 10 mx.example.org.\nmx.example.org A 192.0.2.1"
    for given, found in ((find_sources, ("9.9.9.10",)), (None, ("9.9.9.11",))):
        observation = await check(
            options(source_addresses=("9.9.9.11",)),
            FakeResolver(zone),
            ScriptedServer({"192.0.2.1": WELL}),
            run_at="2026-11-22T09:00:00Z",
            seed=1,
            find_sources=given,
        )
        assert observation.settings.source_addresses == found
    assert [(endpoint.address, endpoint.connected) for endpoint in seen] == [("192.0.2.1", True)]


async def test_another_port_is_dialled_and_told() -> None:
    servers = ScriptedServer({"192.0.2.1": WELL})
    observation = await check(
        options(port=2525), FakeResolver("example.org A 192.0.2.1"), servers, run_at="", seed=1
    )
    assert servers.connected == [("192.0.2.1", 2525)]
    assert [e.subject for e in observation.endpoints] == ["192.0.2.1:2525"]


async def test_an_address_shared_by_targets_is_visited_once() -> None:
    zone = """
        example.org   MX  10 a.test.
        example.org   MX  20 b.test.
        example.org   MX  30 a.test.
        a.test        A   192.0.2.1
        b.test        A   192.0.2.1
        b.test        A   192.0.2.2
        """
    observation = await checked(zone, {"192.0.2.1": WELL, "192.0.2.2": WELL})
    assert [(e.address, e.targets) for e in observation.endpoints] == [
        ("192.0.2.1", ("a.test", "b.test")),
        ("192.0.2.2", ("b.test",)),
    ]


@pytest.mark.parametrize(
    ("given", "visited"),
    [
        ({"ipv4": False}, ["2001:db8::1"]),
        ({"ipv6": False}, ["192.0.2.1", "192.0.2.2"]),
    ],
)
async def test_a_family_switched_off_is_not_visited(given: dict[str, bool], visited: list[str]) -> None:
    observation = await checked(ZONE, dict.fromkeys(visited, WELL), **given)
    assert [e.address for e in observation.endpoints] == visited
    assert observation.mx.records[0].ipv4 == ("192.0.2.1",)
    assert observation.mx.records[0].ipv6 == ("2001:db8::1",)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "224.0.0.1", "203.0.113.5"])
async def test_an_address_that_is_not_public_is_never_dialled(address: str) -> None:
    zone = f"example.org MX 10 mx.test.\nmx.test A {address}\nmx.test A 192.0.2.1\nmx.test AAAA ::1"
    observation = await checked(zone, {"192.0.2.1": WELL})
    assert [e.address for e in observation.endpoints] == ["192.0.2.1"]
    assert {ip for ip, _ in observation.mx.records[0].not_public} == {address, "::1"}


@pytest.mark.parametrize(
    ("target", "server_name"), [("mx.test", "mx.test"), ("a_b.test", ""), ("a\\032b.test", "")]
)
async def test_the_server_name_is_the_target_where_that_is_a_host_name(target: str, server_name: str) -> None:
    servers = ScriptedServer({"192.0.2.1": SECURED + "C: EHLO probe.test\nS: 250 mx\n" + BYE})
    await check(
        options(test_null_sender=False, test_postmaster=False, test_open_relay=False),
        FakeResolver(f"example.org MX 10 {target}.\n{target} A 192.0.2.1"),
        servers,
        run_at="",
        seed=1,
    )
    assert servers.server_names == [server_name]


async def test_no_more_than_so_many_endpoints_are_visited_and_the_rest_is_named() -> None:
    addresses = [f"192.0.2.{n}" for n in range(1, 41)]
    zone = "example.org MX 10 mx.test.\n" + "\n".join(f"mx.test A {address}" for address in addresses)
    observation = await checked(zone, dict.fromkeys(addresses[:MAX_ENDPOINTS], WELL))
    assert [e.address for e in observation.endpoints] == addresses[:32]
    assert observation.skipped == tuple(f"{address}:25" for address in addresses[32:])
    assert observation.coverage.ipv4.published == 32


def taken(recipient: str) -> str:
    """A relay control that is accepted."""
    return (
        f"""{PLAIN}
        C: MAIL FROM:<postmaster@probe.test>
        S: 250 ok
        C: RCPT TO:<{recipient}>
        S: 250 ok
        C: RSET
        S: 250 ok
        """
        + BYE
    )


@pytest.mark.parametrize(
    ("zone", "hosts"),
    [
        ("", ("example.com",)),
        ("example.com A 198.51.100.9", ("198.51.100.9", "example.com")),
        ("example.com MX 0 .\nexample.com A 198.51.100.9", ("198.51.100.9", "example.com")),
        ("example.com MX !servfail", ("example.com",)),
        (
            """
            example.com MX 10 MX.example.com.
            example.com MX 20 192.0.2.9.
            mx.example.com A 192.0.2.8
            mx.example.com AAAA 2001:db8::8
            """,
            ("192.0.2.8", "192.0.2.9", "2001:db8::8", "mx.example.com"),
        ),
    ],
)
async def test_where_the_relay_probe_is_accepted_the_servers_of_its_domain_are_looked_up(
    zone: str, hosts: tuple[str, ...]
) -> None:
    control = "nobody-6b86b273ff34fce1@example.net"
    observation = await checked(
        f"example.org MX 10 mx.test.\nmx.test A 192.0.2.1\n{zone}",
        {"192.0.2.1": [PLAIN + TAKES_ALL, taken(control)]},
    )
    assert observation.probe_hosts == hosts
    relay_control = observation.endpoints[0].asked("relay-control")
    assert relay_control is not None
    assert relay_control.recipient == control


async def test_no_more_than_ten_servers_of_the_probe_domain_are_looked_up() -> None:
    rows = "\n".join(f"example.com MX 10 mx{n:02}.example.com." for n in range(30))
    control = "nobody-6b86b273ff34fce1@example.net"
    observation = await checked(
        f"example.org MX 10 mx.test.\nmx.test A 192.0.2.1\n{rows}",
        {"192.0.2.1": [PLAIN + TAKES_ALL, taken(control)]},
    )
    assert observation.probe_hosts == tuple(f"mx{n:02}.example.com" for n in range(10))


async def test_the_same_world_gives_the_same_observation() -> None:
    plays: dict[str, str | list[str]] = {"192.0.2.2": WELL, "2001:db8::1": "-- refused", "192.0.2.1": WELL}
    first = await checked(ZONE, plays)
    assert await checked(ZONE, dict(reversed(plays.items()))) == first


async def test_where_the_resolver_is_dead_nothing_is_dialled() -> None:
    servers = ScriptedServer({})
    with pytest.raises(ResolverError):
        await check(options(), FakeResolver.failing(DnsStatus.TIMEOUT), servers, run_at="", seed=1)
    assert servers.connected == []


async def test_a_cancelled_check_ends() -> None:
    class Stuck:
        async def run(self, _: object) -> None:
            await anyio.sleep_forever()

    with anyio.move_on_after(0.01) as scope:
        await check(options(), FakeResolver("example.org A 192.0.2.1"), Stuck(), run_at="", seed=1)  # type: ignore[arg-type]
    assert scope.cancelled_caught


async def test_controls_are_visited_only_in_the_families_that_stayed_silent() -> None:
    zone = ZONE + "control.test A 198.51.100.1\ncontrol.test AAAA 2001:db8::c"
    plays: dict[str, str | list[str]] = {
        "192.0.2.1": "-- timeout",
        "192.0.2.2": "-- refused",
        "2001:db8::1": "-- network-unreachable",
        "198.51.100.1": "S: 220 mx\n" + BYE,
    }
    observation = await checked(zone, plays, controls=("control.test",))
    assert observation.controls == (
        Control(host="control.test", address="198.51.100.1", port=25, outcome="connected"),
    )
    refused = dict.fromkeys(("192.0.2.1", "192.0.2.2", "2001:db8::1"), "-- refused")
    assert (await checked(ZONE, refused, controls=("control.test",))).controls == ()
