"""The sessions of a scan with servers that drop a client for its refusals or its commands, or say 421."""

from collections import Counter
from dataclasses import dataclass, field

import pytest

from checker_smtp.api import RunContext, check
from checker_smtp.scan.politeness.backoff import MAX_BACKOFFS
from checker_smtp.testing import FakeResolver, RuleServer, RuleSession
from tests.apps.scan.fake_internet import FakeInternet, Scanned, scanned, settings, shared, zone
from tests.probes.sessions import answers
from tests.probes.world import options

pytestmark = pytest.mark.anyio

HERE = "192.0.2.7"
RELAY = "RCPT TO:<postmaster@example.com>"
UNKNOWN = {f"postmaster@d{n}.test": "550 5.1.1 no such user" for n in range(100)}
SEED = 7


@dataclass(kw_only=True)
class StrictServer(RuleServer):
    """A server that says 421 after `max_errors` refusals, or `max_resets` RSETs, of one connection."""

    max_errors: int = 10**6
    max_resets: int = 10**6
    errors: list[int] = field(default_factory=list)

    def session(self) -> RuleSession:
        session = StrictSession(self)
        self.received.append(session.received)
        self.errors.append(0)
        return session


class StrictSession(RuleSession):
    server: StrictServer

    def answer(self, line: bytes, *, last: bool = True) -> list[str]:
        errors = self.server.errors
        resets = self.received.count("RSET")
        if errors[-1] >= self.server.max_errors or resets > self.server.max_resets:
            return ["421 4.7.0 too many errors"]
        replies = super().answer(line, last=last)
        errors[-1] += replies[0][0] in "45"
        return replies


def internet_of(host: RuleServer, number: int) -> FakeInternet:
    return FakeInternet(FakeResolver(zone(shared(number), {"mx.host.test": HERE})), {HERE: host})


def domains_asked(host: RuleServer) -> list[int]:
    """Return the number of domains that each connection asked about."""
    return [
        len({command for command in commands if command.startswith("RCPT") and command != RELAY})
        for commands in host.received
    ]


async def compare(found: Scanned, host: RuleServer, number: int, domains: list[str]) -> None:
    """Require for each domain the answers, findings and status of a check of it alone."""
    for domain in domains:
        alone = await check(options(domain), internet_of(host, number), context=RunContext(seed=SEED))
        result = found.of(domain)
        assert answers(result.observation.endpoints[0].sessions) == answers(
            alone.observation.endpoints[0].sessions
        )
        assert [(f.code, f.outcome) for f in result.findings] == [(f.code, f.outcome) for f in alone.findings]
        assert result.status == alone.status


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_session_ends_before_postfix_slows_it_down(pipelining: bool) -> None:
    """Its counter does not begin anew at a recipient that it accepts."""
    host = StrictServer(rcpt_replies=UNKNOWN, max_errors=10, pipelining=pipelining)
    internet = internet_of(host, 50)
    found = await scanned(internet, shared(50))
    assert max(host.errors) == 9
    assert set(domains_asked(host)) == {4, 2}
    assert all("QUIT" in commands for commands in host.received)
    assert (internet.connections(HERE), host.count(RELAY)) == (13, 1)
    assert all("smtp.postmaster.rejected" in found.codes(domain) for domain in shared(50))
    await compare(found, host, 50, ["d0.test", "d4.test", "d49.test"])


async def test_accepted_recipients_in_between_do_not_lengthen_a_session() -> None:
    every_third = {f"postmaster@d{n}.test": "550 5.1.1 no such user" for n in range(0, 60, 3)}
    host = StrictServer(rcpt_replies=every_third, max_errors=10)
    found = await scanned(internet_of(host, 60), shared(60))
    assert max(host.errors) <= 9
    assert Counter("smtp.postmaster.rejected" in found.codes(d) for d in shared(60)) == {True: 20, False: 40}


@pytest.mark.slow
@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("rcpt_replies", [{}, UNKNOWN])
async def test_at_most_five_domains_share_a_session_with_exim(
    rcpt_replies: dict[str, str], pipelining: bool
) -> None:
    host = StrictServer(
        software="ESMTP Exim 4.96", rcpt_replies=rcpt_replies, max_resets=11, pipelining=pipelining
    )
    internet = internet_of(host, 50)
    found = await scanned(internet, shared(50))
    assert max(domains_asked(host)) == (4 if rcpt_replies else 5)
    assert not any(session.end for domain in shared(50) for session in found.sessions(domain))
    assert internet.connections(HERE) == (13 if rcpt_replies else 10)
    assert len({frozenset(found.codes(domain)) for domain in shared(50)}) == 1


