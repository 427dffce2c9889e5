"""The demo's network: one DNS responder and one SMTP server for each posture, on loopback, in this process.

Theory: ports are whatever the system gives, on 127.0.0.1 only, so that no privilege, no second address and
no configuration is needed, and two demos can run at once. Everything is bound before the block is entered:
whoever holds a `Running` can connect at once.

Not here: what to do with it. Name servers are handed out as text because that is how people give one.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files

from anyio import TypedAttributeProvider, create_task_group, create_tcp_listener, create_udp_socket
from anyio.abc import SocketAttribute, TaskGroup

from . import dnsd, smtpd
from .postures import POSTURES, Posture

__all__ = ["Running", "lab", "tls_context"]

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Running:
    """A posture one can check: ask `resolver` ("127.0.0.1:PORT"), and find its mail servers at `port`."""

    posture: Posture
    resolver: str
    port: int


def tls_context() -> ssl.SSLContext:
    """The servers' side of TLS, with the demo's public key pair: it proves nothing to anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with as_file(files(__package__) / "lab.pem") as pem:
        context.load_cert_chain(pem)
    return context


@asynccontextmanager
async def lab(postures: Iterable[Posture] = POSTURES) -> AsyncIterator[tuple[Running, ...]]:
    """Run these postures while the block lasts; under asyncio and trio alike.

    An exception leaving the block leaves the lab as it is, not inside an exception group. Raises `OSError`
    where loopback cannot be bound.
    """
    lone: BaseException | None = None
    try:
        async with AsyncExitStack() as sockets, create_task_group() as servers:
            tls = tls_context()
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
) -> Running:
    responder = await sockets.enter_async_context(await create_udp_socket(local_host=_LOOPBACK))
    servers.start_soon(dnsd.serve, responder, dnsd.parse(posture.zone))
    resolver = f"{_LOOPBACK}:{_port(responder)}"
    if not posture.serves:
        # Bound and never listening: the port refuses, and stays nobody else's.
        idle = sockets.enter_context(socket.socket())
        idle.bind((_LOOPBACK, 0))
        return Running(posture, resolver, idle.getsockname()[1])
    listener = await sockets.enter_async_context(await create_tcp_listener(local_host=_LOOPBACK))
    servers.start_soon(listener.serve, partial(smtpd.serve, posture=posture, tls=tls))
    return Running(posture, resolver, _port(listener))


def _port(bound: TypedAttributeProvider) -> int:
    attribute = bound.extra  # called in place, ruff takes it for Django's method of that name (S610)
    return attribute(SocketAttribute.local_port)
