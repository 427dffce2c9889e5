"""Rules about the zone of a domain: null MX, no MX, and faults of MX targets. The facts are from zones."""

import anyio
import pytest

from checker_smtp.probes.dns import LookupCache, resolve_mx
from checker_smtp.probes.observation import Observation
from checker_smtp.probes.rules import RULES, Finding, apply_rules, status_of
from checker_smtp.testing import FakeResolver
from tests.probes.observations import finding_lines, observation, only
from tests.probes.world import options

ADDRESSES = "mx.example.org A 192.0.2.7\nmx.example.org AAAA 2001:db8::7"
ALTHOUGH = "although the resolver answers for other names"
NULL_HINT = "If no mail is wanted, the null MX is `MX 0 .`, with the dot alone."
WELL = f"example.org MX 10 mx.example.org.\n{ADDRESSES}"


def published(zone: str, **given: object) -> Observation:
    """Return the observation of a zone, without any session."""

    async def look() -> Observation:
        lookups = LookupCache(FakeResolver(zone)).view()
        mx = await resolve_mx(lookups, options(**given))  # type: ignore[arg-type]
        return observation(mx=mx, dns=lookups.answers)

    return anyio.run(look)


def finding(zone: str, code: str) -> Finding:
    (found,) = (f for f in apply_rules(published(zone)) if f.code == code)
    return found


