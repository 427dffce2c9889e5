"""A domain has in a scan the evidence that it has in a check, whatever addresses and company it has."""

from dataclasses import dataclass, replace

import pytest

from checker_smtp.api import RunContext, check
from checker_smtp.probes.evidence_budget import CHECK_LIMIT, dns_limit, octets_of, octets_of_answers
from checker_smtp.probes.ports import DnsAnswer
from checker_smtp.probes.result import Result
from checker_smtp.report.document import dump, load
from checker_smtp.testing import FakeResolver, RuleServer
from tests.apps.scan.comparing import comparable
from tests.apps.scan.fake_internet import FakeInternet, Scanned, scanned, settings
from tests.probes.world import options

pytestmark = pytest.mark.anyio

SEED = 7
# 60 KiB: three of them are all that one of 32 addresses may send
LONG = "250-" + "\r\n250-".join(["x" * 480] * 124) + "\r\n250 end"
ADDRESSES = [f"192.0.2.{number}" for number in range(1, 33)]
NAMES = [f"d{number}.test" for number in range(2)]


def world(server: RuleServer) -> FakeInternet:
    """Return domains with one MX host, which has 32 addresses, and one with the first of them alone."""
    records = "\n".join(
        (
            *(f"{name} MX 10 mx.many.test." for name in NAMES),
            *(f"mx.many.test A {address}" for address in ADDRESSES),
            "few.test MX 10 mx.few.test.",
            f"mx.few.test A {ADDRESSES[0]}",
        )
    )
    return FakeInternet(FakeResolver(records), dict.fromkeys(ADDRESSES, server))


def hostile() -> RuleServer:
    return RuleServer(
        pipelining=False,
        rcpt_replies={f"postmaster@{name}": LONG for name in (*NAMES, "few.test")},
        mail_replies={"": LONG},
    )


def octets(result: Result) -> int:
    seen = result.observation
    sessions = (session for endpoint in seen.endpoints for session in endpoint.sessions)
    return octets_of(sessions) + octets_of_answers(seen.dns)


async def alone(name: str) -> Result:
    return load(dump(await check(options(name), world(hostile()), context=RunContext(seed=SEED))))


@pytest.fixture(autouse=True)
def same_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checker_smtp.scan.scan.randbits", lambda _: SEED)


async def test_every_domain_with_many_addresses_has_the_evidence_and_the_answers_of_a_check() -> None:
    found = await scanned(world(hostile()), NAMES)
    for name in NAMES:
        result, expected = found.of(name), await alone(name)
        assert octets(result) <= CHECK_LIMIT
        assert comparable(result) == comparable(expected)
        ends = {s.end.kind for e in expected.observation.endpoints for s in e.sessions if s.end is not None}
        assert ends == {"evidence"}


@pytest.mark.parametrize("names", [["few.test", NAMES[0]], [NAMES[0], "few.test"]])
async def test_a_domain_with_one_address_is_cut_by_no_other(names: list[str]) -> None:
    """It shares its server with those whose sessions end early, before and after it in the list."""
    found = await scanned(world(hostile()), names)
    for name in names:
        assert comparable(found.of(name)) == comparable(await alone(name))
    assert all(session.end is None for session in found.sessions("few.test"))


async def test_honest_domains_with_many_addresses_share_sessions() -> None:
    internet = world(RuleServer())
    await scanned(internet, NAMES)
    assert all(internet.connections(address) <= 2 for address in ADDRESSES)


async def test_a_retry_has_what_the_first_attempt_left() -> None:
    deferred = {f"postmaster@{name}": LONG.replace("250", "450") for name in NAMES}
    given = {"retry_deferred": 1.0}
    server = RuleServer(pipelining=False, rcpt_replies=deferred, mail_replies={"": LONG})
    found: Scanned = await scanned(world(server), NAMES, settings(given=given))
    for name in NAMES:
        assert octets(found.of(name)) <= CHECK_LIMIT


@dataclass
class LongAnswers(FakeInternet):
    """Every address comes with 60 KiB of another record."""

    async def resolve(self, name: str, rdtype: str, *, unvalidated: bool = False) -> DnsAnswer:
        answer = await super().resolve(name, rdtype, unvalidated=unvalidated)
        if rdtype != "A" or not answer.records:
            return answer
        return replace(answer, records=(*answer.records, f"{name} 300 IN TXT {'x' * 60_000}"))


async def test_answers_of_the_dns_stay_within_the_part_of_a_check() -> None:
    """Fifty hosts have 3 MiB, and each domain has 2 MiB of them, asked for by others before or not."""
    hosts = [f"mx{number}.big.test" for number in range(50)]
    lines = [f"{name} MX 10 {host}." for name in NAMES for host in hosts]
    lines += [f"{host} A 192.0.2.7" for host in hosts]
    internet = LongAnswers(FakeResolver("\n".join(lines)), {})
    found = await scanned(internet, NAMES, settings(given={"ipv4": False}))
    for name in NAMES:
        answers = found.of(name).observation.dns
        assert octets_of_answers(answers) <= dns_limit() + len(answers) * 1024
        assert {"answer", "evidence"} <= {str(answer.status) for answer in answers}
