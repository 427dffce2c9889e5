"""A second visit to a server that asked for one: greylisting, or a greeting that put everybody off."""

from .observation import Session

__all__ = ["once_more", "put_off"]


def put_off(sessions: tuple[Session, ...]) -> bool:
    """Whether a 4yz stands where an answer should be, so that coming back may tell more."""
    if _at_the_door(sessions):
        return True
    final = {t.purpose: t.verdict for s in sessions for t in s.transactions if t.verdict is not None}
    return any(verdict.transient for verdict in final.values())


def once_more(first: tuple[Session, ...], again: tuple[Session, ...]) -> tuple[Session, ...]:
    """The sessions of both visits, such that the later answers count."""
    return again + first if _at_the_door(first) else first + again


def _at_the_door(sessions: tuple[Session, ...]) -> bool:
    greeting = sessions[0].greeting
    return greeting is not None and greeting.transient
