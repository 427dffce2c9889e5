"""The lab is what it says, asked with the standard library's own client.

When a check of a posture fails, these tests tell whose fault it is: the posture's or the checker's.
"""

import smtplib
import ssl

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.e2e.lab import Lab
from tests.e2e.lab.table import ADDRESS, DNS_ADDRESS, DNS_PORT, PORT, PROBE, domain

OUTSIDE = "postmaster@example.com"
USUAL = f"postmaster@{PROBE}"


def session(name: str, *, tls: bool = True) -> smtplib.SMTP:
    client = smtplib.SMTP(ADDRESS[name], PORT, local_hostname=PROBE, timeout=10)
    client.ehlo()
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.starttls(context=context)
        client.ehlo()
    return client


def recipient(client: smtplib.SMTP, sender: str, mailbox: str) -> int:
    client.rset()
    client.mail(sender)
    return client.rcpt(mailbox)[0]


@pytest.mark.parametrize(
    ("name", "null", "usual", "outside"),
    [
        ("healthy", 250, 250, 554),
        ("openrelay", 250, 250, 250),
        ("authplain", 250, 250, 554),
        ("nullrej", 550, 250, 554),
        ("nopostmaster", 550, 550, 554),
        ("greylist", 450, 450, 554),
        ("tlsonly", 250, 250, 554),
        ("ptrmissing", 250, 250, 554),
    ],
)
def test_transactions(lab: Lab, name: str, null: int, usual: int, outside: int) -> None:
    local = f"postmaster@{domain(name)}"
    with session(name) as client:
        codes = [recipient(client, *pair) for pair in (("", local), (USUAL, local), (USUAL, OUTSIDE))]
    assert codes == [null, usual, outside]


def test_what_is_offered_before_tls(lab: Lab) -> None:
    offers = {}
    for name in ("healthy", "nostarttls", "authplain"):
        with session(name, tls=False) as client:
            offers[name] = (client.has_extn("starttls"), client.esmtp_features.get("auth", "").split())
    assert offers == {
        "healthy": (True, []),
        "nostarttls": (False, []),
        "authplain": (True, ["PLAIN", "LOGIN"]),
    }


def test_tls_is_demanded(lab: Lab) -> None:
    with session("tlsonly", tls=False) as client:
        assert client.mail("")[0] == 530


@pytest.mark.parametrize(("name", "code"), [("banner554", 554), ("conn421", 421)])
def test_refusing_greetings(lab: Lab, name: str, code: int) -> None:
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        smtplib.SMTP(ADDRESS[name], PORT, timeout=10)
    assert refused.value.smtp_code == code


@pytest.mark.parametrize(
    ("name", "kind", "rcode", "answers"),
    [
        (".", "NS", "NOERROR", 1),
        ("example.com", "MX", "NOERROR", 1),
        ("example.info", "MX", "NXDOMAIN", 0),
        (domain("healthy"), "MX", "NOERROR", 1),
        (domain("healthy"), "AAAA", "NOERROR", 0),
        (domain("implicit"), "MX", "NOERROR", 0),
        (domain("mixed"), "MX", "NOERROR", 2),
        (f"alias.{domain('cname')}", "A", "NOERROR", 2),
        (domain("nx"), "MX", "NXDOMAIN", 0),
        ("10.1.9.127.in-addr.arpa", "PTR", "NOERROR", 1),
        ("20.1.9.127.in-addr.arpa", "PTR", "NXDOMAIN", 0),
        ("1.0.0.127.in-addr.arpa", "PTR", "NOERROR", 1),
    ],
)
def test_answers(lab: Lab, name: str, kind: str, rcode: str, answers: int) -> None:
    answer = dns.query.udp(dns.message.make_query(name, kind), DNS_ADDRESS, timeout=5, port=DNS_PORT)
    assert (dns.rcode.to_text(answer.rcode()), sum(map(len, answer.answer))) == (rcode, answers)
