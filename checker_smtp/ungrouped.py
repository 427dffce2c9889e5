"""Errors of tasks, as the errors that they are."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ungrouped"]


@contextmanager
def ungrouped(*kinds: type[BaseException]) -> Iterator[None]:
    """Raise the first error of these kinds as it is: an error of a task arrives in nested groups."""
    try:
        yield
    except BaseExceptionGroup as group:
        if (matching := group.subgroup(kinds)) is None:
            raise
        error: BaseException = matching
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
