"""The words people build on: names, severities and texts of rules and codes, fixed here letter by letter."""

import re

import pytest

from checker_smtp.probes.rules import CODES, RULES, Severity

# DESIGN §5; the eight that the original checker has, whose names and levels people's alerts depend on
ORIGINAL = {
    "smtp.mx.cname": "crit",
    "smtp.all_no_starttls": "crit",
    "smtp.auth.plaintext": "crit",
    "smtp.ptr.missing": "warn",
    "smtp.fcrdns.mismatch": "warn",
    "smtp.null_sender.rejected": "crit",
    "smtp.postmaster.rejected": "crit",
    "smtp.open_relay": "crit",
}
SEVERITIES = ORIGINAL | {
    "smtp.null_mx": "info",
    "smtp.null_mx.mixed": "warn",
    "smtp.mx.none": "crit",
    "smtp.mx.lookup_failed": "crit",
    "smtp.mx.implicit": "warn",
    "smtp.mx.ip_literal": "crit",
    "smtp.mx.unresolved": "crit",
    "smtp.mx.not_public": "crit",
    "smtp.mx.address_lookup_failed": "warn",
    "smtp.mx.domain_alias": "info",
    "smtp.mx.alias_beside": "info",
    "smtp.mx.underscore": "info",
    "smtp.mx.translated": "info",
    "smtp.ptr.lookup_failed": "info",
    "smtp.tcp.unreachable": "warn",
    "smtp.all_unreachable": "crit",
    "smtp.banner.missing": "crit",
    "smtp.banner.refused": "crit",
    "smtp.banner.deferred": "warn",
    "smtp.banner.slow": "info",
    "smtp.ehlo.failed": "crit",
    "smtp.ehlo.fallback": "warn",
    "smtp.protocol.desync": "crit",
    "smtp.protocol.rset": "info",
    "smtp.auth.required": "crit",
    "smtp.starttls.missing": "warn",
    "smtp.starttls.required": "warn",
    "smtp.starttls.failed": "crit",
    "smtp.starttls.deferred": "warn",
    "smtp.starttls.injection": "crit",
    "smtp.null_sender.deferred": "warn",
    "smtp.postmaster.deferred": "warn",
    "smtp.open_relay.suspected": "warn",
    "smtp.ext.pipelining": "info",
    "smtp.ext.8bitmime": "info",
    "smtp.ext.size": "warn",
    "smtp.ext.incomplete": "warn",
    "smtp.protocol.deviation": "info",
    "smtp.ipv6.none": "info",
    "smtp.ipv4.none": "warn",
    "smtp.refused_us": "info",
    "smtp.not_tested": "info",
    "smtp.tls.weak_tls_version": "warn",
}
# the sixteen of the host, in the order of reports, with the codes each may use
SHARED = {"smtp.refused_us", "smtp.not_tested"}
RULES_AND_CODES = {
    "smtp.null_mx": ("info", {"smtp.null_mx", "smtp.null_mx.mixed"}),
    "smtp.mx_present": (
        "crit",
        {
            "smtp.mx.none",
            "smtp.mx.lookup_failed",
            "smtp.mx.implicit",
            "smtp.mx.domain_alias",
            "smtp.mx.alias_beside",
            "smtp.not_tested",
        },
    ),
    "smtp.mx_sanity": (
        "crit",
        {
            "smtp.mx.ip_literal",
            "smtp.mx.cname",
            "smtp.mx.unresolved",
            "smtp.mx.not_public",
            "smtp.mx.address_lookup_failed",
            "smtp.mx.underscore",
            "smtp.mx.translated",
            "smtp.mx.alias_beside",
            "smtp.not_tested",
        },
    ),
    "smtp.endpoint_reachable": (
        "crit",
        {"smtp.tcp.unreachable", "smtp.all_unreachable", "smtp.not_tested"},
    ),
    "smtp.banner_sanity": (
        "crit",
        {"smtp.banner.missing", "smtp.banner.refused", "smtp.banner.deferred", "smtp.banner.slow"} | SHARED,
    ),
    "smtp.ehlo_supported": (
        "crit",
        {"smtp.ehlo.failed", "smtp.ehlo.fallback", "smtp.protocol.desync"} | SHARED,
    ),
    "smtp.starttls_offered": (
        "crit",
        {"smtp.all_no_starttls", "smtp.starttls.missing", "smtp.starttls.required"},
    ),
    "smtp.starttls_handshake": (
        "crit",
        {
            "smtp.starttls.failed",
            "smtp.starttls.deferred",
            "smtp.starttls.injection",
            "smtp.refused_us",
            "smtp.not_tested",
        },
    ),
    "smtp.auth_posture": ("crit", {"smtp.auth.plaintext"}),
    "smtp.reverse_dns": (
        "warn",
        {"smtp.ptr.missing", "smtp.fcrdns.mismatch", "smtp.ptr.lookup_failed", "smtp.not_tested"},
    ),
    "smtp.null_sender": ("crit", {"smtp.null_sender.rejected", "smtp.null_sender.deferred"} | SHARED),
    "smtp.postmaster": (
        "crit",
        {"smtp.postmaster.rejected", "smtp.postmaster.deferred", "smtp.auth.required"} | SHARED,
    ),
    "smtp.open_relay": ("crit", {"smtp.open_relay", "smtp.open_relay.suspected"} | SHARED),
    "smtp.extension_posture": (
        "warn",
        {
            "smtp.ext.pipelining",
            "smtp.ext.8bitmime",
            "smtp.ext.size",
            "smtp.ext.incomplete",
            "smtp.protocol.deviation",
            "smtp.protocol.rset",
        },
    ),
    "smtp.ipv6_reachable": ("info", {"smtp.ipv6.none", "smtp.ipv4.none"}),
    "smtp.tls_quality": ("crit", {"smtp.tls.weak_tls_version"}),
}


