"""The HTTP/1.1 protocol of uvicorn, and what it lacks: an end to every client's slowness.

uvicorn waits for ever for a request that never becomes whole, and for a client that never reads. Here a
connection without a whole request is closed after a while, however busily octets drip; so is one that does
not take what is written to it. That also ends the reading of a body nobody wanted: it is read on and
dropped for that long, as closing at once would take the answer away that says so.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["TimeoutProtocol"]

# Connections at a time. Each may bring a body of 1 MiB and needs a file, of which a process often has 1024.
_MAX_CONNECTIONS = 256
# seconds: from the connection, or the last answer, to the end of the next request's header
_REQUEST_TIMEOUT = 10.0
# seconds in which a client has to take what does not fit the buffers
_WRITE_TIMEOUT = 20.0

_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    b'{"error": "the request did not arrive in time"}'
)
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b'Retry-After: 5\r\n\r\n{"error": "too many connections: try again soon"}'
)


class TimeoutProtocol(H11Protocol):
    """One connection; patient for so long and no longer."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._heard = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > _MAX_CONNECTIONS:
            transport.write(_TOO_MANY)
            transport.close()
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._deadline, self._write_deadline):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self._is_serving and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def on_response_complete(self) -> None:
        self._await_request()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_deadline = self.loop.call_later(_WRITE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    @property
    def _is_serving(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_request(self) -> None:
        self._heard = False
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(_REQUEST_TIMEOUT, self._out_of_patience)

    def _out_of_patience(self) -> None:
        # only who began a request waits for an answer, and has none yet where it is still to be whole
        if self._heard and self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()
