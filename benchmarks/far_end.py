"""The server of `roundtrips`: the demo's SMTP server, near and behind a path of 50 ms.

Run as `python -m benchmarks.far_end HIGHEST_TLS PIPELINING`, in a process of its own, so that it does not
slow down the client. It prints the two ports, the near one first, then for every connection to the far one
the number of its round trips, one line each, and runs until it is terminated.

The path: octets leave the proxy a fixed time after they arrived, in both directions. Loopback accepts a
connection at once, where a real path takes a round trip; so the proxy connects to the server three delays
after it accepted the client, which makes the greeting arrive two round trips after `connect`. Bandwidth is
unlimited and nothing is lost.

The count: a round trip is spent whenever the server replies after it was the client's turn. The first is the
TCP handshake; the second ends with the greeting, which follows the client's ACK. Octets that the client
sends last and that need no reply, such as a TLS closing alert, cost nothing. Everything is counted at the
client's end of the path, where cause and effect are in order.
"""

import asyncio
import selectors
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from ssl import TLSVersion

from anyio import create_tcp_listener
from anyio.abc import SocketAttribute

from checker_smtp.demo import POSTURES
from checker_smtp.testing import RuleServer, serve_session, server_tls_context

__all__ = ["DELAY", "HEALTHY", "HOST"]

HOST = "127.0.0.1"
HEALTHY = next(posture for posture in POSTURES if posture.domain == "healthy.demo.test")
# Seconds one way: a round trip of 50 ms is Europe to the east coast of America at its best.
DELAY = 0.025
_MAX_READ = 65536


class _Trips:
    """Counts the round trips of one connection."""

    def __init__(self) -> None:
        self.count = 1
        self._awaited = True

    def client_sent(self) -> None:
        self._awaited = True

    def server_replied(self) -> None:
        self.count += self._awaited
        self._awaited = False


async def _carry(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    received: Callable[[], None],
    delivered: Callable[[], None],
) -> None:
    later = asyncio.get_running_loop().call_later

    def deliver(data: bytes) -> None:
        delivered()
        sink.write(data)

    with suppress(ConnectionError):
        while data := await source.read(_MAX_READ):
            received()
            later(DELAY, deliver, data)
    later(DELAY, sink.close)


def _nothing() -> None:
    pass


async def _path(port: int, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3 * DELAY)
    server, to_server = await asyncio.open_connection(HOST, port)
    trips = _Trips()
    await asyncio.gather(
        _carry(client, to_server, trips.client_sent, _nothing),
        _carry(server, to_client, _nothing, trips.server_replied),
    )
    print(trips.count, flush=True)


async def _serve(server: RuleServer, highest: str) -> None:
    tls = server_tls_context()
    tls.maximum_version = TLSVersion.TLSv1_2 if highest == "1.2" else TLSVersion.MAXIMUM_SUPPORTED
    near = await create_tcp_listener(local_host=HOST)
    port = near.extra(SocketAttribute.local_port)
    far = await asyncio.start_server(partial(_path, port), HOST, 0)
    print(port, far.sockets[0].getsockname()[1], flush=True)
    await near.serve(lambda stream: serve_session(stream, server.session(), tls))


def _main(highest: str, pipelining: str) -> None:
    # select() waits to the microsecond, epoll to the next millisecond, which four times a round trip is 8 %
    selector = partial(asyncio.SelectorEventLoop, selectors.SelectSelector())
    assert HEALTHY.server is not None
    server = replace(HEALTHY.server, starttls=highest != "none", pipelining=pipelining == "yes")
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=selector) as runner:
        runner.run(_serve(server, highest))


if __name__ == "__main__":
    _main(*sys.argv[1:])
