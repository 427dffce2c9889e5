"""What of a session makes a further connection worth while; pure readings, each named by the fault."""

from .observation import Session

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
    """EHLO was refused for good, and HELO could not be answered because the connection was gone."""
    refused = session.ehlo is not None and session.ehlo.permanent
    return refused and session.helo is None and session.end is not None and session.end.kind in _CUT


def sni_refused(session: Session) -> bool:
    """The handshake failed over the name we asked for."""
    end = session.end
    return end is not None and end.step == "TLS" and "unrecognized name" in end.detail


def broken_by_tls(session: Session) -> bool:
    """STARTTLS broke the session, or the handshake failed, or EHLO did behind it: ask on in the clear."""
    if any(reply.code == 421 for reply in session.replies):
        return False
    if session.starttls is None:
        return session.end is not None and session.end.step == "STARTTLS"
    return session.starttls.positive and (session.ehlo_tls is None or not session.ehlo_tls.positive)


def out_of_step(session: Session) -> bool:
    """A flight was sent and not every transaction was answered, without a 421 to explain it."""
    keywords = session.capabilities_tls if session.tls else session.capabilities
    if session.end is None or not any(known.keyword == "PIPELINING" for known in keywords):
        return False
    if any(reply.code == 421 for reply in session.replies):
        return False
    return session.end.step in _ASKING and any(t.verdict is None for t in session.transactions)


def completed(session: Session, first: int) -> bool:
    """Whether the `first` transactions were answered to the last RSET, and never with: not now, not here."""
    batches = [(t.mail, t.rcpt, t.rset) for t in session.transactions[:first]]
    said_421 = any(reply is not None and reply.code == 421 for replies in batches for reply in replies)
    return not said_421 and all(rset is not None for _, _, rset in batches)


def relay_answered(session: Session) -> bool:
    """Whether the relay probe was accepted or refused; 421 is neither."""
    return any(
        t.purpose == "relay" and t.verdict is not None and t.verdict.code != 421 for t in session.transactions
    )


def relayed(session: Session) -> bool:
    """Whether the server took the relay probe."""
    return any(
        t.purpose == "relay" and t.verdict is not None and t.verdict.positive for t in session.transactions
    )
