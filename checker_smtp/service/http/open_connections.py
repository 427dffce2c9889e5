"""The open connections of clients, in total and for each client, and a few places for `/health` beyond them.

A connection beyond the limits is accepted as well, but only `/health` is served on it: a monitor has to
learn that the service lives while others hold all connections. Of these spare connections the oldest is
closed for a new one, so holding them is of no use either.
"""

from collections import Counter, deque
from collections.abc import Callable

from starlette.types import ASGIApp

from checker_smtp.service.admission import client_key

from .errors import ErrorResponse, refusing

__all__ = ["MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_CLIENT", "TOO_MANY", "OpenConnections", "health_only"]

MAX_CONNECTIONS = 256
"""Concurrent connections. Each may hold a body of 1 MiB and a file descriptor, whose usual limit is 1024."""
MAX_CONNECTIONS_PER_CLIENT = MAX_CONNECTIONS // 4
_MAX_SPARE = 16

TOO_MANY = "too many connections: try again soon"


class OpenConnections:
    """Counts connections. `is_exempt` is true for the addresses without a limit for each client."""

    def __init__(self, is_exempt: Callable[[str], bool]) -> None:
        self._is_exempt = is_exempt
        self._clients: Counter[str] = Counter()
        self._spare: deque[Callable[[], None]] = deque()

    def open(self, client: str) -> bool:
        """Count a connection from this address; return False, and count nothing, if there are too many."""
        key = client_key(client)
        is_one_too_many = self._clients[key] >= MAX_CONNECTIONS_PER_CLIENT and not self._is_exempt(client)
        if is_one_too_many or self._clients.total() >= MAX_CONNECTIONS:
            # reading a Counter adds no key
            return False
        self._clients[key] += 1
        return True

    def close(self, client: str) -> None:
        """Count the end of a connection that was counted."""
        key = client_key(client)
        self._clients[key] -= 1
        if not self._clients[key]:
            del self._clients[key]

    def open_spare(self, close: Callable[[], None]) -> None:
        """Add a connection beyond the limits, which `close` ends, and end the oldest for it if need be."""
        if len(self._spare) >= _MAX_SPARE:
            self._spare.popleft()()
        self._spare.append(close)

    def close_spare(self, close: Callable[[], None]) -> None:
        """Remove a connection that was added with the same `close`, if it is not ended already."""
        if close in self._spare:
            self._spare.remove(close)


def health_only(app: ASGIApp) -> ASGIApp:
    """Return an application that serves `/health` with `app`, and refuses everything else."""
    refusal = ErrorResponse(503, TOO_MANY, {"Retry-After": "5", "Connection": "close"})
    return refusing(lambda scope: None if scope["path"] == "/health" else refusal, app)
