"""The replies with which a server throttles this client, and how often it is given a pause.

A server that throttles us (4yz at the greeting, "too many connections") gets no session for a while, twice as
long each time; after the last pause its reply is reported.
"""

from checker_smtp.probes.observation import Session

__all__ = ["MAX_BACKOFFS", "is_throttled"]

# With the default --retry-delay 30, 60 and 120 s: longer than servers remember a burst, shorter than a scan.
MAX_BACKOFFS = 3


def is_throttled(sessions: tuple[Session, ...]) -> bool:
    """Return True if the last session was refused for now, whatever domain it was for."""
    session = sessions[-1]
    replies = [reply for reply in session.replies if reply is not session.quit]
    if not replies or any(t.mail is not None for t in session.transactions):
        return False
    refusal = replies[-1]
    return refusal.code == 421 or (
        refusal is session.greeting
        and not refusal.positive
        and (refusal.transient or "too many connections" in refusal.text.lower())
    )
