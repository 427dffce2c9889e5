"""Timeouts for slow HTTP clients, which the HTTP/1.1 protocol of uvicorn does not have.

uvicorn waits forever for the end of a request, and for a client that does not read. Here a connection is
closed if the header of its next request is not complete in time, however many octets arrive, and if the
client does not read the response in time. The first timeout also ends the reading of a rejected body, which
is discarded until then: closing the connection at once would reset it before the client has read the error.

A connection beyond the limits of `OpenConnections` has a short timeout, and serves `/health` alone.
"""

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .open_connections import TOO_MANY, OpenConnections, health_only

__all__ = ["TimeoutProtocol"]

# seconds from the connection, or from the last response, to the end of the next request's header
_REQUEST_TIMEOUT = 10.0
# the same for a connection beyond the limits
_SPARE_TIMEOUT = 2.0
# seconds for the client to read a response that does not fit into the buffers
_WRITE_TIMEOUT = 20.0

_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    b'{"error": "the request did not arrive in time"}'
)
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Retry-After: 5\r\n\r\n" + json.dumps({"error": TOO_MANY}).encode()
)


class TimeoutProtocol(H11Protocol):
    """One HTTP connection with a timeout for each request and each response, counted in `connections`."""

    def __init__(self, connections: OpenConnections, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._open_connections = connections
        self._is_spare = False
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._received_data = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._open_connections.open(self._client):
            self._is_spare = True
            self.app = health_only(self.app)
            self._open_connections.open_spare(self._close_spare)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._is_spare:
            self._open_connections.close_spare(self._close_spare)
        else:
            self._open_connections.close(self._client)
        for timer in (self._deadline, self._write_deadline):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received_data = True
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        is_serving = self.cycle is not None and not self.cycle.response_complete
        if is_serving and self._deadline is not None:
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
    def _client(self) -> str:
        return self.client[0] if self.client else ""

    def _await_request(self) -> None:
        self._received_data = False
        if self._deadline is not None:
            self._deadline.cancel()
        if self._is_spare:
            self._deadline = self.loop.call_later(_SPARE_TIMEOUT, self._close_spare)
        else:
            self._deadline = self.loop.call_later(_REQUEST_TIMEOUT, self._on_deadline)

    def _close_spare(self) -> None:
        if self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self.transport.write(_TOO_MANY)
        self.transport.close()

    def _on_deadline(self) -> None:
        # a client that sent nothing expects no response; one that sent a whole request has it already
        if self._received_data and self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()
