"""MX targets that spell an IP address, in every way in which that can be done in DNS."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker_smtp.probes.dns import parse_literal


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (r"192\.0\.2\.1", "192.0.2.1"),
        (r"192\0460\0462\0461", "192.0.2.1"),
        ("[192.0.2.1]", "192.0.2.1"),
        (r"\[192\.0\.2\.1\]", "192.0.2.1"),
        ("192.0.513", "192.0.2.1"),
        ("192.513", "192.0.2.1"),
        ("3221225985", "192.0.2.1"),
        ("0xc0000201", "192.0.2.1"),
        ("0xc0.0.0x2.1", "192.0.2.1"),
        ("030000001001", "192.0.2.1"),
        ("0300.0.02.01", "192.0.2.1"),
        ("192.000.002.001", "192.0.2.1"),
        ("192.0.2.08", "192.0.2.8"),
        ("0", "0.0.0.0"),  # noqa: S104 - nobody binds to it
        (r"1\2", "0.0.0.12"),
        ("255.255.255.255", "255.255.255.255"),
        ("127.1", "127.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[ipv6:2001:db8::1]", "2001:db8::1"),
        ("ipv6:2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", str(ipaddress.ip_address("::ffff:192.0.2.1"))),
        ("[ipv6:192.0.2.1]", "192.0.2.1"),
        (r"2001\058db8\058\0581", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        (r"fe80::1%\010\027", "fe80::1"),
    ],
)
def test_an_address_is_recognised(target: str, address: str) -> None:
    assert parse_literal(target) == address


@pytest.mark.parametrize(
    "target",
    [
        *["mx.example", "mx1", "a", "1.example", "192.0.2.1.example", "192-0-2-1.example", "0x", "0xg", "x0"],
        *["256.0.2.1", "192.0.2.256", "192.0.65536", "192.16777216", "4294967296", "1.2.3.4.0", "0xfg.1"],
        *["192.0.2.", ".192.0.2", "192..2.1", "-1", "+1", "1e3", "1_0", "٣", "0o17", "9999999999999", ""],
        *["::g", "12345::", ":", "1:2", "::1::", "fe80:", r"\:", "\\", "[]"],
    ],
)
def test_a_name_is_none(target: str) -> None:
    assert parse_literal(target) == ""


@given(st.ip_addresses())
def test_the_usual_spelling_of_any_address_is_recognised(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert parse_literal(str(ip)) == parse_literal(f"[{ip}]") == str(ip)


@given(st.ip_addresses(v=4), st.sampled_from(["{}", "{:#x}", "0{:o}"]))
def test_any_base_is_recognised(ip: ipaddress.IPv4Address, form: str) -> None:
    assert parse_literal(".".join(form.format(part) for part in ip.packed)) == str(ip)
    assert parse_literal(form.format(int(ip))) == str(ip)


@given(st.text(st.sampled_from("0189xabf.:[]\\%-\0\x1b é٣"), max_size=20) | st.text(max_size=20))
def test_whatever_the_target_is_what_comes_out_is_an_address_or_nothing(target: str) -> None:
    literal = parse_literal(target.lower())
    assert literal == "" or str(ipaddress.ip_address(literal)) == literal
    assert literal.isprintable()
