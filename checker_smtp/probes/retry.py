"""A second visit to a server that asked for one: greylisting, or a greeting that put everybody off."""

from dataclasses import replace

from .observation import Session

__all__ = ["is_deferred", "merge_retry"]


def is_deferred(sessions: tuple[Session, ...]) -> bool:
    """Whether a 4yz stands where an answer should be, so that coming back may tell more."""
    if _at_the_door(sessions):
        return True
    final = {t.purpose: t.verdict for s in sessions for t in s.transactions if t.verdict is not None}
    return any(verdict.transient for verdict in final.values())


def merge_retry(first: tuple[Session, ...], again: tuple[Session, ...]) -> tuple[Session, ...]:
    """The sessions of both visits, such that the later answers count, where there are any."""
    if again[0].greeting is None or not _at_the_door(first):
        return first + again
    # the questions are those of the second visit now
    return again + tuple(replace(session, transactions=()) for session in first)


def _at_the_door(sessions: tuple[Session, ...]) -> bool:
    """Whether the last that was heard before any question was a 4yz."""
    main = sessions[0]
    last = next((reply for reply in (main.helo, main.ehlo, main.greeting) if reply is not None), None)
    return last is not None and last.transient