def test_the_codes_and_their_severities() -> None:
    assert {name: str(code.severity) for name, code in CODES.items()} == SEVERITIES


def test_the_eight_of_the_original() -> None:
    assert len(ORIGINAL) == 8
    assert {name: str(CODES[name].severity) for name in ORIGINAL} == ORIGINAL


def test_the_rules_their_order_and_their_codes() -> None:
    assert list(RULES) == list(RULES_AND_CODES)
    assert {
        name: (str(rule.severity), {code.code for code in rule.codes}) for name, rule in RULES.items()
    } == RULES_AND_CODES


def test_no_rule_is_graded_below_what_happydomain_documents() -> None:
    """A rule's own level is that of its gravest code, but where it only folds in what others found."""
    gravest = {name: max(code.severity.rank for code in rule.codes) for name, rule in RULES.items()}
    off = {name for name, rule in RULES.items() if rule.severity.rank != gravest[name]}
    assert off == {"smtp.null_mx", "smtp.ipv6_reachable", "smtp.tls_quality"}


def test_severities_are_ordered() -> None:
    assert sorted(Severity, key=lambda severity: severity.rank) == ["info", "warn", "crit"]


@pytest.mark.parametrize("name", SEVERITIES)
def test_a_code_says_what_it_means_why_it_matters_how_to_fix_it_and_where_it_is_written(name: str) -> None:
    code = CODES[name]
    assert (code.code, code.title[-1] != ".") == (name, True)
    for text in (code.why, code.fix):
        assert text.endswith("."), text
        assert text.isprintable()
    assert code.title.isprintable()
    assert re.fullmatch(r"(RFC \d{4,5}( (§\d+(\.\d+)*|App\. \w)(, §\d+(\.\d+)*)*)?([,;] )?)+", code.reference)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_it_checks(name: str) -> None:
    assert re.fullmatch(r"Checks\b.*\.", RULES[name].description)
    assert RULES[name].name == name
