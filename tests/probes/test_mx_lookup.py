"""From a domain to its MX targets and their addresses: what is asked, and which facts come of it."""

import anyio
import pytest

from checker_smtp.probes.dns import LookupCache, ResolverError, is_control, resolve_mx
from checker_smtp.probes.observation import Mx, MxTarget
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import FakeResolver
from tests.probes.world import options, questions

pytestmark = pytest.mark.anyio


async def looked_up(zone: str, **given: object) -> Mx:
    return await resolve_mx(LookupCache(FakeResolver(zone)).view(), options(**given))  # type: ignore[arg-type]


async def targets(zone: str) -> list[str]:
    return [f"{record.preference} {record.target}" for record in (await looked_up(zone)).records]


async def test_two_targets_with_all_their_addresses() -> None:
    mx = await looked_up(
        """
        example.org      MX    20 Backup.Example.ORG.
        example.org      MX    10 mx.example.org.
        mx.example.org   A     192.0.2.70
        mx.example.org   A     192.0.2.7
        mx.example.org   AAAA  2001:DB8::7
        backup.example.org  A  198.51.100.1
        """
    )
    assert mx == Mx(
        status=DnsStatus.ANSWER,
        records=(
            MxTarget(
                preference=10,
                target="mx.example.org",
                ttl=300,
                ipv4=("192.0.2.7", "192.0.2.70"),
                ipv6=("2001:db8::7",),
                ipv4_status=DnsStatus.ANSWER,
                ipv6_status=DnsStatus.ANSWER,
            ),
            MxTarget(
                preference=20,
                target="backup.example.org",
                ttl=300,
                ipv4=("198.51.100.1",),
                ipv4_status=DnsStatus.ANSWER,
                ipv6_status=DnsStatus.NODATA,
            ),
        ),
    )


async def test_targets_come_by_preference_then_name_whatever_the_order_of_the_answer() -> None:
    zone = "example.org MX 10 b.\nexample.org MX 9 c.\nexample.org MX 100 a.\nexample.org MX 10 a."
    assert await targets(zone) == ["9 c", "10 a", "10 b", "100 a"]
    assert await targets("\n".join(reversed(zone.split("\n")))) == ["9 c", "10 a", "10 b", "100 a"]


async def test_each_question_is_asked_once_however_many_targets_share_it() -> None:
    names = FakeResolver(
        """
        example.org  MX  10 mx.example.org.
        example.org  MX  20 mx.example.org.
        example.org  MX  30 MX.EXAMPLE.org.
        example.org  MX  40 example.org.
        mx.example.org  A  192.0.2.7
        """
    )
    lookups = LookupCache(names).view()
    mx = await resolve_mx(lookups, options())
    assert [record.ipv4 for record in mx.records] == [("192.0.2.7",)] * 3 + [()]
    assert sorted(questions(names)) == [
        ("example.org", "A"),
        ("example.org", "AAAA"),
        ("example.org", "MX"),
        ("mx.example.org", "A"),
        ("mx.example.org", "AAAA"),
    ]
    answered = [(a.name, a.rdtype) for a in lookups.answers if not is_control(a.name, a.rdtype)]
    assert answered == sorted(questions(names))
    assert await lookups.ask("Mx.Example.Org", "A") is await lookups.ask("mx.example.org", "A")
    assert len(questions(names)) == 5


async def test_a_null_mx() -> None:
    mx = await looked_up("example.org MX 0 .")
    assert mx == Mx(status=DnsStatus.ANSWER, null_mx=True, null_preferences=(0,))


@pytest.mark.parametrize(
    ("zone", "preferences"),
    [("example.org MX 10 .", (10,)), ("example.org MX 5 .\nexample.org MX 0 .", (0, 5))],
)
async def test_a_null_mx_with_an_odd_preference_is_one_all_the_same(
    zone: str, preferences: tuple[int, ...]
) -> None:
    mx = await looked_up(zone)
    assert (mx.null_mx, mx.null_preferences, mx.records) == (True, preferences, ())


