"""The table of addresses that are not dialled: each range from its first address to its last, and no more."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.probes.addresses import NOT_PUBLIC, Address, network_of, why_not_public

RANGES = {
    "0.0.0.0/8": "this network (RFC 791 §3.2)",
    "10.0.0.0/8": "private (RFC 1918)",
    "100.64.0.0/10": "carrier-grade NAT (RFC 6598)",
    "127.0.0.0/8": "loopback (RFC 1122 §3.2.1.3)",
    "169.254.0.0/16": "link-local (RFC 3927)",
    "172.16.0.0/12": "private (RFC 1918)",
    "192.0.0.0/24": "IETF protocol assignments (RFC 6890 §2.1)",
    "192.0.2.0/24": "documentation (RFC 5737)",
    "192.88.99.0/24": "6to4 relay anycast, withdrawn (RFC 7526)",
    "192.168.0.0/16": "private (RFC 1918)",
    "198.18.0.0/15": "benchmarking (RFC 2544)",
    "198.51.100.0/24": "documentation (RFC 5737)",
    "203.0.113.0/24": "documentation (RFC 5737)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved (RFC 1112 §4)",
    "255.255.255.255/32": "limited broadcast (RFC 919)",
    "::/128": "unspecified (RFC 4291 §2.5.2)",
    "::1/128": "loopback (RFC 4291 §2.5.3)",
    "::/96": "IPv4-compatible, withdrawn (RFC 4291 §2.5.5.1)",
    "::ffff:0:0/96": "IPv4-mapped (RFC 4291 §2.5.5.2)",
    "64:ff9b::/96": "NAT64 (RFC 6052 §2.1)",
    "64:ff9b:1::/48": "NAT64, local use (RFC 8215)",
    "100::/64": "discard-only (RFC 6666)",
    "2001::/32": "Teredo (RFC 4380)",
    "2001::/23": "IETF protocol assignments (RFC 2928)",
    "2001:db8::/32": "documentation (RFC 3849)",
    "2002::/16": "6to4 (RFC 3056)",
    "3fff::/20": "documentation (RFC 9637)",
    "5f00::/16": "segment routing (RFC 9602)",
    "fc00::/7": "unique local (RFC 4193)",
    "fe80::/10": "link-local (RFC 4291 §2.5.6)",
    "fec0::/10": "site-local, withdrawn (RFC 3879)",
    "ff00::/8": "multicast (RFC 4291 §2.7)",
}
NESTED_FIRST = {"::/96": "::2", "2001::/23": "2001:1::"}
NESTED_LAST = {"240.0.0.0/4": "255.255.255.254"}
UNASSIGNED = "not global unicast (RFC 4291 §2.4)"


def test_the_table_holds_these_ranges_and_no_others() -> None:
    # compared as networks: Python 3.13 writes `::ffff:0:0/96` with an IPv4 address in it
    ranges = {ipaddress.ip_network(text): reason for text, reason in RANGES.items()}
    assert {network: f"{purpose} ({where})" for network, purpose, where in NOT_PUBLIC} == ranges


@pytest.mark.parametrize("text", RANGES)
def test_a_range_holds_its_first_and_its_last_address(text: str) -> None:
    network = ipaddress.ip_network(text)
    first, last = str(network[0]), str(network[-1])
    assert why_not_public(NESTED_FIRST.get(text, first)) == RANGES[text]
    assert why_not_public(NESTED_LAST.get(text, last)) == RANGES[text]


OUTSIDE = [
    *["1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"],
    *["128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255"],
    *["192.0.1.0", "192.0.1.255", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255"],
    *["192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255"],
    *["203.0.114.0", "223.255.255.255", "8.8.8.8"],
    *["2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::", "2001:db7:ffff::ffff", "2001:db9::"],
    *["2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    *["3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2606:4700::1"],
]


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_neighbours_of_the_ranges_are_public(address: str) -> None:
    assert why_not_public(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        *["1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "0:0:0:1::", "100:0:0:1::", "64:ff9a:ffff::"],
        *["64:ff9b:0:0:0:1::", "64:ff9b:2::", "5eff:ffff::", "5f01::", "fbff:ffff::", "fe00::", "fe7f::1"],
        *["::fffe:ffff:ffff", "::1:0:0:0", "::1:0:0"],
    ],
)
def test_ipv6_outside_global_unicast_is_not_public_without_being_listed(address: str) -> None:
    assert why_not_public(address) == UNASSIGNED


@pytest.mark.parametrize(
    "address",
    [
        *["::ffff:8.8.8.8", "::ffff:127.0.0.1", "::8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b::10.0.0.1"],
        *["2002:808:808::1", "2002:7f00:1::", "2001:0:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    ],
)
def test_no_ipv4_address_hides_in_an_ipv6_address(address: str) -> None:
    assert why_not_public(address) in {
        RANGES[text] for text in ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "2002::/16", "2001::/32")
    }


def test_what_the_caller_allows_may_be_dialled() -> None:
    lab = ("127.0.0.0/8", "fd00::/8")
    assert [why_not_public(address, lab) for address in ("127.0.0.1", "127.255.255.255", "fd12::1")] == [
        ""
    ] * 3
    assert why_not_public("128.0.0.1", lab) == ""
    assert why_not_public("10.0.0.1", lab) == RANGES["10.0.0.0/8"]
    assert why_not_public("fc12::1", lab) == RANGES["fc00::/7"]
    assert why_not_public("::ffff:127.0.0.1", lab) == RANGES["::ffff:0:0/96"]
    assert why_not_public("::1", ("0.0.0.0/0",)) == RANGES["::1/128"]
    assert why_not_public("0.0.0.1", ("0.0.0.0/0",)) == ""


@given(st.ip_addresses())
def test_whatever_python_knows_not_to_be_global_is_not_dialled(ip: Address) -> None:
    assert ip.is_global or why_not_public(str(ip))


@pytest.mark.parametrize("text", ["", "mx.example", "192.0.2", "0x7f.1", "1.2.3.4.5", "[::1]"])
def test_what_is_no_address_is_an_error_of_the_caller(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear to be"):
        why_not_public(text)


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.200", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("::1", "::/48")],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network
