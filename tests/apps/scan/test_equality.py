"""A scan reports for every domain the same as a check of it alone, field by field."""

import re
from itertools import cycle, product

import pytest

from checker_smtp.api import RunContext, check
from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump, load
from checker_smtp.testing import FAULTS, FakeResolver, RuleServer
from tests.apps.scan.comparing import comparable
from tests.apps.scan.fake_internet import FakeInternet, scanned, settings, zone
from tests.probes.sessions import answers
from tests.probes.world import options

pytestmark = pytest.mark.anyio

SEED = 7
NAMES = ("alfa", "bravo", "charlie", "delta", "echo")
# bravo has no postmaster, delta's is greylisted
MIXED = {"postmaster@bravo.test": "550 5.1.1 no such user", "postmaster@delta.test": "450 4.2.0 greylisted"}
OPEN = {f"postmaster@example.{tld}": "250 2.1.5 ok" for tld in ("com", "net", "org")}
# some faults look different in a shared session, which sends its commands in other writes
UNLIKE = ("group", "slow-group", "rset", "refusal-closes")
HOSTS = {"mx.host.test": "192.0.2.7", "mx.own.test": "192.0.2.7"}
SHAPES = """
    null.test        MX  0 .
    cname.test       MX  10 alias.test.
    alias.test       CNAME mx.host.test.
    unres.test       MX  10 nowhere.test.
    implicit.test    A   192.0.2.7
    literal.test     MX  10 192.0.2.7.
    private.test     MX  10 mx.private.test.
    mx.private.test  A   10.0.0.1
    fail.test        MX  !servfail out of order
    nomail.test      TXT nothing
    two.test         MX  10 mx.host.test.
    two.test         MX  20 mx.other.test.
    six.test         MX  10 six.host.test.
    six.host.test    AAAA 2001:db8::7
    noptr.test       MX  10 noptr.host.test.
    noptr.host.test  A   192.0.2.9
    """
SHAPED = sorted(
    {line.split()[0] for line in SHAPES.splitlines() if " MX " in line} | {"implicit.test", "nx.test"}
)


async def compare(
    monkeypatch: pytest.MonkeyPatch,
    records: str,
    hosts: dict[str, RuleServer],
    names: list[str],
    **given: object,
) -> dict[str, Result]:
    monkeypatch.setattr("checker_smtp.scan.scan.randbits", lambda _: SEED)
    internet = FakeInternet(FakeResolver(records), dict(hosts))
    found = await scanned(internet, names, settings(given=given))
    results: dict[str, Result] = {}
    for name in names:
        alone = FakeInternet(FakeResolver(records), dict(hosts))
        result = await check(options(name, **given), alone, context=RunContext(seed=SEED))
        results[name] = load(dump(result))
        assert comparable(found.of(name)) == comparable(results[name])
    return results


FAULTY = product([fault for fault in FAULTS if fault not in UNLIKE], [True, False])


@pytest.mark.slow
# how a scan uses the loop does not depend on the fault, so each is met on one of them, in turn
@pytest.mark.parametrize(
    ("fault", "pipelining", "loop"),
    [
        (*fault, loop)
        for fault, loop in zip(FAULTY, cycle(["asyncio", "trio", "trio", "asyncio"]), strict=False)
    ],
)
async def test_a_server_with_a_fault(
    monkeypatch: pytest.MonkeyPatch, fault: str, pipelining: bool, loop: str
) -> None:
    # as many as share a session with a server that refuses the null sender
    names = ["alfa.test", "bravo.test", "delta.test"]
    records = zone(dict.fromkeys(names, "mx.host.test"), {"mx.host.test": "192.0.2.7"})
    host = RuleServer(
        fault=fault, pipelining=pipelining, rcpt_replies=MIXED, mail_replies={"": "550 5.7.1 no"}
    )
    await compare(monkeypatch, records, {"192.0.2.7": host}, names)


async def test_an_open_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{name}.test" for name in NAMES]
    records = zone(dict.fromkeys(names, "mx.host.test"), {"mx.host.test": "192.0.2.7"})
    results = await compare(
        monkeypatch, records, {"192.0.2.7": RuleServer(rcpt_replies=MIXED | OPEN, relays=True)}, names
    )
    for result in results.values():
        assert "smtp.open_relay" in {finding.code for finding in result.findings}


