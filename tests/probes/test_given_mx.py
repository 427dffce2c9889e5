"""Mail servers that are given in place of MX records: the DNS is not asked for those."""

import pytest

from checker_smtp.probes.dns import LookupCache, ResolverError, resolve_mx
from checker_smtp.probes.observation import GIVEN_WITH_REQUEST, Mx
from checker_smtp.probes.options import OptionError, Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import FakeResolver

pytestmark = pytest.mark.anyio

ZONE = """
example.org MX 10 old.example.org.
old.example.org A 9.9.9.1
new.example.org A 9.9.9.2
new.example.org AAAA 2620:fe::9
alias.example.org CNAME new.example.org.
empty.example.org TXT x
broken.example.org A !servfail
broken.example.org AAAA !servfail
"""


async def resolved(*servers: str, zone: str = ZONE, allow: tuple[str, ...] = ()) -> tuple[Mx, list[str]]:
    options = Options(domain="example.org", mx=servers, allow_targets=allow)
    lookups = LookupCache(FakeResolver(zone), seed=7).view()
    mx = await resolve_mx(lookups, options)
    (given,) = (
        answer for answer in lookups.answers if answer.rdtype == "MX" and answer.name == "example.org"
    )
    assert given.detail == GIVEN_WITH_REQUEST
    return mx, [record.split()[-1] for record in given.records]


async def test_a_name_is_resolved_and_its_records_are_not_those_of_the_domain() -> None:
    mx, given = await resolved("new.example.org")
    (target,) = mx.records
    assert (target.ipv4, target.ipv6) == (("9.9.9.2",), ("2620:fe::9",))
    assert given == ["new.example.org."]
    assert (mx.status, mx.null_mx, mx.implicit_mx) == (DnsStatus.ANSWER, False, False)


async def test_an_alias_is_a_fact_as_in_the_records() -> None:
    mx, _ = await resolved("alias.example.org")
    assert mx.records[0].aliases


@pytest.mark.parametrize(("text", "family"), [("9.9.9.3", 4), ("2620:fe::0:9", 6)])
async def test_an_address_is_no_literal_in_a_record(text: str, family: int) -> None:
    mx, _ = await resolved(text, "new.example.org")
    target = mx.records[0]
    assert target.literal == ""
    own, other = (target.ipv4, target.ipv6) if family == 4 else (target.ipv6, target.ipv4)
    assert (own, other) == ((target.target,), ())
    assert target.not_public == ()


async def test_a_private_address_needs_permission_as_any_other() -> None:
    mx, _ = await resolved("10.0.0.7")
    assert [address for address, _ in mx.records[0].not_public] == ["10.0.0.7"]
    assert (await resolved("10.0.0.7", allow=("10.0.0.0/8",)))[0].records[0].not_public == ()


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("nowhere.example.org", "(NXDOMAIN)"),
        ("empty.example.org", "(NODATA)"),
        ("broken.example.org", "(SERVFAIL)"),
    ],
)
async def test_a_name_that_does_not_resolve_is_an_error(server: str, why: str) -> None:
    with pytest.raises(OptionError) as raised:
        await resolved("new.example.org", server)
    assert raised.value.option == "mx"
    assert str(raised.value) == (
        f"the mail server {server!r} has no address {why}: give a name that resolves, or the address itself"
    )


class SilentResolver:
    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        return DnsAnswer(name=name, rdtype=rdtype, status=DnsStatus.TIMEOUT, unvalidated=unvalidated)


async def test_a_dead_resolver_is_no_fault_of_the_name() -> None:
    options = Options(domain="example.org", mx=("new.example.org",))
    with pytest.raises(ResolverError):
        await resolve_mx(LookupCache(SilentResolver(), seed=7).view(), options)


@pytest.mark.parametrize("text", ["", "a b", "me@example.org", "-a.test"])
async def test_a_server_is_a_name_or_an_address(text: str) -> None:
    with pytest.raises(OptionError, match="give a host name"):
        Options(domain="example.org", mx=(text,))
