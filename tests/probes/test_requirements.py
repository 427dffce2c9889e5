"""Only what the chosen rules read is asked for, and these rules find what they find among all others."""

from dataclasses import replace
from functools import cache, partial
from itertools import combinations
from pathlib import Path

import anyio
import pytest

from checker_smtp.backends.recording.case import read_case
from checker_smtp.backends.recording.replay_backend import Replay
from checker_smtp.probes.check import check
from checker_smtp.probes.observation import Observation
from checker_smtp.probes.options import Options
from checker_smtp.probes.ports import Resolver, Runner
from checker_smtp.probes.requirements import NOT_HELD, Requirements
from checker_smtp.probes.result import evaluate
from checker_smtp.probes.rules import RULES, Finding, apply_rules, status_of
from checker_smtp.report.document import dump, load
from checker_smtp.testing import FakeResolver, RecordedServer, RuleServer
from tests.probes.world import options

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOT_ASKING = ("smtp.null_mx", "smtp.mx_present", "smtp.mx_sanity", "smtp.reverse_dns")
PAIRED = ("smtp.null_sender", "smtp.postmaster", "smtp.open_relay")
SOME = [
    frozenset(rules)
    for rules in (
        (),
        NOT_ASKING,
        ("smtp.mx_present", "smtp.endpoint_reachable"),
        ("smtp.banner_sanity", "smtp.reverse_dns"),
        ("smtp.starttls_offered", "smtp.auth_posture", "smtp.ehlo_supported"),
        ("smtp.starttls_handshake", "smtp.tls_quality", "smtp.ipv6_reachable"),
        set(RULES) - set(PAIRED) - {"smtp.extension_posture"},
        set(RULES),
    )
]
ALONE = [frozenset({rule}) for rule in RULES]
# The recorded servers whose answers depend on nothing but the question.
RECORDED = [
    "dns-implicit-mx",
    "dns-ipv6-only",
    "dns-lame-delegation",
    "dns-mx-alias",
    "dns-mx-not-public",
    "dns-mx-with-different-faults",
    "dns-no-such-domain",
    "dns-nothing-listens",
    "dns-null-mx",
    "dns-null-mx-beside-mx",
    "dns-one-dead-address-of-two",
    "dns-ptr-leads-elsewhere",
    "dns-ptr-missing",
    "exim-auth-in-clear",
    "exim-healthy",
    "exim-open-relay",
    "exim-refuses-ehlo-and-helo",
    "odd-closes-at-starttls",
    "odd-eight-bit-text",
    "odd-silent",
    "odd-starttls-454",
    "postfix-auth-in-clear",
    "postfix-dual-stack",
    "postfix-greeting-421",
    "postfix-greeting-554",
    "postfix-greylisting",
    "postfix-healthy",
    "postfix-helo-only",
    "postfix-no-postmaster",
    "postfix-no-starttls",
    "postfix-null-sender-refused-at-rcpt",
    "postfix-open-relay",
    "postfix-tls-required",
    "smtp-sink-takes-everything",
]
ZONE = """
    example.test      MX    10 mx.example.test.
    example.test      MX    20 alias.example.test.
    mx.example.test   A     192.0.2.7
    mx.example.test   AAAA  2001:db8::7
    alias.example.test CNAME mx2.example.test.
    mx2.example.test  A     192.0.2.8
    7.2.0.192.in-addr.arpa PTR mx.example.test.
"""
HOSTS = [
    RuleServer(),
    RuleServer(starttls=False, pipelining=False),
    RuleServer(relays=True),
    RuleServer(rcpt_replies={"postmaster@example.test": "550 5.1.1 no such user"}),
    RuleServer(mail_replies={"": "550 5.7.1 no bounces"}),
    RuleServer(rcpt_replies={"postmaster@example.test": "450 4.2.0 later"}),
    *(
        RuleServer(fault=fault)
        for fault in ("refused", "timeout", "silent", "421", "554", "ehlo-dropped", "ehlo-refused")
    ),
    *(
        RuleServer(fault=fault)
        for fault in ("sni", "handshake", "injection", "starttls-454", "tls-ehlo", "group")
    ),
]