@pytest.mark.parametrize("pipelining", [True, False])
async def test_sendmail_gets_few_connections_even_where_it_refuses_everything(pipelining: bool) -> None:
    """It has no limit for the refusals of a session, but Debian's allows ten connections in ten minutes."""
    host = StrictServer(
        software="ESMTP Sendmail 8.17.1.9; Sat, 28 Nov", rcpt_replies=UNKNOWN, pipelining=pipelining
    )
    internet = internet_of(host, 50)
    found = await scanned(internet, shared(50))
    assert sorted(domains_asked(host)) == [10, 20, 20]
    assert not any(session.end for domain in shared(50) for session in found.sessions(domain))
    await compare(found, host, 50, ["d0.test", "d19.test", "d49.test"])


async def test_one_that_only_calls_itself_sendmail_is_asked_less_once_it_drops_a_session() -> None:
    host = StrictServer(software="ESMTP Sendmail", rcpt_replies=UNKNOWN, max_errors=20)
    found = await scanned(internet_of(host, 50), shared(50))
    first, *later = domains_asked(host)
    assert (first, max(later)) == (10, 5)
    assert all("smtp.postmaster.rejected" in found.codes(domain) for domain in shared(50))


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["eof", "reset"])
async def test_a_server_that_dropped_a_long_session_gets_short_ones_for_the_whole_scan(ending: str) -> None:
    host = RuleServer(limit=25, ending=ending)
    internet = internet_of(host, 100)
    found = await scanned(internet, shared(100), settings(batch_size=30, server_cache_ttl=0))
    first, *later = domains_asked(host)
    assert (first, max(later)) == (13, 5)
    assert [len(commands) for commands in host.received if "QUIT" not in commands] == [len(host.received[0])]
    assert len({frozenset(found.codes(domain)) for domain in shared(100)}) == 1


# 421


async def test_421_to_mail_gets_the_pauses_of_one_at_the_greeting() -> None:
    """No recipient was sent, so the last reply is that to all domains."""
    host = RuleServer(mail_replies={"": "421"})
    internet = internet_of(host, 50)
    found = await scanned(internet, shared(50), settings(retry_delay=30, per_session=20))
    assert internet.gaps(HERE) == [30, 60, 120]
    assert not any("d0.test" in str(entry) for s in found.sessions("d9.test") for entry in s.transcript)
    await compare(found, host, 50, ["d0.test", "d9.test", "d49.test"])


async def test_421_to_each_recipient_is_never_followed_by_a_connection_at_once() -> None:
    host = RuleServer(rcpt_replies=dict.fromkeys(UNKNOWN, "421"))
    internet = internet_of(host, 10)
    found = await scanned(internet, shared(10), settings(retry_delay=30))
    assert internet.gaps(HERE) == [30, 60, 120] + 9 * [30]
    await compare(found, host, 10, list(shared(10)))


async def test_a_421_on_the_way_leaves_the_other_domains_for_later() -> None:
    host = [RuleServer(limit=4), RuleServer()]
    names = FakeResolver(zone(shared(20), {"mx.host.test": HERE}))
    internet = FakeInternet(names, {HERE: host})
    found = await scanned(internet, shared(20), settings(retry_delay=30))
    assert internet.gaps(HERE)[0] == 30
    # all again, because the relay probe was not sent; two domains in each, because the server took no more
    assert internet.connections(HERE) == 1 + 10
    assert all(found.of(domain).status in ("ok", "info") for domain in shared(20))


@pytest.mark.parametrize("pipelining", [True, False])
async def test_postfix_under_stress(pipelining: bool) -> None:
    """It says 421 after the first refusal (smtpd_hard_error_limit = 1)."""
    host = StrictServer(rcpt_replies=UNKNOWN, max_errors=1, pipelining=pipelining)
    internet = internet_of(host, 6)
    found = await scanned(internet, shared(6), settings(retry_delay=30))
    assert internet.gaps(HERE)[:3] == [30, 60, 120]
    await compare(found, host, 6, list(shared(6)))


async def test_a_stress_that_ends_is_not_reported() -> None:
    host = [StrictServer(rcpt_replies=UNKNOWN, max_errors=1), RuleServer(rcpt_replies=UNKNOWN)]
    names = FakeResolver(zone(shared(6), {"mx.host.test": HERE}))
    internet = FakeInternet(names, {HERE: host})
    found = await scanned(internet, shared(6), settings(retry_delay=30))
    assert internet.gaps(HERE) == [30, 0]
    assert MAX_BACKOFFS > 1
    await compare(found, host[1], 6, list(shared(6)))
