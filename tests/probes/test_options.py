"""Bad options end in one sentence before anything is sent; good ones come out in one form."""

import re

import pytest

from checker_smtp.probes.options import OptionError, Options, host_name
from tests.probes.world import options

BAD_NAMES = {
    "": "domain is empty: give a host name such as example.com",
    " ": "domain is empty: give a host name such as example.com",
    "\r\n": "domain is empty: give a host name such as example.com",
    "https://example.com": "'https://example.com' is a URL: give a host name such as example.com",
    "example.com/": "'example.com/' is a URL: give a host name such as example.com",
    "info@example.com": "'info@example.com' is an e-mail address: give a host name such as example.com, "
    "without what stands before the @",
    "192.0.2.1": "'192.0.2.1' is an IP address: give a host name such as example.com",
    "[192.0.2.1]": "'[192.0.2.1]' is an IP address: give a host name such as example.com",
    "2001:db8::1": "'2001:db8::1' is an IP address: give a host name such as example.com",
    "[IPv6:2001:db8::1]": "'[IPv6:2001:db8::1]' is an IP address: give a host name such as example.com",
    "fe80::1%eth0": "'fe80::1%eth0' is an IP address: give a host name such as example.com",
    " 192.0.2.1 ": "' 192.0.2.1 ' is an IP address: give a host name such as example.com",
    "192.0.2": "'192.0.2' ends like an IP address, not like a name: give a host name such as example.com",
    "3221225985": "'3221225985' ends like an IP address, not like a name: give a host name such as "
    "example.com",
    "example.123": "'example.123' ends like an IP address, not like a name: give a host name such as "
    "example.com",
    "0x7f000001": "'0x7f000001' ends like an IP address, not like a name: give a host name such as "
    "example.com",
    "127.0.0.0x1": "'127.0.0.0x1' ends like an IP address, not like a name: give a host name such as "
    "example.com",
    "１９２.０.２.１": "'１９２.０.２.１' ends like an IP address, not like a name: give a host name such as "
    "example.com",
    "exa mple.com": "'exa mple.com' contains a space or a character no host name has: give a host name such "
    "as example.com",
    "example.com\r\nRCPT TO:<a@b>": "'example.com\\r\\nRCPT TO:<a@b>' is an e-mail address: give a host name "
    "such as example.com, without what stands before the @",
    "example.com\r\nQUIT": "'example.com\\r\\nQUIT' contains a space or a character no host name has: give a "
    "host name such as example.com",
    "example\0.com": "'example\\x00.com' contains a space or a character no host name has: give a host name "
    "such as example.com",
    "<example.com>": "'<example.com>' contains a space or a character no host name has: give a host name "
    "such as example.com",
    "münchen<.example": "'münchen<.example' contains a space or a character no host name has: give a host "
    "name such as example.com",
    "a..example": "'a..example' is not a host name: give a host name such as example.com",
    ".example": "'.example' is not a host name: give a host name such as example.com",
    ".": "'.' is not a host name: give a host name such as example.com",
    "example.com..": "'example.com..' is not a host name: give a host name such as example.com",
    "-a.example": "'-a.example' is not a host name: give a host name such as example.com",
    "a-.example": "'a-.example' is not a host name: give a host name such as example.com",
    "_dmarc.example": "'_dmarc.example' is not a host name: give a host name such as example.com",
    "example.com:25": "'example.com:25' is not a host name: give a host name such as example.com",
    "mü..example": "'mü..example' is not an internationalised host name: Empty Label",
    "-mü.example": "'-mü.example' is not an internationalised host name: Label must not start or end with a "
    "hyphen",
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_invalid_host_name_is_an_error_of_one_sentence(name: str) -> None:
    with pytest.raises(OptionError) as refused:
        Options(domain=name)
    assert (refused.value.option, str(refused.value)) == ("domain", BAD_NAMES[name])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a" * 64 + ".example", "is too long: a label has at most 63 octets"),
        (".".join(["a" * 63] * 4), "is too long: a label has at most 63 octets and a name 253"),
        ("ü" * 64 + ".example", "is not an internationalised host name: Label too long"),
        ("ü." * 300 + "example", "is not an internationalised host name: Domain too long"),
        ("☃.example", "is not an internationalised host name: "),
        ("e\u0301\u2044.example", "is not an internationalised host name: "),
        ("ex\u00a0ample.org", "is not an internationalised host name: "),
        ("mü\u2028.example", "is not an internationalised host name: "),
        ("\ud800.example", "is not an internationalised host name: "),
        ("x" * 100_000, "is too long: "),
        ("ü" * 100_000, "is not an internationalised host name: "),
    ],
)
def test_long_and_odd_names_are_quoted_no_longer_than_a_line(name: str, message: str) -> None:
    with pytest.raises(OptionError) as refused:
        host_name("domain", name)
    text = str(refused.value)
    assert message in text
    assert len(text) < 260
    assert not re.search(r"[\r\n\0]", text)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.Com.", "example.com"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("MÜNCHEN.EXAMPLE.", "xn--mnchen-3ya.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("日本語。テスト", "xn--wgv71a119e.xn--zckzah"),
        ("XN--MNCHEN-3YA.example", "xn--mnchen-3ya.example"),
        ("1a.2b.example", "1a.2b.example"),
        ("museum", "museum"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        (".".join(["a" * 63] * 3 + ["b" * 61]) + ".", ".".join(["a" * 63] * 3 + ["b" * 61])),
    ],
)
def test_a_host_name_is_kept_in_a_labels_lower_case_without_the_final_dot(name: str, normal: str) -> None:
    assert Options(domain=name).domain == normal


