"""The registered domain of a host, and its absence."""

import pytest

from checker_smtp.probes.registered_domain import registered_domain


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("aspmx.l.google.com", "google.com"),
        ("MX1.Example.CO.UK.", "example.co.uk"),
        ("inbound-smtp.eu-west-1.amazonaws.com", "amazonaws.com"),
        ("example.org", "example.org"),
        ("co.uk", ""),
        ("localhost", ""),
        ("192.0.2.1", ""),
        ("[2001:db8::1]", ""),
        ("", ""),
    ],
)
def test_registered_domains(host: str, domain: str) -> None:
    assert registered_domain(host) == domain
