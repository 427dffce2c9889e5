"""Zones served over UDP, as packets; the zones are the demo's."""

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from checker_smtp.demo import POSTURES, Posture
from checker_smtp.testing import Zone
from checker_smtp.testing.dns_server import answer_query, respond

pytestmark = pytest.mark.anyio

BY_NAME = {posture.domain.partition(".")[0]: posture for posture in POSTURES}
HEALTHY = BY_NAME["healthy"]


def ask(name: str, rdtype: str, posture: Posture = HEALTHY) -> tuple[str, list[str], int]:
    """Return the code of the response, its answers and the number of its SOA records, by way of the wire."""
    packet = respond(dns.message.make_query(name, rdtype).to_wire(), Zone(posture.zone, ttl=60).lookup)
    assert packet is not None
    response = dns.message.from_wire(packet)
    soa = [rrset for rrset in response.authority if rrset.rdtype == dns.rdatatype.SOA]
    return dns.rcode.to_text(response.rcode()), [str(rrset) for rrset in response.answer], len(soa)


def test_dns_distinguishes_no_name_and_no_data() -> None:
    assert ask("healthy.demo.test", "MX") == (
        "NOERROR",
        ["healthy.demo.test. 60 IN MX 10 mx.healthy.demo.test."],
        0,
    )
    assert ask("MX.healthy.DEMO.test", "A") == ("NOERROR", ["MX.healthy.DEMO.test. 60 IN A 127.0.0.1"], 0)
    assert ask("mx.healthy.demo.test", "AAAA") == ("NOERROR", [], 1)
    assert ask("demo.test", "A") == ("NOERROR", [], 1)
    assert ask("www.healthy.demo.test", "A") == ("NXDOMAIN", [], 1)
    assert ask("example.com", "MX") == ("NXDOMAIN", [], 1)
    assert ask(".", "NS") == ("NOERROR", [". 60 IN NS ns.demo.test."], 0)
    assert ask("1.0.0.127.in-addr.arpa", "PTR", BY_NAME["no-ptr"]) == ("NXDOMAIN", [], 1)
    assert ask("null-mx.demo.test", "MX", BY_NAME["null-mx"]) == (
        "NOERROR",
        ["null-mx.demo.test. 60 IN MX 0 ."],
        0,
    )


def test_dns_follows_aliases() -> None:
    alias = "mail.cname-mx.demo.test. 60 IN CNAME mx.cname-mx.demo.test."
    posture = BY_NAME["cname-mx"]
    code, answers, _ = ask("mail.cname-mx.demo.test", "A", posture)
    assert (code, answers) == ("NOERROR", [alias, "mx.cname-mx.demo.test. 60 IN A 127.0.0.1"])
    assert ask("mail.cname-mx.demo.test", "CNAME", posture) == ("NOERROR", [alias], 0)
    assert ask("mail.cname-mx.demo.test", "AAAA", posture) == ("NOERROR", [alias], 1)


def test_dns_survives_an_endless_chain_and_one_leading_nowhere() -> None:
    loop = Posture(
        domain="loop.demo.test",
        description="",
        server=None,
        zone=(*HEALTHY.zone, "a.test. CNAME b.test.", "b.test. CNAME a.test.", "c.test. CNAME gone.test."),
    )
    assert ask("a.test", "A", loop)[0] == "SERVFAIL"
    assert ask("c.test", "A", loop) == ("NXDOMAIN", ["c.test. 60 IN CNAME gone.test."], 1)


def test_dns_declines_what_it_does_not_do() -> None:
    zone = Zone(HEALTHY.zone, ttl=60).lookup

    def code(query: dns.message.Message) -> dns.rcode.Rcode:
        response = answer_query(query, zone)
        assert response is not None
        return response.rcode()

    query = dns.message.make_query("healthy.demo.test", "MX")
    query.set_opcode(dns.opcode.STATUS)
    assert code(query) == dns.rcode.NOTIMP
    query = dns.message.make_query("healthy.demo.test", "MX")
    query.question *= 2
    assert code(query) == dns.rcode.FORMERR
    assert code(dns.message.make_query("healthy.demo.test", "ANY")) == dns.rcode.REFUSED
    assert code(dns.message.make_query("healthy.demo.test", "AXFR")) == dns.rcode.REFUSED
    assert code(dns.message.make_query("version.bind", "TXT", "CH")) == dns.rcode.REFUSED


def test_dns_says_nothing_to_what_is_no_query() -> None:
    zone = Zone(HEALTHY.zone, ttl=60).lookup
    query = dns.message.make_query("healthy.demo.test", "MX")
    wire = query.to_wire()
    assert respond(wire, zone) is not None
    for packet in (b"", b"\0" * 5, wire[:-1], wire + b"!", dns.message.make_response(query).to_wire()):
        assert respond(packet, zone) is None


@pytest.mark.parametrize("posture", POSTURES, ids=lambda posture: posture.domain)
def test_each_view_holds_together(posture: Posture) -> None:
    """Every MX leads to 127.0.0.1, which leads to a name and back, but where the posture says otherwise."""
    lookup = Zone(posture.zone).lookup
    (mx,) = [record.split()[4:] for record in lookup(posture.domain, "MX").records]
    assert posture.description.endswith(".")
    if posture.server is None:
        assert mx == ["0", "."]
        return
    assert ask(mx[1], "A", posture)[1][-1] == f"{posture.host}. 60 IN A 127.0.0.1"
    assert ask(mx[1], "AAAA", posture)[1:] == ([], 1) or posture is BY_NAME["cname-mx"]
    reverse = [record.split()[-1] for record in lookup("1.0.0.127.in-addr.arpa", "PTR").records]
    assert len(reverse) == (0 if posture is BY_NAME["no-ptr"] else 1)
    for host in reverse:
        assert ask(host, "A", posture)[1] == [f"{host} 60 IN A 127.0.0.1"]