def test_helo_name_is_a_host_name_too() -> None:
    assert options(helo_name="Prüfer.Example.").helo_name == "xn--prfer-lva.example"
    with pytest.raises(OptionError, match=r"^'\[192.0.2.1\]' is an IP address: ") as refused:
        options(helo_name="[192.0.2.1]")
    assert refused.value.option == "helo_name"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "'' is not an address: give one such as postmaster@example.com"),
        ("postmaster", "'postmaster' is not an address: give one such as postmaster@example.com"),
        ("@example.com", "'@example.com' is not an address: give one such as postmaster@example.com"),
        ("a@", "test_probe_address is empty: give a host name such as example.com"),
        ("a@[192.0.2.1]", "'[192.0.2.1]' is an IP address: give a host name such as example.com"),
        ("a b@example.com", "'a b@example.com' is not an address that SMTP can carry: "),
        ("a@b@example.com", "'a@b@example.com' is not an address that SMTP can carry: "),
        (
            "a\r\nDATA\r\n@example.com",
            "'a\\r\\nDATA\\r\\n@example.com' is not an address that SMTP can carry: ",
        ),
        ("<a@example.com>", "'example.com>' contains a space or a character no host name has: "),
        ("<a@example.com", "'<a@example.com' is not an address that SMTP can carry: "),
        ("jürgen@example.com", "'jürgen@example.com' is not an address that SMTP can carry: "),
        ("a" * 65 + "@example.com", "@example.com' is not an address that SMTP can carry: "),
        ("a" * 999 + "@example.com", "aaa...' is not an address that SMTP can carry: "),
    ],
)
def test_an_invalid_addr_spec_is_an_error_of_one_sentence(address: str, message: str) -> None:
    with pytest.raises(OptionError) as refused:
        options(test_probe_address=address)
    assert refused.value.option == "test_probe_address"
    assert message in str(refused.value)
    assert not re.search(r"[\r\n\0]", str(refused.value))


@pytest.mark.parametrize(
    ("domain", "given", "used"),
    [
        ("example.org", "postmaster@example.com", "postmaster@example.com"),
        ("example.org", "Some.Body@MÜNCHEN.example.", "Some.Body@xn--mnchen-3ya.example"),
        ("example.org", '"a b"@example.com', '"a b"@example.com'),
        ("example.com", "postmaster@example.com", "postmaster@example.net"),
        ("EXAMPLE.COM.", "who@Example.Com", "postmaster@example.net"),
        ("example.net", "postmaster@example.net", "postmaster@example.com"),
        ("sub.example.com", "postmaster@example.com", "postmaster@example.com"),
    ],
)
def test_the_probe_address_is_replaced_where_its_domain_is_the_tested_one(
    domain: str, given: str, used: str
) -> None:
    assert Options(domain=domain, test_probe_address=given).probe_address == used


