"""The provider of an MX host."""

import pytest

from checker_smtp.probes.registered_domain import provider_of


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("aspmx.l.google.com", "google.com"),
        ("example-com.mail.protection.outlook.com", "outlook.com"),
        ("MX1.Example.CO.UK.", "example.co.uk"),
        ("mx.example.kawasaki.jp", "mx.example.kawasaki.jp"),
        ("mx.city.kawasaki.jp", "city.kawasaki.jp"),
        ("mx.xn--55qx5d.cn", "mx.xn--55qx5d.cn"),
        ("a.mx.xn--fiqs8s", "mx.xn--fiqs8s"),
        ("mx.no-such-top-level-domain.invalid", "no-such-top-level-domain.invalid"),
        # suffixes of companies are not those of registries
        ("inbound-smtp.eu-west-1.amazonaws.com", "amazonaws.com"),
        ("mail.someone.dyndns.org", "dyndns.org"),
        # nothing is registered there
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("", ""),
        ("a..b", "a..b"),
        ("\udcff.example.com", "example.com"),
    ],
)
def test_registered_domains(host: str, provider: str) -> None:
    assert provider_of(host) == provider