@pytest.mark.parametrize(
    ("zone", "verdicts"),
    [
        (WELL, []),
        # null MX: that one finding and nothing else
        ("example.org MX 0 .", ["null_mx info pass"]),
        ("example.org MX 10 .", ["null_mx.mixed warn fail"]),
        ("example.org MX 0 .\nexample.org MX 5 .", ["null_mx.mixed warn fail"]),
        (f"{WELL}\nexample.org MX 0 .", ["null_mx.mixed warn fail"]),
        ("example.org MX 0 0.", ["mx.ip_literal crit fail 0"]),
        # no MX
        ("", ["mx.none crit fail"]),
        ("example.org TXT x", ["mx.none crit fail"]),
        ("example.org A 192.0.2.7\nexample.org AAAA 2001:db8::7", ["mx.implicit warn fail"]),
        ("example.org A 192.0.2.7", ["mx.implicit warn fail", "ipv6.none info fail"]),
        ("example.org AAAA 2001:db8::7", ["mx.implicit warn fail", "ipv4.none warn fail"]),
        (
            "example.org A 192.0.2.7\nexample.org AAAA !servfail",
            ["mx.implicit warn fail", "mx.address_lookup_failed warn fail example.org"],
        ),
        (
            "example.org A 10.0.0.1\nexample.org AAAA 2001:db8::7",
            ["mx.not_public crit fail example.org", "mx.implicit warn fail"],
        ),
        (
            "example.org CNAME web.test.\nweb.test A 192.0.2.7\nweb.test AAAA 2001:db8::7",
            ["mx.implicit warn fail", "mx.domain_alias info fail"],
        ),
        ("example.org TXT x\nexample.org A !servfail", ["mx.lookup_failed crit fail"]),
        ("example.org TXT x\nexample.org AAAA !timeout", ["mx.lookup_failed warn transient"]),
        ("example.org MX !servfail\nexample.org A 192.0.2.7", ["mx.lookup_failed crit fail"]),
        ("example.org MX !timeout", ["mx.lookup_failed warn transient"]),
        ("example.org MX !refused", ["mx.lookup_failed crit fail"]),
        ("example.org MX !error", ["mx.lookup_failed crit fail"]),
        # IP literals
        (f"{WELL}\nexample.org MX 20 192.0.2.1.", ["mx.ip_literal crit fail 192.0.2.1"]),
        (f"{WELL}\nexample.org MX 20 2001:db8::1.", ["mx.ip_literal crit fail 2001:db8::1"]),
        (f"{WELL}\nexample.org MX 20 192.0.2.1.test.", ["mx.unresolved crit fail 192.0.2.1.test"]),
        # aliases
        (
            "example.org MX 10 a.test.\na.test CNAME mx.example.org.\n" + ADDRESSES,
            ["mx.cname crit fail a.test"],
        ),
        ("example.org MX 10 a.test.\na.test CNAME gone.test.", ["mx.cname crit fail a.test"]),
        ("example.org MX 10 a.test.\na.test CNAME a.test.", ["mx.cname crit fail a.test"]),
        (
            "example.org MX 10 a.test.\na.test CNAME b.test.\nb.test A 10.0.0.1\nb.test AAAA 2001:db8::7",
            ["mx.cname crit fail a.test", "mx.not_public crit fail a.test"],
        ),
        # no address
        (f"{WELL}\nexample.org MX 20 gone.test.", ["mx.unresolved crit fail gone.test"]),
        (f"{WELL}\nexample.org MX 20 b.test.\nb.test TXT x", ["mx.unresolved crit fail b.test"]),
        (
            f"{WELL}\nexample.org MX 20 b.test.\nb.test A !servfail",
            ["mx.address_lookup_failed warn transient b.test"],
        ),
        (
            f"{WELL}\nexample.org MX 20 b.test.\nb.test A 192.0.2.8\nb.test AAAA !timeout",
            ["mx.address_lookup_failed warn transient b.test"],
        ),
        (
            "example.org MX 10 b.test.\nb.test A 192.0.2.8\nb.test AAAA !timeout",
            ["mx.address_lookup_failed warn transient b.test"],
        ),
        (
            "example.org MX 10 b.test.\nb.test AAAA 2001:db8::7\nb.test A !timeout",
            ["mx.address_lookup_failed warn transient b.test"],
        ),
        # not public
        (
            f"{WELL}\nmx.example.org A 10.0.0.1\nmx.example.org AAAA fe80::1",
            ["mx.not_public crit fail mx.example.org"] * 2,
        ),
        (
            "example.org MX 10 lo.test.\nlo.test A 127.0.0.1\nlo.test AAAA ::1",
            ["mx.not_public crit fail lo.test"] * 2,
        ),
        # the same target twice is one fault
        (
            f"{WELL}\nexample.org MX 20 gone.test.\nexample.org MX 30 gone.test.",
            ["mx.unresolved crit fail gone.test"],
        ),
        # in the order of the MX set
        (
            "example.org MX 30 c.\nexample.org MX 20 a.\nexample.org MX 10 b.",
            ["mx.unresolved crit fail b", "mx.unresolved crit fail a", "mx.unresolved crit fail c"],
        ),
    ],
)
def test_what_is_published_and_the_verdict(zone: str, verdicts: list[str]) -> None:
    assert finding_lines(published(zone)) == verdicts


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("example.org MX 0 .", "The domain publishes a null MX: it receives no mail."),
        (
            "example.org MX 10 .\nexample.org MX 20 .",
            "The null MX has the preference 10, 20; only 0 is valid, in one record.",
        ),
        ("", "The domain example.org does not exist (NXDOMAIN)."),
        ("example.org TXT x", "The domain has neither an MX record nor an address."),
        (
            "example.org MX !servfail",
            f"The MX lookup failed (SERVFAIL), {ALTHOUGH}.",
        ),
        (
            "example.org MX !error",
            f"The MX lookup failed (ERROR), {ALTHOUGH}.",
        ),
        (
            "example.org MX !timeout",
            f"The MX lookup failed (no answer in time), {ALTHOUGH}.",
        ),
        (
            "example.org TXT x\nexample.org A !servfail",
            f"There is no MX record, and the A lookup failed (SERVFAIL), {ALTHOUGH}.",
        ),
    ],
)
def test_the_message_says_what_was_met(zone: str, message: str) -> None:
    assert only(published(zone)).message == message