def observed(
    given: Options, resolver: Resolver, runner: Runner, rules: frozenset[str] | None = None, seed: int = 1
) -> Observation:
    return anyio.run(partial(check, given, resolver, runner, run_at="", seed=seed, rules=rules))


def of(rules: frozenset[str], found: tuple[Finding, ...]) -> list[Finding]:
    """Return the findings of these rules."""
    return [finding for finding in found if finding.rule in rules]


def unnumbered(finding: Finding) -> Finding:
    """Return the finding without the numbers of lines."""
    return replace(finding, evidence=tuple(replace(item, entry=None) for item in finding.evidence))


def same(rules: frozenset[str], some: Observation, whole: Observation) -> None:
    """Assert that the rules find the same, in the same words and with the same evidence."""
    assert some.rules == tuple(sorted(rules))
    mine, theirs = list(apply_rules(some)), of(rules, apply_rules(whole))
    if "smtp.extension_posture" in rules and not rules >= set(PAIRED):
        # fewer questions, fewer replies in which something may be odd
        assert [(f.code, f.subject) for f in mine] == [(f.code, f.subject) for f in theirs]
    elif rules & set(PAIRED):
        # fewer lines before the one that decides
        assert list(map(unnumbered, mine)) == list(map(unnumbered, theirs))
    else:
        assert mine == theirs
    assert load(dump(evaluate(some))).observation == some


@cache
def by_host(number: int) -> Observation:
    return observed(options("example.test"), FakeResolver(ZONE), HOSTS[number])


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(HOSTS)))
def test_each_rule_alone_finds_what_it_finds_among_the_others(number: int) -> None:
    for rules in (*ALONE, *SOME):
        some = observed(options("example.test"), FakeResolver(ZONE), HOSTS[number], rules)
        same(rules, some, by_host(number))


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
def test_each_rule_alone_finds_what_it_found_in_a_record(name: str) -> None:
    case = read_case(FIXTURES / name)
    replay = Replay(case)
    recorded = observed(case.options, replay, replay, None, case.seed)
    whole = observed(case.options, Replay(case), RecordedServer(recorded), None, case.seed)
    assert sorted((f.code, f.subject) for f in apply_rules(whole)) == list(case.expected)
    for rules in (*ALONE, *SOME):
        same(rules, observed(case.options, Replay(case), RecordedServer(recorded), rules, case.seed), whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(HOSTS)))
@pytest.mark.parametrize("kept", [*combinations(PAIRED, 1), *combinations(PAIRED, 2)])
def test_a_question_is_left_out_with_its_rule_as_it_is_with_its_option(
    kept: tuple[str, ...], number: int
) -> None:
    """Verdicts rest on pairs, so a question that nobody wants answered is no control either."""
    rules = frozenset(RULES) - frozenset(PAIRED) | frozenset(kept)
    off = {f"test_{rule[5:]}": rule in kept for rule in PAIRED}
    some = observed(options("example.test"), FakeResolver(ZONE), HOSTS[number], rules)
    whole = observed(options("example.test", **off), FakeResolver(ZONE), HOSTS[number])
    assert (some.endpoints, some.settings) == (whole.endpoints, whole.settings)
    assert list(apply_rules(some)) == of(rules, apply_rules(whole))


