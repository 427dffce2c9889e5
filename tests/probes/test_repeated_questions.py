"""No connection asks again what was answered, whatever a server does.

Two faults are exceptions, because an answer may be due to them: replies to a group that are too few (each may
be the one to another command), and EHLO refused after STARTTLS where MAIL is refused as well.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from checker_smtp.probes.endpoint.retry_conditions import answered
from checker_smtp.probes.observation import Session, Transaction
from checker_smtp.testing import ENDINGS, FAULTS, RuleServer
from tests.probes.fuzzing import result_of
from tests.probes.sessions import probe_endpoint
from tests.probes.world import options

NAME = "alfa.test"
OWN, RELAY = f"postmaster@{NAME}", "postmaster@example.com"
NO_USER, UNCLEAR, LATER = "550 5.1.1 no such user", "550 no", "450 4.2.0 greylisted"
RCPT_REPLIES: tuple[dict[str, str], ...] = (
    {},
    {OWN: NO_USER},
    {OWN: UNCLEAR},
    {OWN: UNCLEAR, "postmaster@host.test": UNCLEAR},
    {OWN: LATER},
    {RELAY: LATER},
    {RELAY: "250 ok"},
    *({recipient: ending} for recipient in (OWN, RELAY) for ending in ENDINGS),
)
MAIL_REPLIES: tuple[dict[str, str], ...] = (
    {},
    {"": "550 no"},
    {"": "421"},
    {"postmaster@probe.test": "550 no"},
)


def sessions_with(server: RuleServer) -> tuple[Session, ...]:
    return result_of(probe_endpoint(options(NAME), server, "192.0.2.7", "mx.host.test", 7))


def repeated(sessions: tuple[Session, ...]) -> Iterator[tuple[str, Transaction]]:
    """Yield the purpose of each session that asks again what was answered, with the question."""
    known: set[tuple[str, str]] = set()
    for session in sessions:
        for transaction in session.transactions:
            if transaction.mail is not None and (transaction.sender, transaction.recipient) in known:
                yield session.purpose, transaction
        known |= {(one.sender, one.recipient) for one in answered(session)}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "tls-ehlo-helo"])
@pytest.mark.parametrize("pipelining", [True, False])
def test_each_question_is_answered_once(fault: str, pipelining: bool) -> None:
    for rcpt, mail in product(RCPT_REPLIES, MAIL_REPLIES):
        server = RuleServer(fault=fault, pipelining=pipelining, rcpt_replies=rcpt, mail_replies=mail)
        again = {purpose for purpose, _ in repeated(sessions_with(server))}
        assert again <= {"one-by-one"}, (rcpt, mail)
        assert pipelining or not again, (rcpt, mail)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "RSET"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_nor_is_one_asked_again_of_a_server_that_limits_commands(verb: str, ending: str) -> None:
    for limit, rcpt in product((0, 1, 2), RCPT_REPLIES):
        server = RuleServer(
            pipelining=False, rcpt_replies=rcpt, limit=limit, limited_verb=verb, ending=ending
        )
        assert list(repeated(sessions_with(server))) == []


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("rcpt_replies", [{}, {OWN: NO_USER}])
def test_nor_without_tls_where_only_ehlo_after_it_is_refused(
    pipelining: bool, rcpt_replies: dict[str, str]
) -> None:
    server = RuleServer(fault="tls-ehlo-helo", pipelining=pipelining, rcpt_replies=rcpt_replies)
    (session,) = sessions_with(server)
    assert session.ehlo_tls is not None
    assert session.ehlo_tls.permanent
    assert all(transaction.verdict for transaction in session.transactions)


def test_where_mail_is_refused_after_it_the_fault_may_be_why() -> None:
    need_ehlo = dict.fromkeys(["", "postmaster@probe.test"], "503 5.5.1 Send EHLO first")
    server = RuleServer(fault="tls-ehlo-helo", mail_replies=need_ehlo)
    assert [session.purpose for session in sessions_with(server)] == ["main", "without-tls"]
