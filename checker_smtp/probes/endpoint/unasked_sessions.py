"""Sessions of a domain that was not asked about, made from the session of another one."""

from dataclasses import replace

from checker_smtp.probes.observation import Ending, Session
from checker_smtp.probes.options import Options

from .transactions import transactions_for

__all__ = ["as_failed", "out_of_time", "unasked", "up_to_mail"]


def unasked(session: Session, options: Options) -> Session:
    """Return a session that ended before the domain's transactions."""
    return replace(session, transactions=transactions_for(options))


def up_to_mail(session: Session) -> Session:
    """Return a session whose only question is MAIL, without the commands that were sent with it."""
    cut = tuple(
        {**entry, "data": data[: data.index("\n") + 1]} if data.startswith("MAIL") else entry
        for entry in session.transcript
        for data in (str(entry.get("data", "")),)
    )
    return replace(session, transcript=cut)


def as_failed(session: Session, options: Options) -> Session:
    """Return the failed session as that of another domain: it was answered at the most to the first MAIL."""
    first, wanted = session.transactions[:1], transactions_for(options)
    if first and first[0].mail is not None:
        wanted = tuple(replace(t, mail=first[0].mail) for t in wanted[:1]) + wanted[1:]
    return replace(session, transactions=wanted)


def out_of_time(session: Session) -> Session:
    """Return the session as that of a domain for which no time was left."""
    last = len(session.transcript) - 1
    at = float(session.transcript[last]["at"])
    ending = Ending(step="MAIL", kind="budget", detail="", at=at, entry=last)
    return replace(session, end=session.end or ending)