async def test_a_null_mx_beside_others_leaves_the_others() -> None:
    mx = await looked_up("example.org MX 0 .\nexample.org MX 10 mx.example.org.\nmx.example.org A 192.0.2.7")
    assert (mx.null_mx, mx.null_preferences) == (False, (0,))
    assert [record.target for record in mx.records] == ["mx.example.org"]


async def test_without_mx_the_domain_itself_is_the_target() -> None:
    mx = await looked_up("example.org A 192.0.2.7\nexample.org AAAA 2001:db8::7")
    (target,) = mx.records
    assert (mx.status, mx.implicit_mx, mx.null_mx) == (DnsStatus.NODATA, True, False)
    assert (target.preference, target.target, target.ttl) == (0, "example.org", 0)
    assert (target.ipv4, target.ipv6) == (("192.0.2.7",), ("2001:db8::7",))
    assert mx.address_status == (DnsStatus.ANSWER, DnsStatus.ANSWER)


@pytest.mark.parametrize(
    ("zone", "statuses"),
    [
        ("example.org TXT x", (DnsStatus.NODATA, DnsStatus.NODATA)),
        (
            "example.org TXT x\nexample.org A !servfail\nexample.org AAAA !timeout",
            (DnsStatus.SERVFAIL, DnsStatus.TIMEOUT),
        ),
    ],
)
async def test_without_mx_and_address_there_is_no_target(zone: str, statuses: tuple[DnsStatus, ...]) -> None:
    mx = await looked_up(zone)
    assert mx == Mx(status=DnsStatus.NODATA, address_status=statuses)


async def test_a_domain_that_does_not_exist_is_asked_for_an_address_that_would_contradict() -> None:
    names = FakeResolver("other.example A 192.0.2.7")
    mx = await resolve_mx(LookupCache(names).view(), options())
    assert mx == Mx(status=DnsStatus.NXDOMAIN, address_status=(DnsStatus.NXDOMAIN,))
    assert questions(names) == [("example.org", "MX"), ("example.org", "A")]


@pytest.mark.parametrize("status", ["servfail", "refused", "timeout", "error"])
async def test_a_failed_lookup_is_never_an_implicit_mx(status: str) -> None:
    names = FakeResolver(f"example.org MX !{status} said so\nexample.org A 192.0.2.7")
    mx = await resolve_mx(LookupCache(names).view(), options())
    assert mx == Mx(status=DnsStatus(status), error="said so")
    assert questions(names) == [("example.org", "MX")] * (1 + (status == "servfail"))


async def test_a_failure_without_detail_is_reported_by_its_status() -> None:
    assert (await looked_up("example.org MX !servfail")).error == "servfail"


@pytest.mark.parametrize("detail", ["", "network unreachable"])
async def test_where_nothing_is_answered_the_resolver_is_at_fault(detail: str) -> None:
    names = FakeResolver.failing(DnsStatus.TIMEOUT, detail)
    why = detail or "timeout"
    with pytest.raises(ResolverError, match=rf"^the resolver cannot be used: {why}$") as raised:
        await resolve_mx(LookupCache(names).view(), options())
    assert raised.value.detail == why


async def test_an_alias_chain_is_kept_link_by_link() -> None:
    mx = await looked_up(
        """
        example.org      MX     10 mail.example.org.
        mail.example.org CNAME  Hosted.Example.net.
        Hosted.Example.net CNAME  real.example.net.
        real.example.net A      192.0.2.7
        real.example.net AAAA   2001:db8::7
        """
    )
    (target,) = mx.records
    assert target.aliases == ("hosted.example.net", "real.example.net")
    assert (target.alias_problem, target.ipv4, target.ipv6) == ("", ("192.0.2.7",), ("2001:db8::7",))