@pytest.mark.parametrize(
    ("other_than", "found"),
    [((), "example.com"), (("example.com",), "example.net"), (("example.net", "example.com"), "example.org")],
)
def test_an_outside_domain_is_none_of_those_named(other_than: tuple[str, ...], found: str) -> None:
    assert Options(domain="other.example").outside_domain(*other_than) == found


def test_the_sender_and_the_budget_follow_from_the_options() -> None:
    given = options(timeout=3)
    assert (given.sender, given.timeout, given.budget) == ("postmaster@probe.test", 3.0, 15.0)


@pytest.mark.parametrize("timeout", [0, -1, 3600.5, float("nan"), float("inf"), float("-inf")])
def test_a_timeout_out_of_range(timeout: float) -> None:
    with pytest.raises(OptionError) as refused:
        options(timeout=timeout)
    assert refused.value.option == "timeout"
    assert str(refused.value) == f"timeout is {timeout:g}: give seconds, more than 0, at most 3600"


@pytest.mark.parametrize(("timeout", "kept"), [(3600, 3600.0), (0.5, 0.5), (1 / 3, 0.333), (0.000_01, 0.001)])
def test_a_timeout_is_kept_in_whole_milliseconds(timeout: float, kept: float) -> None:
    assert options(timeout=timeout).timeout == kept


@pytest.mark.parametrize("port", [0, -25, 65536])
def test_a_port_out_of_range(port: int) -> None:
    with pytest.raises(OptionError, match=rf"^port is {port}: give a number from 1 to 65535$") as refused:
        options(port=port)
    assert refused.value.option == "port"
    assert [options(port=port).port for port in (1, 25, 65535)] == [1, 25, 65535]


def test_one_address_family_has_to_be_left_on() -> None:
    with pytest.raises(
        OptionError, match=r"^both address families are switched off: leave one on$"
    ) as refused:
        options(ipv4=False, ipv6=False)
    assert refused.value.option == "ipv4"


@pytest.mark.parametrize("network", ["", "lab", "192.0.2.0/33", "192.0.2.256", "2001:db8::/129", "::/0 ::/0"])
def test_what_is_no_network(network: str) -> None:
    with pytest.raises(OptionError) as refused:
        options(allow_targets=("10.0.0.0/8", network))
    assert refused.value.option == "allow_targets"
    assert str(refused.value) == f"{network!r} is no network: give one in CIDR notation such as 192.0.2.0/24"


def test_networks_are_kept_in_one_form() -> None:
    given = options(allow_targets=(" 10.1.2.3/8 ", "192.0.2.1", "2001:DB8::1/32"))
    assert given.allow_targets == ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32")


def test_source_addresses_are_addresses_in_their_usual_form() -> None:
    assert options(source_addresses=("2001:DB8:0::1",)).source_addresses == ("2001:db8::1",)
    with pytest.raises(
        OptionError, match=r"^'mx.a.test' is no IP address: give one of the machine that checks"
    ):
        options(source_addresses=("mx.a.test",))


def test_controls_are_host_names() -> None:
    assert options(controls=("MX.Example.net.", "münchen.example")).controls == (
        "mx.example.net",
        "xn--mnchen-3ya.example",
    )
    with pytest.raises(OptionError, match=r"^'192.0.2.1' is an IP address: ") as refused:
        options(controls=("mx.example.net", "192.0.2.1"))
    assert refused.value.option == "controls"


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 3600.5])
def test_the_time_of_a_check_is_limited(seconds: float) -> None:
    with pytest.raises(OptionError, match=r"check_budget is .*: give seconds, more than 0, at most 3600"):
        options(check_budget=seconds)
