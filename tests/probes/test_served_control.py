"""Own recipients refused for no reason that decides: a recipient that the server surely serves is asked."""

from copy import copy
from dataclasses import replace

import pytest

from checker_smtp.probes.endpoint import EndpointProbe
from checker_smtp.probes.endpoint.follow_ups import FOLLOW_UPS, DomainProbe, served_address
from checker_smtp.probes.observation import Session
from checker_smtp.probes.options import Options
from checker_smtp.testing import RuleServer, ScriptedServer
from tests.probes.dialogues import ASKED, BYE, PIPELINING, PLAIN
from tests.probes.fuzzing import result_of
from tests.probes.observations import session
from tests.probes.sessions import answers, endpoint_of, probe_endpoint
from tests.probes.world import options

ADDRESS, SEED, HOST = "192.0.2.7", 7, "mx3.mail.hoster.test"
CONTROL = "postmaster@hoster.test"
UNCLEAR, POLICY = "550 no", "554 5.7.1 rejected by policy"
LOGIN = "530 5.7.0 <mx[192.0.2.1]>: Client host rejected: Authentication required"
DECIDES = [
    "550 5.1.1 no such user",
    "554 5.7.1 relay access denied",
    "550 5.7.1 [192.0.2.1] is blocked by spamhaus",
]
*_, SERVED = FOLLOW_UPS


def applies(*sessions: Session, host: str = HOST, **given: object) -> bool:
    return SERVED.applies(DomainProbe(options=options(**given), sessions=sessions, seed=SEED, mx_host=host))  # type: ignore[arg-type]


@pytest.mark.parametrize("refusal", [UNCLEAR, POLICY, LOGIN])
@pytest.mark.parametrize("null", [UNCLEAR, POLICY, "450 4.2.0 later", None])
def test_it_is_asked_where_no_reply_decides(null: str | None, refusal: str) -> None:
    assert applies(session(null=null, postmaster=refusal))


@pytest.mark.parametrize("reply", [*DECIDES, "250 ok", "450 4.2.0 later", "MAIL 550 no", None])
def test_it_is_not_asked_where_the_usual_sender_was_answered_otherwise(reply: str | None) -> None:
    assert not applies(session(null=UNCLEAR, postmaster=reply))


@pytest.mark.parametrize("reply", [*DECIDES, "250 ok"])
def test_it_is_not_asked_where_the_null_sender_decides(reply: str) -> None:
    assert not applies(session(null=reply, postmaster=UNCLEAR))


def test_the_last_answer_counts() -> None:
    unclear, well = (
        session(null=UNCLEAR, postmaster=UNCLEAR),
        session("continued", null=None, postmaster="250 ok"),
    )
    assert not applies(unclear, well)
    assert applies(well, unclear)


@pytest.mark.parametrize(
    ("given", "host", "address"),
    [
        (options("alfa.test"), HOST, CONTROL),
        (options("sub.hoster.test"), HOST, CONTROL),
        (options("hoster.test"), HOST, ""),
        (options("alfa.test"), "mx.example.com", ""),  # the relay probe's own
        (options("alfa.test"), "mx.example.net", ""),  # its control's
        (options("alfa.test"), "mx.example.org", "postmaster@example.org"),
        (options("alfa.test", test_probe_address="a@hoster.test"), HOST, ""),
        (options("alfa.test"), "localhost", ""),
        (options("alfa.test"), "", ""),
        (options("alfa.test"), "192.0.2.7", ""),
    ],
)
def test_the_recipient_is_postmaster_at_the_domain_of_the_mx_host(
    given: Options, host: str, address: str
) -> None:
    assert served_address(given, host) == address
    refused = DomainProbe(
        options=given, sessions=(session(null=UNCLEAR, postmaster=UNCLEAR),), seed=1, mx_host=host
    )
    assert SERVED.applies(refused) is bool(address)


REFUSED = ASKED.replace(
    "C: RCPT TO:<postmaster@example.org>\n    S: 250 ok", "C: RCPT TO:<postmaster@example.org>\n    S: 550 no"
)
ONE_BY_ONE = f"""
    C: MAIL FROM:<postmaster@probe.test>
    S: 250 ok
    C: RCPT TO:<{CONTROL}>
    S: 250 ok
    C: RSET
    S: 250 ok
    """