@pytest.mark.parametrize("end", ["", "gone.example TXT x"])
async def test_an_alias_of_nothing_dangles(end: str) -> None:
    mx = await looked_up(f"example.org MX 10 mail.example.org.\nmail.example.org CNAME gone.example.\n{end}")
    (target,) = mx.records
    assert (target.aliases, target.alias_problem) == (("gone.example",), "dangling")


@pytest.mark.parametrize("family", ["A", "AAAA"])
async def test_an_alias_with_an_address_of_one_family_or_a_failed_lookup_does_not_dangle(family: str) -> None:
    zone = "example.org MX 10 mail.example.org.\nmail.example.org CNAME real.example.\n"
    address = {"A": "192.0.2.7", "AAAA": "2001:db8::7"}[family]
    assert (await looked_up(zone + f"real.example {family} {address}")).records[0].alias_problem == ""
    failed = (await looked_up(zone + f"real.example {family} !servfail")).records[0]
    assert (failed.aliases, failed.alias_problem) == (("real.example",), "")


@pytest.mark.parametrize(
    ("zone", "chain"),
    [
        ("a.test CNAME a.test.", ("a.test",)),
        ("a.test CNAME b.test.\nb.test CNAME a.test.", ("b.test", "a.test")),
        ("a.test CNAME b.test.\nb.test CNAME c.test.\nc.test CNAME b.test.", ("b.test", "c.test", "b.test")),
    ],
)
async def test_an_alias_that_leads_in_a_circle(zone: str, chain: tuple[str, ...]) -> None:
    (target,) = (await looked_up(f"example.org MX 10 a.test.\n{zone}")).records
    assert (target.aliases, target.alias_problem) == (chain, "loop")


async def test_a_long_chain_is_cut() -> None:
    links = "\n".join(f"a{n}.test CNAME a{n + 1}.test." for n in range(40))
    (target,) = (await looked_up(f"example.org MX 10 a0.test.\n{links}\na40.test A 192.0.2.7")).records
    assert target.aliases == tuple(f"a{n}.test" for n in range(1, 17))
    assert (target.alias_problem, target.ipv4) == ("too-long", ())


async def test_an_address_that_is_not_public_is_kept_with_the_reason() -> None:
    zone = """
        example.org     MX    10 mx.example.org.
        mx.example.org  A     10.0.0.1
        mx.example.org  A     8.8.8.8
        mx.example.org  AAAA  fe80::1
        """
    (target,) = (await looked_up(zone)).records
    assert target.ipv4 == ("8.8.8.8", "10.0.0.1")
    assert target.not_public == (
        ("10.0.0.1", "private (RFC 1918)"),
        ("fe80::1", "link-local (RFC 4291 §2.5.6)"),
    )
    (target,) = (await looked_up(zone, allow_targets=("10.0.0.0/8",))).records
    assert target.not_public == (("fe80::1", "link-local (RFC 4291 §2.5.6)"),)


async def test_a_target_that_spells_an_address_is_not_looked_up() -> None:
    names = FakeResolver("example.org MX 10 192.0.2.1.\nexample.org MX 20 0.")
    mx = await resolve_mx(LookupCache(names).view(), options())
    assert [(record.target, record.literal) for record in mx.records] == [
        ("192.0.2.1", "192.0.2.1"),
        ("0", "0.0.0.0"),  # noqa: S104 - nobody binds to it
    ]
    assert {record.ipv4_status for record in mx.records} == {None}
    assert questions(names) == [("example.org", "MX")]


async def test_a_question_that_is_being_asked_is_not_asked_again() -> None:
    names = FakeResolver("example.org MX 0 .")
    lookups = LookupCache(names).view()
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(lookups.ask, "example.org", "MX")
    assert names.asked == [("example.org", "MX")]


def test_a_query_with_checking_disabled_is_another_question() -> None:
    answers = [
        DnsAnswer(name="a.test", rdtype="MX", status=DnsStatus.NODATA, unvalidated=unvalidated)
        for unvalidated in (False, True)
    ]
    assert [answer.question for answer in answers] == [("a.test", "MX", False), ("a.test", "MX", True)]