@pytest.mark.parametrize(
    ("rules", "lines", "reverse"),
    [
        ({"smtp.null_mx", "smtp.mx_present", "smtp.mx_sanity"}, None, False),
        ({"smtp.reverse_dns"}, None, True),
        (set(NOT_ASKING), None, True),
        ({"smtp.endpoint_reachable"}, ["EHLO probe.test", "QUIT"], False),
        ({"smtp.banner_sanity", "smtp.reverse_dns"}, ["EHLO probe.test", "QUIT"], True),
        ({"smtp.starttls_offered", "smtp.auth_posture"}, ["EHLO probe.test", "QUIT"], False),
        ({"smtp.starttls_handshake"}, ["EHLO probe.test", "STARTTLS", "EHLO probe.test", "QUIT"], False),
        ({"smtp.tls_quality"}, ["EHLO probe.test", "STARTTLS", "EHLO probe.test", "QUIT"], False),
        ({"smtp.extension_posture"}, ["EHLO probe.test", "STARTTLS", "EHLO probe.test", "QUIT"], False),
    ],
)
def test_what_nobody_looks_at_is_not_asked(rules: set[str], lines: list[str] | None, reverse: bool) -> None:
    host, names = RuleServer(), FakeResolver(ZONE)
    seen = observed(options("example.test"), names, host, frozenset(rules))
    assert host.received == [lines] * (3 if lines else 0)
    assert any(rdtype == "PTR" for _, rdtype in names.asked) is reverse
    for endpoint in seen.endpoints:
        assert (endpoint.reverse is not None) is reverse
        assert (endpoint.sessions == (NOT_HELD,)) is (lines is None)


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("smtp.null_sender", ["", "postmaster@probe.test"]),
        ("smtp.postmaster", ["postmaster@probe.test"]),
        ("smtp.open_relay", ["postmaster@probe.test"]),
    ],
)
def test_only_the_questions_of_the_rule_are_asked(rule: str, asked: list[str]) -> None:
    host = RuleServer()
    observed(options("example.test", ipv6=False), FakeResolver(ZONE), host, frozenset({rule}))
    for said in host.received:
        assert [line for line in said if line.startswith("MAIL")] == [f"MAIL FROM:<{path}>" for path in asked]
        recipients = {line for line in said if line.startswith("RCPT")}
        relay = rule == "smtp.open_relay"
        assert recipients == {f"RCPT TO:<postmaster@example.{'com' if relay else 'test'}>"}


def test_an_option_that_is_off_stays_off() -> None:
    given = Requirements.of(frozenset(RULES)).restrict(options(test_open_relay=False))
    assert (given.test_open_relay, given.test_postmaster, given.test_null_sender) == (False, True, True)
    everything = options()
    assert Requirements.of(None).restrict(everything) is everything


@pytest.mark.parametrize(
    ("zone", "rules", "status"),
    [
        (ZONE, {"smtp.null_mx"}, "ok"),
        (ZONE, set(), "ok"),
        (ZONE, {"smtp.mx_sanity"}, "critical"),
        (ZONE, {"smtp.reverse_dns"}, "warning"),
        ("example.test MX 0 .", {"smtp.null_mx"}, "info"),
        ("example.test MX 0 .", {"smtp.mx_present"}, "ok"),
        ("example.test MX 10 mx.example.test.", {"smtp.reverse_dns"}, "ok"),
    ],
)
def test_who_was_not_to_be_visited_is_not_unknown(zone: str, rules: set[str], status: str) -> None:
    seen = observed(
        options("example.test"), FakeResolver(zone), RuleServer(fault="refused"), frozenset(rules)
    )
    assert status_of(seen, apply_rules(seen)) == status


def test_who_was_to_be_visited_and_did_not_answer_is_unknown() -> None:
    rules = frozenset({"smtp.banner_sanity", "smtp.null_mx"})
    seen = observed(options("example.test"), FakeResolver(ZONE), RuleServer(fault="timeout"), rules)
    assert (apply_rules(seen), status_of(seen, apply_rules(seen))) == ((), "unknown")


def test_an_observation_is_judged_by_the_rules_it_was_made_for() -> None:
    seen = observed(
        options("example.test"), FakeResolver(ZONE), RuleServer(relays=True), frozenset({"smtp.open_relay"})
    )
    assert {finding.rule for finding in apply_rules(seen)} == {"smtp.open_relay"}
    assert (
        apply_rules(
            observed(options("example.test"), FakeResolver("example.test MX 0 ."), RuleServer(), frozenset())
        )
        == ()
    )
