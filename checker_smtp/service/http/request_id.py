"""The id of a request, in its log lines, its response header and its error pages."""

import secrets
from contextvars import ContextVar

__all__ = ["HEADER", "current_request_id", "new_request_id"]

HEADER = "X-Request-Id"

_id: ContextVar[str] = ContextVar("request_id", default="")


def new_request_id() -> str:
    """Give the request that is being served an id, for all that it starts, and return it."""
    made = secrets.token_hex(6)
    _id.set(made)
    return made


def current_request_id() -> str:
    """Return the id of the request that is being served; empty outside of one."""
    return _id.get()
