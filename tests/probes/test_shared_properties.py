"""Any domains at any server: together they get the answers that each gets alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.observation import Session
from checker_smtp.probes.options import Options
from checker_smtp.testing import ENDINGS, FAULTS, NetworkFaults, RuleServer
from tests.probes.fuzzing import NETWORK_FAULTS, fuzz_server, result_of
from tests.probes.observations import observation
from tests.probes.sessions import answers, endpoint_of
from tests.probes.sharing import ADDRESS, CHECKS, NAME, NAMES, SEED, alone, check_sessions, verdicts
from tests.probes.test_properties import check_verdict
from tests.probes.world import options
from tests.sansio.strategies import steady

REPLIES = st.sampled_from(
    ["250 2.1.5 ok", "550 5.1.1 no such user", "450 4.2.0 later", "554 5.7.1 no", "252 hm"]
)
SERVERS = st.builds(
    RuleServer,
    fault=st.sampled_from([fault for fault in FAULTS if fault != "rset"]) | st.just(""),
    pipelining=st.booleans(),
    starttls=st.booleans(),
    mail_replies=st.dictionaries(st.sampled_from(["", "postmaster@probe.test"]), REPLIES, max_size=1),
    rcpt_replies=st.dictionaries(
        st.sampled_from([f"postmaster@{name}" for name in (*NAMES, "example.com", "example.net")]), REPLIES
    ),
    limit=st.just(10**6) | st.integers(3, 12),
    limited_verb=st.sampled_from(["MAIL", "RCPT", "RSET"]),
    ending=st.sampled_from(ENDINGS),
)
ANY_CHECKS = [*CHECKS, options("example.com")]
CHECK_LISTS = st.lists(
    st.sampled_from(ANY_CHECKS), min_size=1, max_size=6, unique_by=lambda check: check.domain
)


@pytest.mark.slow
@settings(steady, max_examples=60)
@given(SERVERS, CHECK_LISTS, st.integers(1, 6), st.integers(0, 6))
def test_any_domains_that_share_a_server_get_the_same_answers(
    host: RuleServer, checks: list[Options], most: int, split: int
) -> None:
    probe = EndpointProbe(host, checks[0], ADDRESS, NAME, SEED, max_domains=most)
    found: dict[str, tuple[Session, ...]] = {}
    for part in filter(None, (checks[:split], checks[split:])):
        found |= result_of(probe.run(part))
    assert len(host.received) == probe.connections <= 3 * len(checks) + 2 * (4 + 1 + 3)
    for check in checks:
        check_sessions(
            check, found[check.domain], [other for other in checks if other.domain != "example.com"]
        )
        sessions = alone(host, check)
        assert answers(found[check.domain]) == answers(sessions)
        assert verdicts(found[check.domain]) == verdicts(sessions)


@pytest.mark.slow
@settings(steady, max_examples=60)
@given(st.data(), NETWORK_FAULTS, CHECK_LISTS, st.integers(1, 6))
def test_every_domain_has_sessions_whatever_the_network_does(
    data: st.DataObject, faults: NetworkFaults, checks: list[Options], most: int
) -> None:
    server = fuzz_server(data, faults)
    probe = EndpointProbe(server, checks[0], ADDRESS, NAME, SEED, max_domains=most)
    found = result_of(probe.run(checks))
    assert set(found) == {check.domain for check in checks}
    assert server.connections == probe.connections <= 3 * len(checks) + 4 + 1 + 2 * 3
    for check in checks:
        sessions = found[check.domain]
        assert sessions[0].purpose == "main"
        check_verdict(observation(endpoint_of(sessions)))
        for other in checks:
            if other.domain not in (check.domain, "example.com"):
                said = [str(entry.get("data", "")) for s in sessions for entry in s.transcript]
                assert other.domain not in "".join(said)
