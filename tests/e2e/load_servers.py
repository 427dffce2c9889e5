"""Many mail servers that record when each session took place, and the DNS that leads to them; in a thread.

The domain `d7.h5.p2.crowd.test` has the one MX `mx5.p2.test`, which has one address. So each host belongs to
a provider, and four hosts, perhaps of different providers, share a /24.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from anyio import create_task_group, create_tcp_listener
from anyio.abc import AnyByteStream, SocketAttribute

from checker_smtp.probes.ports import DnsAnswer, DnsStatus
from checker_smtp.testing import (
    DnsProtocol,
    Pause,
    RuleServer,
    RuleSession,
    Zone,
    serve_session,
    server_tls_context,
)
from checker_smtp.testing.commands import Path
from checker_smtp.testing.session import Output

__all__ = ["LoadServers", "LoadSession", "load_servers"]

_NEIGHBOURS = 4
_SERVER = RuleServer(host="mx.crowd.test", local_domains=(".crowd.test",), starttls=False)
_BUSY_SERVER = RuleServer(fault="421")
_ROOT = Zone()
_TLS = server_tls_context()


@dataclass(slots=True)
class LoadSession:
    """A session: its host, its beginning and end in seconds, and the domains of its recipients.

    `moved` is true at the second of the host's two addresses.
    """

    host: int
    started_at: float
    moved: bool
    ended_at: float = 0.0
    domains: list[str] = field(default_factory=list)


class LoadServers:
    """Hosts; `providers` has the provider of each one. A session takes `seconds`.

    The first session with the host `busy` gets a 421, each domain at the host `grey` a 450 at first.
    Once `moved` is set, the DNS has a second address for each host; the first one still works.
    """

    def __init__(
        self, providers: Sequence[int], *, seconds: float = 0.0, busy: int = -1, grey: int = -1
    ) -> None:
        self.providers = providers
        self.sessions: list[LoadSession] = []
        self.moved = False
        self.seconds = seconds
        self._busy = busy
        self._grey = grey
        self._asked: Counter[str] = Counter()
        self.dns_port = self.port = 0

    def domains(self, each: int) -> list[str]:
        """Return `each` domains of every host, such that neighbours in the list have different hosts."""
        return [f"d{n}.h{host}.p{p}.crowd.test" for n in range(each) for host, p in enumerate(self.providers)]

    @property
    def arguments(self) -> list[str]:
        """The command line's options for a scan of these hosts."""
        dns, port = f"127.0.0.1:{self.dns_port}", str(self.port)
        return ["--resolver", dns, "--port", port, "--allow-target", "127.0.0.0/8", "--ipv4"]

    @property
    def ended(self) -> list[LoadSession]:
        """The sessions that are over."""
        return [session for session in self.sessions if session.ended_at]

    def most(self, key: Callable[[int], int]) -> int:
        """Return the largest number of sessions at once with hosts of the same `key`."""
        changes = [(session.started_at, 1, key(session.host)) for session in self.sessions]
        changes += [(session.ended_at, -1, key(session.host)) for session in self.sessions]
        most, now = 0, Counter[int]()
        for _, change, group in sorted(changes):
            now[group] += change
            most = max(most, now[group])
        return most

    def network(self, host: int) -> int:
        return host // _NEIGHBOURS

    def pauses(self) -> list[float]:
        """Return the seconds between the end of each session and the beginning of the host's next one."""
        found = []
        for session in self.sessions:
            before = [
                s.ended_at
                for s in self.sessions
                if s.host == session.host and s.ended_at <= session.started_at
            ]
            found += [session.started_at - max(before)] if before else []
        return found

    async def serve(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled; call `ready` once everything is bound."""
        loop = asyncio.get_running_loop()
        names, _ = await loop.create_datagram_endpoint(lambda: DnsProtocol(self._lookup), ("127.0.0.1", 0))
        self.dns_port = names.get_extra_info("sockname")[1]
        try:
            async with AsyncExitStack() as sockets, create_task_group() as listeners:
                for host in range(len(self.providers)):
                    for moved in (False, True):
                        listener = await create_tcp_listener(
                            local_host=_address(host, moved), local_port=self.port
                        )
                        await sockets.enter_async_context(listener)
                        self.port = listener.extra(SocketAttribute.local_port)
                        listeners.start_soon(listener.serve, partial(self._serve, host, moved))
                ready()
        finally:
            names.close()

    async def _serve(self, host: int, moved: bool, stream: AnyByteStream) -> None:
        record = LoadSession(host, time.monotonic(), moved)
        self.sessions.append(record)
        is_first = sum(session.host == host for session in self.sessions) == 1
        server = _BUSY_SERVER if host == self._busy and is_first else _SERVER
        try:
            await serve_session(stream, _RecordingSession(server, self, record), _TLS)
        finally:
            record.ended_at = record.ended_at or time.monotonic()

    def _lookup(self, name: str, rdtype: str) -> DnsAnswer:
        if name == ".":
            return _ROOT.lookup(name, rdtype)
        data = _data(name.lower().split("."), rdtype, self.moved)
        status = DnsStatus.ANSWER if data else DnsStatus.NODATA
        records = (f"{name}. 300 IN {rdtype} {data}",) if data else ()
        return DnsAnswer(name=name, rdtype=rdtype, status=status, records=records)

    def is_greylisted(self, record: LoadSession, domain: str) -> bool:
        """Count a recipient of `domain`; return whether it is the first one at a greylisting host."""
        if domain not in record.domains:
            record.domains.append(domain)
            self._asked[domain] += 1
        return record.host == self._grey and self._asked[domain] == 1


class _RecordingSession(RuleSession):
    """A session that notes its recipients, and pauses before its end."""

    def __init__(self, server: RuleServer, servers: LoadServers, record: LoadSession) -> None:
        super().__init__(server)
        self._servers = servers
        self._record = record

    def greet(self) -> list[Output]:
        if self.server is _BUSY_SERVER:
            self.closing = True
            self._record.ended_at = time.monotonic()
        return super().greet()

    def receive(self, data: bytes) -> Iterable[Output]:
        outputs = super().receive(data)
        if self.closing:
            yield Pause(self._servers.seconds)
            # Before the client can know of it, so that no later session seems to overlap.
            self._record.ended_at = time.monotonic()
        yield from outputs

    def rcpt_reply(self, path: Path) -> str:
        if self.server.is_local(path.domain) and self._servers.is_greylisted(self._record, path.domain):
            return "450 4.2.0 greylisted"
        return super().rcpt_reply(path)


def _data(labels: list[str], rdtype: str, moved: bool) -> str:
    """Return the data of the one record of this name and type, empty where there is none."""
    if rdtype == "MX" and labels[-2:] == ["crowd", "test"]:
        return f"10 mx{labels[-4][1:]}.{labels[-3]}.test."
    if rdtype == "A" and labels[0].startswith("mx"):
        return _address(int(labels[0][2:]), moved)
    return ""


def _address(host: int, moved: bool) -> str:
    return f"127.{79 if moved else 78}.{host // _NEIGHBOURS}.{host % _NEIGHBOURS + 1}"


@contextmanager
def load_servers(
    providers: Sequence[int], *, seconds: float = 0.0, busy: int = -1, grey: int = -1
) -> Iterator[LoadServers]:
    """Run the servers while the block lasts."""
    servers = LoadServers(providers, seconds=seconds, busy=busy, grey=grey)
    ready, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        serving = asyncio.ensure_future(servers.serve(ready.set))
        await over.wait()
        serving.cancel()
        await asyncio.wait([serving, *asyncio.all_tasks() - {asyncio.current_task()}], timeout=1)

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        assert ready.wait(10)
        yield servers
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