@pytest.mark.slow
@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("welcome", [True, False])
@pytest.mark.parametrize("refusal", ["550 no", "554 5.7.1 rejected by policy"])
async def test_refusals_for_no_clear_reason(
    monkeypatch: pytest.MonkeyPatch, refusal: str, welcome: bool, pipelining: bool
) -> None:
    """The control is the same, made once; the domain of the MX host itself has none."""
    names = ["alfa.test", "bravo.test", "host.test", "own.test"]
    records = zone(dict.fromkeys(names, "mx.host.test") | {"own.test": "mx.own.test"}, HOSTS)
    refused = {f"postmaster@{name}": refusal for name in names if name != "host.test" or not welcome}
    host = RuleServer(rcpt_replies=refused, pipelining=pipelining)
    results = await compare(monkeypatch, records, {"192.0.2.7": host}, names)
    controls = {name: _purposes(result).count("served-control") for name, result in results.items()}
    assert controls == dict.fromkeys(names, 1) | {"host.test": 0, "own.test": 0}
    assert host.count("RCPT TO:<postmaster@host.test>") == (1 + 2) + (2 + 2)  # in the scan, and alone


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("fault", ["rset", "refusal-closes"])
async def test_a_server_that_leaves_questions_open(
    monkeypatch: pytest.MonkeyPatch, fault: str, pipelining: bool
) -> None:
    """How many connections it takes depends on how many domains share them; the verdicts do not."""
    monkeypatch.setattr("checker_smtp.scan.scan.randbits", lambda _: SEED)
    names = [f"{name}.test" for name in NAMES]
    records = zone(dict.fromkeys(names, "mx.host.test"), {"mx.host.test": "192.0.2.7"})
    hosts = {"192.0.2.7": RuleServer(fault=fault, pipelining=pipelining, rcpt_replies=MIXED)}
    found = await scanned(FakeInternet(FakeResolver(records), dict(hosts)), names, settings())
    for name in names:
        alone = await check(
            options(name), FakeInternet(FakeResolver(records), dict(hosts)), context=RunContext(seed=SEED)
        )
        of_scan = found.of(name)
        assert _verdicts(of_scan) == _verdicts(alone)
        assert answers(of_scan.observation.endpoints[0].sessions) == answers(
            alone.observation.endpoints[0].sessions
        )
        assert of_scan.status == alone.status
        assert _purposes(of_scan).count("continued") <= 2


def _purposes(result: Result) -> list[str]:
    return [session.purpose for session in result.observation.endpoints[0].sessions]


def _verdicts(result: Result) -> list[tuple[str, ...]]:
    # the number of deviations is that of all commands sent
    return [
        (f.code, f.severity, f.outcome, f.subject, re.sub(r"\d+ times, first in", "in", f.message))
        for f in result.findings
    ]


@pytest.mark.parametrize("relays", [True, False])
async def test_the_domain_of_the_relay_probe_gets_another_probe(relays: bool) -> None:
    """It shares the session, so the probe for the others is in its transcript too, but counts for nothing."""
    names = ["a.test", "example.com", "b.test"]
    records = zone(dict.fromkeys(names, "mx.host.test"), {"mx.host.test": "192.0.2.7"})
    host = RuleServer(rcpt_replies={"postmaster@example.com": "250 2.1.5 ok"}, relays=relays)
    found = await scanned(FakeInternet(FakeResolver(records), {"192.0.2.7": host}), names)
    alone = await check(options("example.com"), FakeInternet(FakeResolver(records), {"192.0.2.7": host}))
    assert ("smtp.open_relay" in found.codes("example.com")) is relays
    assert found.codes("example.com") == {finding.code for finding in alone.findings}
    sessions = [found.sessions("example.com"), alone.observation.endpoints[0].sessions]
    asked = [[(t.purpose, t.recipient) for s in held for t in s.transactions] for held in sessions]
    assert asked[0][:3] == asked[1][:3]
    assert ("relay", "postmaster@example.net") in asked[0]


@pytest.mark.parametrize(
    "given", [{}, {"test_open_relay": False}, {"ipv6": False}, {"test_null_sender": False}]
)
async def test_every_shape_of_dns(monkeypatch: pytest.MonkeyPatch, given: dict[str, object]) -> None:
    addresses = {"mx.host.test": "192.0.2.7", "mx.other.test": "192.0.2.8"}
    hosts = {
        "192.0.2.7": RuleServer(),
        "192.0.2.8": RuleServer(starttls=False),
        "192.0.2.9": RuleServer(),
        "2001:db8::7": RuleServer(),
    }
    results = await compare(monkeypatch, zone({}, addresses) + SHAPES, hosts, SHAPED, **given)
    assert len({tuple(f.code for f in result.findings) for result in results.values()}) > 8
