"""The retry of a server that deferred: by greylisting, or by a 4yz before any question."""

from dataclasses import replace

from .observation import Session

__all__ = ["is_deferred", "merge_retry"]


def is_deferred(sessions: tuple[Session, ...]) -> bool:
    """Return True where a question, or the greeting or EHLO, got a 4yz that a retry may settle."""
    if _is_deferred_at_start(sessions):
        return True
    final = {t.purpose: t.verdict for s in sessions for t in s.transactions if t.verdict is not None}
    return any(verdict.transient for verdict in final.values())


def merge_retry(first: tuple[Session, ...], retry: tuple[Session, ...]) -> tuple[Session, ...]:
    """Return the sessions of both attempts; the answers of the retry count, where there are any."""
    if retry[0].greeting is None or not _is_deferred_at_start(first):
        return first + retry
    # the first attempt asked nothing: the questions belong to the retry
    return retry + tuple(replace(session, transactions=()) for session in first)


def _is_deferred_at_start(sessions: tuple[Session, ...]) -> bool:
    """Return True where the last reply before any question is a 4yz."""
    main = sessions[0]
    last = next((reply for reply in (main.helo, main.ehlo, main.greeting) if reply is not None), None)
    return last is not None and last.transient
