"""Answers no honest server gives: whatever they hold, a lookup ends in facts and never in an exception."""

import ipaddress

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.probes.dns import (
    LookupCache,
    ResolverError,
    parse_addresses,
    parse_mx,
    resolve_mx,
    resolve_reverse_dns,
)
from checker_smtp.probes.observation import Mx
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import FakeResolver
from tests.probes.world import answer, options, questions
from tests.sansio.strategies import steady


@pytest.mark.parametrize(
    "record",
    [
        *["", " ", ".", "example.org.", "example.org. 300 IN MX", "example.org. 300 IN MX 10"],
        *["example.org. 300 IN MX ten mx.test.", "example.org. 300 IN MX -1 mx.test."],
        *["example.org. 300 IN MX 1e1 mx.test.", "example.org. 300 IN MX ² mx.test."],
        *[f"example.org. 300 IN MX {'9' * 5000} mx.test.", f"example.org. {'9' * 5000} IN MX 10 mx.test."],
        *["example.org. soon IN MX 10 mx.test.", "example.org. 300 IN MX 10 mx.test. and more"],
        "example.org. 300 IN A 192.0.2.7",
    ],
)
def test_what_is_no_mx_record_is_left_out(record: str) -> None:
    good = "example.org. 60 in mx 10 MX.test."
    assert parse_mx(answer("example.org", "MX", record, good)) == [(10, "mx.test", 60)]


@pytest.mark.anyio
async def test_an_answer_of_nothing_but_such_records_is_an_error_and_no_implicit_mx() -> None:
    names = FakeResolver("example.org A 192.0.2.7", answer("example.org", "MX", "example.org. 300 IN MX"))
    mx = await resolve_mx(LookupCache(names).view(), options())
    assert mx == Mx(status=DnsStatus.UNUSABLE, error="an answer that holds no MX record")
    assert questions(names) == [("example.org", "MX")]


@pytest.mark.parametrize(
    ("rdtype", "data"),
    [
        *[
            ("A", "mx.test."),
            ("A", "2001:db8::1"),
            ("A", "0x7f.1"),
            ("A", "192.0.2.256"),
            ("A", "192.0.2.1 x"),
        ],
        *[("AAAA", "192.0.2.1"), ("AAAA", "fe80::1%eth0"), ("AAAA", "::g"), ("A", "٣.0.0.1")],
    ],
)
def test_what_is_no_address_of_the_family_is_left_out(rdtype: str, data: str) -> None:
    good = {"A": "192.0.2.7", "AAAA": "2001:db8::7"}[rdtype]
    records = (f"a. 1 IN {rdtype} {data}", f"a. 1 IN {rdtype} {good}", f"a. 1 IN {rdtype} {good}")
    assert parse_addresses(answer("a", rdtype, *records)) == (good,)


@pytest.mark.anyio
async def test_thousands_of_targets_cost_no_more_than_fifty() -> None:
    records = (f"example.org. 300 IN MX {n % 7} mx{n}.test." for n in range(5000))
    names = FakeResolver("", answer("example.org", "MX", *records))
    mx = await resolve_mx(LookupCache(names).view(), options())
    assert len(mx.records) == 50
    assert {record.preference for record in mx.records} == {0}
    assert len(questions(names)) == 101


@pytest.mark.anyio
async def test_escapes_in_names_are_kept_as_they_are() -> None:
    names = FakeResolver(
        'example.org MX 10 a\\032b\\.c\\"d.test.\n7.2.0.192.in-addr.arpa PTR \\000\\255.test.'
    )
    lookups = LookupCache(names).view()
    assert (await resolve_mx(lookups, options())).records[0].target == 'a\\032b\\.c\\"d.test'
    assert (await resolve_reverse_dns(lookups, "192.0.2.7")).names == ("\\000\\255.test",)


FIELDS = st.sampled_from(
    [
        *["example.org.", "MX.test.", "192.0.2.1.", ".", "a\\.b.", "\\255\\000.", "::1%\x1b.", "0."],
        *["300", "0", "-1", "x", "99999999999", "10", "IN", "CH", "MX", "mx", "A", "AAAA", "CNAME", "PTR"],
        *["192.0.2.7", "10.0.0.1", "2001:db8::7", "fe80::1%0", "", "\t", "\x00", "é", "\u2028"],
    ]
)
RECORDS = st.one_of(
    st.lists(FIELDS, max_size=7).map(" ".join),
    st.builds(
        "{} 300 IN {} {}".format,
        st.sampled_from(["example.org.", "mx.test.", "a.test."]),
        st.sampled_from(["MX", "A", "AAAA", "CNAME", "PTR"]),
        st.lists(FIELDS, max_size=3).map(" ".join),
    ),
)


def hostile_resolver(data: st.DataObject) -> FakeResolver:
    """Return a resolver that answers anything with anything."""

    def lookup(name: str, rdtype: str) -> DnsAnswer:
        status = data.draw(
            st.sampled_from([DnsStatus.ANSWER] * 7 + list(DnsStatus)), label=f"{name} {rdtype}"
        )
        records = data.draw(st.lists(RECORDS, max_size=6))
        if name == ".":
            return answer(name, rdtype)
        return answer(name, rdtype, *records, status=status)

    return FakeResolver(lookup)


@pytest.mark.slow
@steady
@given(st.data())
def test_no_answer_makes_a_lookup_raise(data: st.DataObject) -> None:
    async def look() -> None:
        lookups = LookupCache(hostile_resolver(data)).view()
        try:
            mx = await resolve_mx(lookups, Options(domain="example.org"))
        except ResolverError:
            return  # a resolver that lies
        for record in mx.records:
            assert record.target != "."
            assert not (record.literal and (record.ipv4 or record.ipv6))
            for address in record.ipv4 + record.ipv6:
                assert str(ipaddress.ip_address(address)) == address
        await resolve_reverse_dns(lookups, "192.0.2.7")

    anyio.run(look)