@pytest.mark.parametrize(
    ("zone", "code", "message"),
    [
        (
            "example.org MX 0 0.",
            "smtp.mx.ip_literal",
            f"The MX target 0 spells the IP address 0.0.0.0; it was not contacted. {NULL_HINT}",
        ),
        (
            "example.org MX 0 192.513.",
            "smtp.mx.ip_literal",
            "The MX target 192.513 spells the IP address 192.0.2.1; it was not contacted.",
        ),
        (
            "example.org MX 10 a.test.\na.test CNAME b.test.\nb.test CNAME mx.example.org.\n" + ADDRESSES,
            "smtp.mx.cname",
            "The MX target is an alias: a.test → b.test → mx.example.org.",
        ),
        (
            "example.org MX 10 a.test.\na.test CNAME b.test.\nb.test CNAME a.test.",
            "smtp.mx.cname",
            "The MX target is an alias that leads back to itself: a.test → b.test → a.test.",
        ),
        (
            "example.org MX 10 a.test.\na.test CNAME gone.test.",
            "smtp.mx.cname",
            "The MX target is an alias of a name that has no address: a.test → gone.test.",
        ),
        ("example.org MX 10 a.test.", "smtp.mx.unresolved", "The MX target a.test does not exist."),
        (
            "example.org MX 10 a.test.\na.test TXT x",
            "smtp.mx.unresolved",
            "The MX target a.test has neither an A nor an AAAA record.",
        ),
        (
            f"{WELL}\nexample.org MX 10 a.test.\na.test A !servfail\na.test AAAA !timeout",
            "smtp.mx.address_lookup_failed",
            (
                "The lookup of a.test failed for A (SERVFAIL) and AAAA (no answer in time): senders try "
                "the other MX targets, or retry later."
            ),
        ),
        (
            "example.org MX 10 a.test.\na.test A 192.168.0.1",
            "smtp.mx.not_public",
            "a.test has the address 192.168.0.1, which is private (RFC 1918); it was not contacted.",
        ),
    ],
)
def test_the_message_names_the_target(zone: str, code: str, message: str) -> None:
    assert finding(zone, code).message == message


def test_the_evidence_is_the_answer() -> None:
    (evidence,) = only(published("example.org MX 0 .")).evidence
    assert (evidence.source, evidence.where) == ("dns", "MX example.org")
    assert evidence.quote == "example.org. 300 IN MX 0 ."
    found = finding(f"{WELL}\nexample.org MX 20 gone.test.", "smtp.mx.unresolved")
    assert [(e.where, e.quote) for e in found.evidence] == [
        ("A gone.test", "nxdomain"),
        ("AAAA gone.test", "nxdomain"),
    ]
    found = finding("example.org MX !servfail DNSSEC Bogus", "smtp.mx.lookup_failed")
    assert [(e.where, e.quote) for e in found.evidence] == [
        ("MX example.org", "servfail DNSSEC Bogus"),
        ("MX example.org", "servfail DNSSEC Bogus\nasked without DNSSEC validation (CD=1)"),
    ]


def test_a_target_that_is_allowed_is_no_fault() -> None:
    assert (
        finding_lines(
            published(
                "example.org MX 10 a.test.\na.test A 10.0.0.1\na.test AAAA ::1",
                allow_targets=("10.0.0.0/8", "::1/128"),
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("zone", "status"),
    [
        ("example.org MX 0 .", "info"),
        ("example.org MX 10 .", "warning"),
        ("", "critical"),
        ("example.org MX !servfail", "critical"),
        (WELL, "unknown"),
    ],
)
def test_the_status_without_any_server(zone: str, status: str) -> None:
    seen = published(zone)
    assert status_of(seen, apply_rules(seen)) == status


def test_what_of_dns_was_tested() -> None:
    names = ("smtp.null_mx", "smtp.mx_present", "smtp.mx_sanity", "smtp.ipv6_reachable")
    tested = {
        zone: [RULES[name].tested(published(zone)) for name in names]
        for zone in (WELL, "", "example.org MX !servfail")
    }
    assert tested == {
        WELL: [True, True, True, True],
        "": [True, True, False, False],
        "example.org MX !servfail": [False, True, False, False],
    }


def test_records_without_mx_faults_need_no_word() -> None:
    """An observation made by hand: an MX answer in which nothing is left to say."""
    for name in ("smtp.mx_present", "smtp.null_mx", "smtp.mx_sanity"):
        assert RULES[name].findings(published(WELL)) == ()


def test_of_many_private_addresses_the_first_are_reported_and_the_rest_is_counted() -> None:
    zone = "example.org MX 10 mx.example.org.\n" + "\n".join(
        f"mx.example.org A 10.0.{n >> 8}.{n & 255}" for n in range(900)
    )
    found = [f for f in apply_rules(published(zone)) if f.code == "smtp.mx.not_public"]
    assert len(found) == 10
    assert found[-1].message.endswith("it was not contacted. So are 890 more of its addresses.")
    assert "more" not in found[0].message
    # every finding has a copy of the answer
    assert {
        len(item.quote.splitlines()) for f in found for item in f.evidence if item.where.startswith("A ")
    } == {51}
    assert found[0].evidence[0].quote.endswith("850 more records")
