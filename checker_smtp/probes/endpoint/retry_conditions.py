"""Conditions under which a session calls for a further connection, each named for the fault it finds."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from checker_smtp.probes.observation import Session, Transaction

__all__ = [
    "answered",
    "broken_by_tls",
    "closing_at_mail",
    "completed",
    "cut_short",
    "dropped_at_ehlo",
    "last_answers",
    "out_of_step",
    "relay_answered",
    "sni_refused",
]

_CLOSED = ("closed", "reset")
_CUT = ("closed", "reset", "timeout")
_NO_REFUSALS = (421, *range(500, 505))
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
    """Return True where STARTTLS, the handshake or EHLO after it failed: without TLS the rest may work.

    It would not where HELO and MAIL were accepted under TLS, and all questions answered.
    """
    if any(reply.code == 421 for reply in session.replies):
        return False
    if all(t.verdict for t in session.transactions) and any(_is_begun(t) for t in session.transactions):
        return False
    if session.starttls is None:
        return session.end is not None and session.end.step == "STARTTLS"
    return session.starttls.positive and (session.ehlo_tls is None or not session.ehlo_tls.positive)


def _is_begun(transaction: Transaction) -> bool:
    return transaction.mail is not None and transaction.mail.positive


def out_of_step(session: Session) -> bool:
    """Return True where a group left transactions unanswered, and no 421 or refusal explains it."""
    keywords = session.capabilities_tls if session.tls else session.capabilities
    if session.end is None or not any(known.keyword == "PIPELINING" for known in keywords):
        return False
    if cut_short(session) or any(reply.code == 421 for reply in session.replies):
        return False
    return session.end.step in _ASKING and any(t.verdict is None for t in session.transactions)


def cut_short(session: Session) -> bool:
    """Return True where a server stopped answering because of what it was asked, not of how it was asked.

    It refused something and closed (a 421 closes too, but is no refusal, and neither are 500 to 504, which
    are about commands), or it refused RSET, so that the transactions after it do not begin afresh.
    """
    resets = [t.rset for t in session.transactions if t.rset is not None]
    if any(not reply.positive for reply in resets):
        return True
    replies = [reply for t in session.transactions for reply in (t.mail, t.rcpt, t.rset) if reply is not None]
    closed = session.end is not None and session.end.kind in _CLOSED
    refused = any(reply.code >= 400 and reply.code not in _NO_REFUSALS for reply in replies)
    return refused and (closed or any(reply.code == 421 for reply in replies))


def closing_at_mail(session: Session) -> bool:
    """Return True where the first MAIL got 421, and nothing after it a reply: that names no domain."""
    first = session.transactions[:1]
    if not (first and first[0].mail and first[0].mail.code == 421):
        return False
    later = (first[0].rcpt, first[0].rset, *(t.mail for t in session.transactions[1:]))
    return all(reply is None for reply in later)


def answered(session: Session) -> Iterator[Transaction]:
    """Yield the transactions that were accepted or refused.

    A 421 is neither, and so is a 503 to the MAIL after a refused RSET: it answers to the old transaction.
    """
    first = session.transactions[:1]
    later = (
        one
        for before, one in pairwise(session.transactions)
        if not (_is_reset_refused(before) and one.mail is not None and one.mail.code == 503)
    )
    for transaction in (*first, *later):
        if transaction.verdict is not None and transaction.verdict.code != 421:
            yield transaction


def _is_reset_refused(transaction: Transaction) -> bool:
    return transaction.rset is not None and not transaction.rset.positive


def last_answers(sessions: Iterable[Session]) -> dict[str, Transaction]:
    """Return the last answered transaction of each purpose."""
    return {transaction.purpose: transaction for session in sessions for transaction in answered(session)}


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
