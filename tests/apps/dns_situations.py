"""Situations of DNS and the resolver from the field, each with the verdict of an expert.

Each is a zone of records (`checker_smtp.testing.Zone`) around a healthy mail server.
"""

from typing import Any, NamedTuple

from checker_smtp.probes.ports import DnsAnswer, DnsStatus

V4, V6 = "192.0.2.7", "2001:db8::7"
SERVER = f"""
    mx.host.test A {V4}
    mx.host.test AAAA {V6}
    7.2.0.192.in-addr.arpa PTR mx.host.test.
    7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx.host.test.
"""
WELL = f"{SERVER}\ngood.test MX 10 mx.host.test.\n"


def answer(
    question: str, *records: str, status: str = "answer", unvalidated: bool = False, **given: Any
) -> DnsAnswer:
    rdtype, name = question.split()
    return DnsAnswer(
        name=name,
        rdtype=rdtype,
        status=DnsStatus(status),
        records=records,
        unvalidated=unvalidated,
        **given,
    )


class Situation(NamedTuple):
    zone: str
    verdicts: list[str] | None
    mail: str = "accepted"
    says: str = ""
    answers: tuple[DnsAnswer, ...] = ()
    not_says: str = ""


SITUATIONS = {
    "healthy": Situation(WELL, []),
    # the end of the alias chain
    "records beside NXDOMAIN": Situation(
        SERVER,
        ["mx.none crit fail"],
        "none",
        "does not exist",
        (answer("MX good.test", "good.test. 60 IN MX 10 mx.host.test.", status="nxdomain"),),
    ),
    "records beside SERVFAIL": Situation(
        SERVER,
        ["mx.lookup_failed crit fail"],
        "deferred",
        "EDE 6",
        (
            answer(
                "MX good.test",
                "good.test. 60 IN MX 10 mx.host.test.",
                status="servfail",
                detail="SERVFAIL; EDE 6 (DNSSEC Bogus)",
            ),
        ),
    ),
    "an address of another owner": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.",
        ["mx.unresolved crit fail t.test"],
        "refused",
        "are of other names",
        (
            answer("A t.test", f"other.test. 60 IN A {V4}", status="nodata"),
            answer("AAAA t.test", status="nodata"),
        ),
    ),
    "a DNAME without the CNAME it stands for": Situation(
        SERVER,
        ["mx.domain_alias info fail"],
        "accepted",
        "good.test → good.new.test",
        (answer("MX good.test", "test. 60 IN DNAME new.test.", "good.new.test. 60 IN MX 10 mx.host.test."),),
    ),
    "an alias beside MX records": Situation(
        SERVER,
        ["mx.alias_beside info fail"],
        "accepted",
        "has MX records and a CNAME beside them",
        (
            answer(
                "MX good.test",
                "good.test. 60 IN CNAME elsewhere.test.",
                "good.test. 60 IN MX 10 mx.host.test.",
            ),
        ),
    ),
    "an alias beside the addresses of a target": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.",
        ["mx.alias_beside info fail t.test"],
        "accepted",
        "has addresses and a CNAME beside them",
        (
            answer("A t.test", "t.test. 60 IN CNAME elsewhere.test.", f"t.test. 60 IN A {V4}"),
            answer("AAAA t.test", f"t.test. 60 IN AAAA {V6}"),
        ),
    ),
    "the chain has no end": Situation(
        "good.test MX 10 a0.test.\n"
        + "\n".join(f"a{n}.test CNAME a{n + 1}.test." for n in range(30))
        + f"\na30.test A {V4}",
        ["mx.cname crit fail a0.test"],
        "refused",
        "no end of its chain was found",
    ),
    # limits
    "the best MX of many": Situation(
        f"{SERVER}\ngood.test MX 5 mx.host.test.\n"
        + "\n".join(f"good.test MX 10 m{n:02}.test." for n in range(60)),
        None,
        says="The domain has 61 MX records. The 50 most preferred were tested, the other 11 were not.",
    ),
    "the name of the MX among many PTR names": Situation(
        WELL + "\n".join(f"7.2.0.192.in-addr.arpa PTR a{n:02}.test." for n in range(60)), []
    ),
    "many PTR names without that of the MX": Situation(
        WELL.replace("7.2.0.192.in-addr.arpa PTR mx.host.test.", "")
        + "\n".join(f"7.2.0.192.in-addr.arpa PTR a{n:02}.test." for n in range(60)),
        ["not_tested info not-tested 192.0.2.7:25"],
        says="has 60 PTR names. The 10 that were looked up do not lead back to it; the other 50 were not",
    ),
    "addresses beyond what is read": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.",
        ["not_tested info not-tested t.test"],
        "accepted",
        "has 12 more addresses than are read here",
        (
            answer("A t.test", f"t.test. 60 IN A {V4}", omitted=12),
            answer("AAAA t.test", f"t.test. 60 IN AAAA {V6}"),
        ),
    ),
    "records beyond the limit that nobody asked for": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.",
        [],
        answers=(
            answer(
                "MX good.test",
                "good.test. 60 IN MX 10 t.test.",
                "other.test. 60 IN MX 10 t.test.",
                omitted=500,
            ),
            answer("A t.test", f"t.test. 60 IN A {V4}", f"other.test. 60 IN A {V4}", omitted=12),
            answer("AAAA t.test", f"t.test. 60 IN AAAA {V6}"),
        ),
    ),
    "IPv6 may be among the MX that were not looked up": Situation(
        f"good.test MX 5 m.test.\nm.test A {V4}\n7.2.0.192.in-addr.arpa PTR m.test.\n"
        + "\n".join(f"good.test MX 10 m{n:02}.test.\nm{n:02}.test A {V4}" for n in range(60)),
        ["not_tested info not-tested"],
    ),
    # failures
    "the AAAA lookup fails, A is fine": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.\nt.test A {V4}\nt.test AAAA !servfail SERVFAIL",
        ["mx.address_lookup_failed warn fail t.test"],
        says="the server has an address all the same, but senders wait for the AAAA",
        not_says="no address",
    ),
    "AAAA is denied, A is fine": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.",
        ["mx.address_lookup_failed warn fail t.test", "ipv6.none info fail"],
        "accepted",
        "although it has an address",
        (answer("A t.test", f"t.test. 60 IN A {V4}"), answer("AAAA t.test", status="nxdomain")),
    ),
    "SERVFAIL": Situation(
        f"{SERVER}\ngood.test MX !servfail SERVFAIL", ["mx.lookup_failed crit fail"], "deferred", "SERVFAIL"
    ),
    "bogus signatures": Situation(
        SERVER,
        ["mx.lookup_failed crit fail"],
        "deferred",
        "the signatures of the zone are bogus",
        (
            answer("MX good.test", status="servfail", detail="SERVFAIL; EDE 7 (Signature Expired)"),
            answer("MX good.test", "good.test. 60 IN MX 10 mx.host.test.", unvalidated=True),
        ),
    ),
    "all targets fail": Situation(
        "good.test MX 10 a.test.\ngood.test MX 20 b.test.\na.test A !servfail\na.test AAAA !servfail\n"
        "b.test A !servfail\nb.test AAAA !servfail",
        ["mx.lookup_failed crit fail"],
        "deferred",
        "The addresses of no MX target could be looked up: a.test A (SERVFAIL) and b.test A (SERVFAIL).",
    ),
    "one of two targets fails": Situation(
        f"{WELL}\ngood.test MX 20 b.test.\nb.test A !servfail\nb.test AAAA !servfail",
        ["mx.address_lookup_failed warn transient b.test"],
        says="senders try the other MX targets, or retry later",
    ),
    "silence": Situation(
        f"{SERVER}\ngood.test MX !timeout no answer from 192.0.2.53",
        ["mx.lookup_failed warn transient"],
        "deferred",
        "no answer from 192.0.2.53",
    ),
    "another response code": Situation(
        f"{SERVER}\ngood.test MX !error NOTIMP", ["mx.lookup_failed crit fail"], "deferred", "NOTIMP"
    ),
    "the PTR lookup fails": Situation(
        WELL.replace("7.2.0.192.in-addr.arpa PTR mx.host.test.", "7.2.0.192.in-addr.arpa PTR !servfail"),
        ["ptr.lookup_failed info transient 192.0.2.7:25"],
        says="The lookup of 192.0.2.7 (SERVFAIL) failed",
    ),
    "a dangling alias at the domain": Situation(
        "good.test CNAME gone.test.",
        ["mx.none crit fail"],
        "none",
        "alias of gone.test, and that name does not",
    ),
    "MX is denied, an address exists": Situation(
        SERVER,
        ["mx.none crit fail"],
        "none",
        "give an address for it when they are asked for A",
        (
            answer("MX good.test", status="nxdomain"),
            answer("A good.test", f"good.test. 60 IN A {V4}"),
        ),
        not_says="The domain good.test does not exist",
    ),
    "MX is denied by a resolver that has no root": Situation(
        SERVER,
        ["mx.none crit fail"],
        "none",
        "do not say so when they are asked for A",
        (
            answer("MX good.test", status="nxdomain"),
            answer("A good.test", status="nodata"),
            answer("MX .", status="nxdomain"),
            answer("MX com", status="nodata"),
        ),
    ),
    "MX is denied, an IPv6 address exists": Situation(
        SERVER,
        ["mx.none crit fail"],
        "none",
        "and do not say so when they are asked for A",
        (answer("MX good.test", status="nxdomain"), answer("A good.test", status="nodata")),
        not_says="The domain good.test does not exist",
    ),
    "MX is denied at the end of an alias, an address exists there": Situation(
        SERVER,
        ["mx.none crit fail"],
        "none",
        "The name servers say that web.test does not exist when they are asked for MX",
        (
            answer("MX good.test", "good.test. 60 IN CNAME web.test.", status="nxdomain"),
            answer("A good.test", "good.test. 60 IN CNAME web.test.", f"web.test. 60 IN A {V4}"),
        ),
        not_says="that name does not exist",
    ),
    "an alias at the domain": Situation(
        f"{SERVER}\ngood.test CNAME mail.test.\nmail.test MX 10 mx.host.test.",
        ["mx.domain_alias info fail"],
        says="good.test → mail.test",
    ),
    # names
    "an underscore": Situation(
        f"{SERVER}\ngood.test MX 10 m_x.test.\nm_x.test A {V4}\nm_x.test AAAA {V6}",
        ["mx.underscore info fail m_x.test"],
    ),
    "only private addresses": Situation(
        "good.test MX 10 t.test.\nt.test A 10.0.0.1\nt.test AAAA ::",
        ["mx.not_public crit fail t.test"] * 2,
        "refused",
        "This resolver may show an inside view, for hosts of a network only: repeat the check with another "
        "one",
    ),
    "one family is blocked": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.\nt.test A 0.0.0.0\nt.test AAAA {V6}",
        ["mx.not_public crit fail t.test"],
        says="This resolver may show an inside view",
    ),
    "a null MX at the end of an alias": Situation(
        "good.test CNAME none.test.\nnone.test MX 0 .",
        ["null_mx info pass"],
        "none",
        "The domain is an alias of none.test, which publishes a null MX",
    ),
    "a private address beside a public one": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.\nt.test A 10.0.0.1\nt.test A {V4}\nt.test AAAA {V6}",
        ["mx.not_public crit fail t.test"],
        not_says="inside view",
    ),
}
