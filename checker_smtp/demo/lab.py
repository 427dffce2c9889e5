"""The demo's network: one DNS server and one SMTP server for each posture, on loopback, in this process.

Ports are chosen by the system, on 127.0.0.1 only. So no privilege, no second address and no configuration is
needed, and two demos can run at once. Everything is bound before the block is entered, so a client that
holds a `RunningPosture` can connect at once.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from anyio import TypedAttributeProvider, create_task_group, create_tcp_listener, create_udp_socket
from anyio.abc import AnyByteStream, SocketAttribute, TaskGroup

from checker_smtp.testing import RuleServer, Zone, serve_dns, serve_session, server_tls_context

from .postures import POSTURES, Posture

__all__ = ["RunningPosture", "run_lab"]

_LOOPBACK = "127.0.0.1"
_TTL = 60


@dataclass(frozen=True, slots=True)
class RunningPosture:
    """A posture to check: `resolver` ("127.0.0.1:PORT") is its DNS server, `port` its mail server."""

    posture: Posture
    resolver: str
    port: int


@asynccontextmanager
async def run_lab(postures: Iterable[Posture] = POSTURES) -> AsyncIterator[tuple[RunningPosture, ...]]:
    """Run these postures while the block lasts, under asyncio and trio alike.

    An exception that leaves the block leaves the lab unchanged, not inside an exception group. Raises
    `OSError` where loopback cannot be bound.
    """
    lone: BaseException | None = None
    try:
        async with AsyncExitStack() as sockets, create_task_group() as servers:
            tls = server_tls_context()
            yield tuple([await _start(posture, tls, sockets, servers) for posture in postures])
            servers.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        lone = group.exceptions[0]
    if lone is not None:
        # Outside the handler, which would make the group its context.
        raise lone


async def _start(
    posture: Posture, tls: ssl.SSLContext, sockets: AsyncExitStack, servers: TaskGroup
) -> RunningPosture:
    dns_socket = await sockets.enter_async_context(await create_udp_socket(local_host=_LOOPBACK))
    servers.start_soon(serve_dns, dns_socket, Zone(posture.zone, ttl=_TTL).lookup)
    resolver = f"{_LOOPBACK}:{_port(dns_socket)}"
    if posture.server is None:
        # Bound and never listening: the port refuses, and no other program gets it.
        idle = sockets.enter_context(socket.socket())
        idle.bind((_LOOPBACK, 0))
        return RunningPosture(posture, resolver, idle.getsockname()[1])
    listener = await sockets.enter_async_context(await create_tcp_listener(local_host=_LOOPBACK))
    servers.start_soon(listener.serve, partial(_serve, replace(posture.server, received=[]), tls))
    return RunningPosture(posture, resolver, _port(listener))


async def _serve(server: RuleServer, tls: ssl.SSLContext, stream: AnyByteStream) -> None:
    await serve_session(stream, server.session(), tls)


def _port(bound: TypedAttributeProvider) -> int:
    attribute = bound.extra  # called in place, ruff takes it for Django's method of that name (S610)
    return attribute(SocketAttribute.local_port)