@pytest.mark.anyio
@pytest.mark.parametrize("offered", [PLAIN, PIPELINING])
async def test_the_connection_has_this_one_question_and_no_group(offered: str) -> None:
    servers = ScriptedServer({ADDRESS: [PLAIN + REFUSED, offered + ONE_BY_ONE + BYE]})
    sessions = await probe_endpoint(options(), servers, ADDRESS, HOST, SEED)
    servers.expect_end()
    assert [s.purpose for s in sessions] == ["main", "served-control"]
    asked = endpoint_of(sessions).asked("served-control")
    assert asked is not None
    assert asked.verdict is not None
    assert (asked.sender, asked.recipient, asked.verdict.code) == ("postmaster@probe.test", CONTROL, 250)


@pytest.mark.anyio
async def test_a_name_that_the_handshake_refused_is_the_hosts_all_the_same() -> None:
    offered = PLAIN.replace("S: 250 mx.example.org", "S: 250-mx.example.org\n    S+ 250 STARTTLS")
    no_name = offered + "C: STARTTLS\nS: 220 go\n-- tls tlsv1 unrecognized name"
    secured = offered + "C: STARTTLS\nS: 220 go\n-- tls TLSv1.3 X\nC: EHLO probe.test\nS: 250 mx\n"
    servers = ScriptedServer({ADDRESS: [no_name, secured + REFUSED, secured + ONE_BY_ONE + BYE]})
    sessions = await probe_endpoint(options(), servers, ADDRESS, HOST, SEED)
    assert [s.purpose for s in sessions] == ["main", "without-sni", "served-control"]
    assert servers.server_names == [HOST, "", ""]


# in company

NAMES = ("alfa.test", "bravo.test", "charlie.test", "hoster.test")
DOMAINS = [options(name) for name in NAMES]
SERVER = RuleServer(rcpt_replies={f"postmaster@{name}": "550 no" for name in NAMES[:3]})


def count(host: RuleServer, address: str = CONTROL) -> int:
    return host.count(f"RCPT TO:<{address}>")


@pytest.mark.parametrize("pipelining", [True, False])
def test_it_is_asked_once_for_an_address_and_all_copies_of_its_probe(pipelining: bool) -> None:
    host = replace(SERVER, pipelining=pipelining, received=[])
    probe = EndpointProbe(host, DOMAINS[0], ADDRESS, HOST, SEED, max_domains=10)
    sessions = result_of(probe.run(DOMAINS[:2]))
    sessions |= result_of(copy(probe).run(DOMAINS[2:3]))
    assert (count(host), probe.connections) == (1, 2)
    for given in DOMAINS[:3]:
        alone = result_of(probe_endpoint(given, replace(SERVER, received=[]), ADDRESS, HOST, SEED))
        assert answers(sessions[given.domain]) == answers(alone)
        assert "served-control" in [s.purpose for s in sessions[given.domain]]


def test_the_domain_of_the_host_itself_has_none() -> None:
    host = replace(SERVER, rcpt_replies={**SERVER.rcpt_replies, CONTROL: "550 no"}, received=[])
    probe = EndpointProbe(host, DOMAINS[0], ADDRESS, HOST, SEED, max_domains=10)
    sessions = result_of(probe.run(DOMAINS))
    assert "served-control" in [s.purpose for s in sessions["alfa.test"]]
    assert "served-control" not in [s.purpose for s in sessions["hoster.test"]]
    # twice for its own sake, once as the control of the others
    assert count(host) == 3


def test_each_domain_has_the_control_of_the_name_that_its_own_mx_has() -> None:
    host = replace(SERVER, received=[])
    probe = EndpointProbe(host, DOMAINS[0], ADDRESS, HOST, SEED, max_domains=10)
    sessions = result_of(
        probe.run(DOMAINS[:3], {"bravo.test": "mx.bravo.test", "charlie.test": "mx.other.test"})
    )
    assert [len(sessions[name]) for name in NAMES[:3]] == [2, 1, 2]
    assert (count(host), count(host, "postmaster@other.test")) == (1, 1)


def test_it_takes_time() -> None:
    given = options("alfa.test", timeout=12.0)
    sessions = result_of(
        probe_endpoint(given, replace(SERVER, seconds_per_step=7.0, received=[]), ADDRESS, HOST, SEED)
    )
    assert [s.purpose for s in sessions] == ["main"]
