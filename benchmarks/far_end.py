"""The other side of `roundtrips`: the demo's SMTP server, near and behind a path of 50 ms.

Run as `python -m benchmarks.far_end HIGHEST_TLS PIPELINING`, in a process of its own, so that what a client
does is not slowed down by what it is done to. It prints the two ports, the near one first, then for every
connection to the far one the round trips it took, one line each, and runs until it is ended.

Theory of the path. Octets leave the proxy a fixed time after they came, in both directions. Loopback accepts
a connection at once, where a real path takes a round trip; so the server is dialled three delays after the
client was accepted, which makes the greeting arrive two round trips after `connect`, as it would. Bandwidth
is unlimited and nothing is lost.

Theory of the count. A round trip is spent whenever the server is heard after it was the client's turn. The
first is the TCP handshake; the second ends with the greeting, which answers the client's ACK. What a client
sends last and nobody answers, as a TLS closing alert, costs it nothing. All is counted at the client's end of
the path, where cause and effect are in order.
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

from checker_smtp.demo import smtpd
from checker_smtp.demo.lab import tls_context
from checker_smtp.demo.postures import POSTURES, Posture

__all__ = ["DELAY", "HEALTHY", "HOST"]

HOST = "127.0.0.1"
HEALTHY = next(posture for posture in POSTURES if posture.domain == "healthy.demo.test")
# Seconds one way: a round trip of 50 ms is Europe to the east coast of America at its best.
DELAY = 0.025
_MAX_READ = 65536


class _LockStep(smtpd.Session):
    """The demo's server without PIPELINING."""

    def answer(self, line: bytes, *, last: bool = True) -> str:
        return super().answer(line, last=last).replace("250-PIPELINING\r\n", "")


class _Trips:
    """Counts the round trips of one connection."""

    def __init__(self) -> None:
        self.count = 1
        self._awaited = True

    def client_spoke(self) -> None:
        self._awaited = True

    def server_heard(self) -> None:
        self.count += self._awaited
        self._awaited = False


async def _carry(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    came: Callable[[], None],
    arrived: Callable[[], None],
) -> None:
    later = asyncio.get_running_loop().call_later

    def deliver(data: bytes) -> None:
        arrived()
        sink.write(data)

    with suppress(ConnectionError):
        while data := await source.read(_MAX_READ):
            came()
            later(DELAY, deliver, data)
    later(DELAY, sink.close)


def _nothing() -> None:
    pass


async def _path(port: int, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3 * DELAY)
    server, to_server = await asyncio.open_connection(HOST, port)
    trips = _Trips()
    await asyncio.gather(
        _carry(client, to_server, trips.client_spoke, _nothing),
        _carry(server, to_client, _nothing, trips.server_heard),
    )
    print(trips.count, flush=True)


async def _serve(posture: Posture, highest: str) -> None:
    tls = tls_context()
    tls.maximum_version = TLSVersion.TLSv1_2 if highest == "1.2" else TLSVersion.MAXIMUM_SUPPORTED
    near = await create_tcp_listener(local_host=HOST)
    port = near.extra(SocketAttribute.local_port)
    far = await asyncio.start_server(partial(_path, port), HOST, 0)
    print(port, far.sockets[0].getsockname()[1], flush=True)
    await near.serve(partial(smtpd.serve, posture=posture, tls=tls))


def _main(highest: str, pipelining: str) -> None:
    if pipelining == "no":
        smtpd.Session = _LockStep  # type: ignore[misc]
    # select() waits to the microsecond, epoll to the next millisecond, which four times a round trip is 8 %
    selector = partial(asyncio.SelectorEventLoop, selectors.SelectSelector())
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=selector) as runner:
        runner.run(_serve(replace(HEALTHY, starttls=highest != "none"), highest))


if __name__ == "__main__":
    _main(*sys.argv[1:])
