"""Conditions under which a session calls for a further connection, each named for the fault it finds."""

from checker_smtp.probes.observation import Session

__all__ = [
    "broken_by_tls",
    "completed",
    "dropped_at_ehlo",
    "out_of_step",
    "relay_answered",
    "relayed",
    "sni_refused",
]

_CUT = ("closed", "reset", "timeout")
_ASKING = ("MAIL", "RCPT", "RSET")


def dropped_at_ehlo(session: Session) -> bool:
    """Return True where EHLO was rejected and the connection lost before a reply to HELO."""
    refused = session.ehlo is not None and session.ehlo.permanent
    return refused and session.helo is None and session.end is not None and session.end.kind in _CUT


def sni_refused(session: Session) -> bool:
    """Return True where the handshake failed because of the server name (SNI)."""
    end = session.end
    return end is not None and end.step == "TLS" and "unrecognized name" in end.detail


def broken_by_tls(session: Session) -> bool:
    """Return True where STARTTLS, the handshake or EHLO after it failed: without TLS the rest may work."""
    if any(reply.code == 421 for reply in session.replies):
        return False
    if session.starttls is None:
        return session.end is not None and session.end.step == "STARTTLS"
    return session.starttls.positive and (session.ehlo_tls is None or not session.ehlo_tls.positive)


def out_of_step(session: Session) -> bool:
    """Return True where a group left transactions unanswered, without a 421 to explain it."""
    keywords = session.capabilities_tls if session.tls else session.capabilities
    if session.end is None or not any(known.keyword == "PIPELINING" for known in keywords):
        return False
    if any(reply.code == 421 for reply in session.replies):
        return False
    return session.end.step in _ASKING and any(t.verdict is None for t in session.transactions)


def completed(session: Session, first: int) -> bool:
    """Return True where the `first` transactions were answered up to the last RSET, and none with 421."""
    groups = [(t.mail, t.rcpt, t.rset) for t in session.transactions[:first]]
    closing = any(reply is not None and reply.code == 421 for replies in groups for reply in replies)
    return not closing and all(rset is not None for _, _, rset in groups)


def relay_answered(session: Session) -> bool:
    """Return True where the relay probe was accepted or rejected; 421 is neither."""
    return any(
        t.purpose == "relay" and t.verdict is not None and t.verdict.code != 421 for t in session.transactions
    )


def relayed(session: Session) -> bool:
    """Return True where the server accepted the relay probe."""
    return any(
        t.purpose == "relay" and t.verdict is not None and t.verdict.positive for t in session.transactions
    )
