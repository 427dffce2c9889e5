"""The replies with which a server throttles this client, and how often it is given a pause.

A server that throttles us (421 at any step, 4yz at the greeting, "too many connections") gets no session for
a while, twice as long each time; after the last pause its reply is reported.
"""

from checker_smtp.probes.observation import Session

__all__ = ["MAX_BACKOFFS", "is_throttled"]

# With the default --retry-delay 30, 60 and 120 s: longer than servers remember a burst, shorter than a scan.
MAX_BACKOFFS = 3


def is_throttled(session: Session) -> bool:
    """Return True if this client was turned away for now: at the greeting, or by a 421 to all but QUIT."""
    greeting = session.greeting
    return any(reply.code == 421 for reply in session.replies if reply is not session.quit) or (
        greeting is not None
        and not greeting.positive
        and (greeting.transient or "too many connections" in greeting.text.lower())
    )
