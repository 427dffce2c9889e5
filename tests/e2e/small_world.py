"""A resolver and mail servers on loopback, in a thread of the test: the lab without Postfix."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Event

from anyio import (
    TypedAttributeProvider,
    create_task_group,
    create_tcp_listener,
    create_udp_socket,
    sleep_forever,
)
from anyio.abc import AnyByteStream, SocketAttribute
from anyio.from_thread import start_blocking_portal

from checker_smtp.testing import RuleServer, Zone, serve_dns, serve_session, server_tls_context

__all__ = ["SmallWorld", "small_world"]


@dataclass(frozen=True, slots=True)
class SmallWorld:
    """The address of the resolver, and the port of all servers."""

    resolver: str
    port: int
    is_silent: Event
    """Set when the first client of a silent server is connected."""
    clients: list[str]
    """The addresses of all clients, in the order in which they connected."""
    most: Counter[str]
    """The largest number of connections that were open at once, by the address of the server."""

    @property
    def options(self) -> list[str]:
        """The options that lead a check into it."""
        return ["--resolver", self.resolver, "--port", str(self.port), "--allow-target", "127.0.0.0/8"]


@contextmanager
def small_world(zone: str, servers: Mapping[str, RuleServer | None]) -> Iterator[SmallWorld]:
    """Serve these records and these servers by address while the block lasts; None accepts and is silent."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_world(zone, servers)) as world:
        yield world


@asynccontextmanager
async def _world(zone: str, servers: Mapping[str, RuleServer | None]) -> AsyncIterator[SmallWorld]:
    tls = server_tls_context()

    connected, clients, open_now, most = Event(), list[str](), Counter[str](), Counter[str]()

    async def serve(server: RuleServer | None, stream: AnyByteStream) -> None:
        clients.append(str(stream.extra(SocketAttribute.remote_address)[0]))
        address = str(stream.extra(SocketAttribute.local_address)[0])
        open_now[address] += 1
        most[address] = max(most[address], open_now[address])
        if server is None:
            async with stream:
                connected.set()
                await sleep_forever()
            return
        await serve_session(stream, server.session(), tls)
        open_now[address] -= 1

    async with AsyncExitStack() as sockets, create_task_group() as group:
        dns = await sockets.enter_async_context(await create_udp_socket(local_host="127.0.0.1"))
        group.start_soon(serve_dns, dns, Zone(zone).lookup)
        port = 0
        for address, server in servers.items():
            listener = await sockets.enter_async_context(
                await create_tcp_listener(local_host=address, local_port=port)
            )
            port = _port(listener)
            group.start_soon(listener.serve, partial(serve, server))
        yield SmallWorld(f"127.0.0.1:{_port(dns)}", port, connected, clients, most)
        group.cancel_scope.cancel()


def _port(bound: TypedAttributeProvider) -> int:
    attribute = bound.extra
    return attribute(SocketAttribute.local_port)
