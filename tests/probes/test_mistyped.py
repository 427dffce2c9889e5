"""Mistyped MX targets: the cause, and the record as it should be."""

import pytest

from checker_smtp.probes.rules._mistyped import read_mistyped
from tests.probes.test_mx_rules import finding


@pytest.mark.parametrize(
    ("target", "cause", "record"),
    [
        ("mx.example.org.example.org", "final dot", "MX 10 mx.example.org."),
        ("mx1.provider.net.example.org", "final dot", "MX 10 mx1.provider.net."),
        ("mail.protection.outlook.com.mail.example.org", "final dot", "MX 10 mail.protection.outlook.com."),
        ("10\\032mx1.provider.net", "preference (10) and a blank", "MX 10 mx1.provider.net."),
        ("20\\009mx1.provider.net", "preference (20)", "MX 20 mx1.provider.net."),
        ("192.0.2.1.example.org", "the address 192.0.2.1", "MX 10 mail.sub.example.org."),
        ("10.0.0.1.provider.net", "the address 10.0.0.1", "MX 10 mail.sub.example.org."),
        ("\\@", "`@`", "MX 10 sub.example.org."),
        ("\\@.example.org", "`@`", "MX 10 sub.example.org."),
        ("mail\\@provider.net", "an e-mail address", "MX 10 provider.net."),
        ("https://mx1.provider.net", "a URL", "MX 10 mx1.provider.net."),
        ("smtp://mx1.provider.net/x", "a URL", "MX 10 mx1.provider.net."),
        ("https://me:secret\\@mx1.provider.net:25/x", "a URL", "MX 10 mx1.provider.net."),
        ("192.168.001.010.example.org", "the address 192.168.1.10", "MX 10 mail.sub.example.org."),
        ("sub.example.org.example.org", "final dot", "MX 10 sub.example.org."),
        ("mx1.provider.net\\032", "A blank", "MX 10 mx1.provider.net."),
        ("\\032mx1.provider.net", "A blank", "MX 10 mx1.provider.net."),
        ("b\\195\\188cher.example.org", "UTF-8 (bücher.example.org)", "MX 10 xn--bcher-kva.example.org."),
    ],
)
def test_a_target(target: str, cause: str, record: str) -> None:
    domain = "sub.example.org" if "mail.example" not in target else "mail.example.org"
    mistyped = read_mistyped(target, 10, domain)
    assert mistyped is not None
    assert cause in mistyped.cause
    assert record in mistyped.record


@pytest.mark.parametrize(
    "target",
    [
        "gone.example.org",
        "mail.internal.example.org",
        "gone.provider.net",
        "999.0.2.1.example.org",
        "1.2.0.192.in-addr.arpa",
        "mail.co.example.org",
        "mx.dev.example.org",
        "smtp.co.uk.example.org",
        "b\\195cher.example.org",
        "\\195\\188\\032x.example.org",
        "mail",
    ],
)
def test_a_target_that_is_only_wrong(target: str) -> None:
    assert read_mistyped(target, 10, "example.org") is None


@pytest.mark.parametrize(
    "target",
    [
        "https://",
        "http://.example.org",
        "https://192.0.2.1",
        "info\\@",
        "a\\@b\\@c",
        "10\\032\\@",
        "99999\\032mx.example.org",
        "10\\009\\027[31mred",
    ],
)
def test_a_target_that_does_not_show_the_record(target: str) -> None:
    mistyped = read_mistyped(target, 10, "example.org")
    assert mistyped is not None
    assert mistyped.record == ""
    found = finding(f"example.org MX 10 {target}.", "smtp.mx.unresolved")
    assert found.fix == "Put the host name of the mail server, and nothing else, into the MX record."


def test_the_fix_is_the_record() -> None:
    found = finding("example.org MX 5 mx.provider.net.example.org.", "smtp.mx.unresolved")
    assert found.message == (
        "The MX target mx.provider.net.example.org does not exist. The final dot seems to be missing in the "
        "zone file, so that example.org was appended."
    )
    assert found.fix == "Correct the MX record: `MX 5 mx.provider.net.`."


def test_an_address_in_the_mx_record_is_published_beside_it() -> None:
    found = finding("example.org MX 5 9.9.9.9.example.org.", "smtp.mx.unresolved")
    assert (
        found.fix
        == "Correct the MX record: `MX 5 mail.example.org.`, and publish `mail.example.org. A 9.9.9.9`."
    )
    found = finding("example.org MX 5 10.0.0.1.example.org.", "smtp.mx.unresolved")
    assert found.fix == "Correct the MX record: `MX 5 mail.example.org.`."
