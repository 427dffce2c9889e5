"""Pieces of dialogues that many tests share, and the session they belong to."""

from checker_smtp.probes.endpoint import transactions_for
from checker_smtp.probes.endpoint.session import SessionSpec, run_shared_session
from checker_smtp.probes.observation import Session
from tests.probes.world import act, options

PLAIN = """
    S: 220 mx.example.org ESMTP
    C: EHLO probe.test
    S: 250 mx.example.org
    """
PIPELINING = """
    S: 220 mx.example.org ESMTP
    C: EHLO probe.test
    S: 250-mx.example.org
    S+ 250 PIPELINING
    """
OFFERED = """
    S: 220 mx.example.org ESMTP
    C: EHLO probe.test
    S: 250-mx.example.org
    S+ 250 STARTTLS
    """
SECURED = (
    OFFERED
    + """
    C: STARTTLS
    S: 220 go ahead
    -- tls TLSv1.3 TLS_AES_256_GCM_SHA384
    """
)
FLIGHT = """
    C: MAIL FROM:<>
    C: RCPT TO:<postmaster@example.org>
    C: RSET
    C: MAIL FROM:<postmaster@probe.test>
    C: RCPT TO:<postmaster@example.org>
    C: RSET
    C: MAIL FROM:<postmaster@probe.test>
    C: RCPT TO:<postmaster@example.com>
    C: RSET
    C: QUIT
    """
LANDED = """
    S: 250 2.1.0 ok
    S+ 250 2.1.5 ok
    S+ 250 2.0.0 ok
    S+ 250 2.1.0 ok
    S+ 250 2.1.5 ok
    S+ 250 2.0.0 ok
    S+ 250 2.1.0 ok
    S+ 554 5.7.1 <postmaster@example.com>: Relay access denied
    S+ 250 2.0.0 ok
    S+ 221 2.0.0 bye
    """
NULL = """
    C: MAIL FROM:<>
    S: 250 ok
    C: RCPT TO:<postmaster@example.org>
    S: 250 ok
    C: RSET
    S: 250 ok
    """
POSTMASTER = """
    C: MAIL FROM:<postmaster@probe.test>
    S: 250 ok
    C: RCPT TO:<postmaster@example.org>
    S: 250 ok
    C: RSET
    S: 250 ok
    """
RELAY = """
    C: MAIL FROM:<postmaster@probe.test>
    S: 250 ok
    C: RCPT TO:<postmaster@example.com>
    S: 554 no relay
    C: RSET
    S: 250 ok
    """
BYE = """
    C: QUIT
    S: 221 bye
    """
ASKED = NULL + POSTMASTER + RELAY + BYE
"""All transactions one by one, and QUIT."""
TAKES_ALL = ASKED.replace("554 no relay", "250 ok")


def plan(**given: object) -> SessionSpec:
    """Return the spec of a main session with an address of the tests."""
    usual: dict[str, object] = {
        "purpose": "main",
        "address": "192.0.2.7",
        "port": 25,
        "server_name": "mx.example.org",
        "helo_name": "probe.test",
        "timeout": 12.0,
        "budget": 60.0,
        "transactions": transactions_for(options()),
    }
    return SessionSpec(**(usual | given))  # type: ignore[arg-type]


def held(text: str, **given: object) -> Session:
    """Return the session of the dialogue `text`."""
    return act(run_shared_session(plan(**given)), text).common


def codes(session: Session) -> list[str]:
    """Return the codes of each transaction, as in `250 550 250` for MAIL, RCPT and RSET."""
    return [
        " ".join("-" if reply is None else str(reply.code) for reply in (t.mail, t.rcpt, t.rset))
        for t in session.transactions
    ]


def ending(session: Session) -> tuple[str, str]:
    """Return the step and the kind of the session's end."""
    assert session.end is not None
    return session.end.step, session.end.kind
