"""Many mail servers that record their sessions, and the DNS that leads to them; in a thread.

The domain `d7.h5.p2.crowd.test` has the one MX `mx5.p2.test`, which has one address: so each host has a
provider, and four hosts share a /24, even if their providers differ.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from struct import pack

__all__ = ["LoadServers", "LoadSession", "load_servers"]

_NEIGHBOURS = 4
_A, _MX = 1, 15
_SOA = b"\xc0\x0c" + pack(">HHIH", 6, 1, 300, 22) + b"\0\0" + pack(">IIIII", 1, 300, 300, 300, 300)


@dataclass(slots=True)
class LoadSession:
    """A session with `host`, its times (seconds, monotonic) and the domains it was about.

    `moved` is True if it was at the host's address after the move.
    """

    host: int
    started_at: float
    moved: bool
    ended_at: float = 0.0
    domains: list[str] = field(default_factory=list)


class LoadServers:
    """One host for each item of `providers`; a session takes `seconds`.

    The first session with the `busy` host gets a 421, the first recipient in a domain of the `grey` one a
    450. Once `moved` is set, the DNS has other addresses for all hosts; the old ones still answer.
    """

    def __init__(
        self, providers: Sequence[int], *, seconds: float = 0.0, busy: int = -1, grey: int = -1
    ) -> None:
        self.providers = providers
        self.sessions: list[LoadSession] = []
        self.moved = False
        self._seconds = seconds
        self._busy = busy
        self._grey = grey
        self._asked: Counter[str] = Counter()
        self.dns_port = self.port = 0

    def domains(self, each: int) -> list[str]:
        """Return `each` domains for each host; neighbours in the list have different hosts."""
        return [f"d{n}.h{host}.p{p}.crowd.test" for n in range(each) for host, p in enumerate(self.providers)]

    @property
    def arguments(self) -> list[str]:
        """The options with which a scan finds these servers."""
        dns, port = f"127.0.0.1:{self.dns_port}", str(self.port)
        return ["--resolver", dns, "--port", port, "--allow-target", "127.0.0.0/8", "--ipv4"]

    def most(self, key: Callable[[int], int]) -> int:
        """Return the largest number of simultaneous sessions with hosts that have the same `key`."""
        moments = [(session.started_at, 1, key(session.host)) for session in self.sessions]
        moments += [(session.ended_at, -1, key(session.host)) for session in self.sessions]
        most, now = 0, Counter[int]()
        for _, change, group in sorted(moments):
            now[group] += change
            most = max(most, now[group])
        return most

    def network(self, host: int) -> int:
        return host // _NEIGHBOURS

    def pauses(self) -> list[float]:
        """Return the seconds between the end of a session with a host and the start of the next."""
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
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        names, _ = await loop.create_datagram_endpoint(lambda: _Names(self), ("127.0.0.1", 0))
        self.dns_port = names.get_extra_info("sockname")[1]
        servers = []
        for host in range(len(self.providers)):

            async def session(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: int = host
            ) -> None:
                await self._session(host, reader, writer)

            for moved in (False, True):
                servers.append(await asyncio.start_server(session, _address(host, moved), self.port))
                self.port = servers[0].sockets[0].getsockname()[1]
        ready()
        try:
            await asyncio.Event().wait()
        finally:
            names.close()
            for server in servers:
                server.close()

    async def _session(self, host: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here, _ = writer.get_extra_info("sockname")
        session = LoadSession(host, time.monotonic(), here == _address(host, moved=True))
        self.sessions.append(session)
        if host == self._busy and sum(s.host == host for s in self.sessions) == 1:
            writer.write(b"421 too many of you, come back later\r\n")
        else:
            writer.write(b"220 mx.crowd.test ESMTP\r\n")
            while (line := (await reader.readline()).decode().strip()) not in ("", "QUIT"):
                writer.write(self._reply(session, line))
            with suppress(TimeoutError):
                # a client that dies is gone at once
                await asyncio.wait_for(reader.read(), self._seconds)
            writer.write(b"221 bye\r\n")
        session.ended_at = time.monotonic()
        writer.close()

    def _reply(self, session: LoadSession, line: str) -> bytes:
        verb, _, rest = line.partition(" ")
        if verb == "EHLO":
            return b"250-mx.crowd.test\r\n250 PIPELINING\r\n"
        if verb != "RCPT":
            return b"250 ok\r\n"
        domain = rest.partition("@")[2].strip(">")
        if not domain.endswith(".crowd.test"):
            return b"550 no relaying\r\n"
        if domain not in session.domains:
            session.domains.append(domain)
            self._asked[domain] += 1
        if session.host == self._grey and self._asked[domain] == 1:
            return b"450 4.2.0 greylisted\r\n"
        return b"250 ok\r\n"


class _Names(asyncio.DatagramProtocol):
    def __init__(self, servers: LoadServers) -> None:
        self._servers = servers

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        labels, at = [], 12
        while size := data[at]:
            labels.append(data[at + 1 : at + 1 + size].decode().lower())
            at += 1 + size
        rdtype = int.from_bytes(data[at + 1 : at + 3], "big")
        found = _record(labels, rdtype, self._servers.moved)
        counts = pack(">HHHH", 1, 1, 0, 0) if found else pack(">HHHH", 1, 0, 1, 0)
        body = b"\xc0\x0c" + pack(">HHIH", rdtype, 1, 300, len(found)) + found if found else _SOA
        self._transport.sendto(data[:2] + b"\x81\x80" + counts + data[12 : at + 5] + body, peer)


def _record(labels: list[str], rdtype: int, moved: bool) -> bytes:
    if rdtype == _MX and labels[-2:] == ["crowd", "test"]:
        target = [f"mx{labels[-4][1:]}", labels[-3], "test"]
        return pack(">H", 10) + b"".join(bytes([len(label)]) + label.encode() for label in target) + b"\0"
    if rdtype == _A and labels[0].startswith("mx"):
        return bytes(map(int, _address(int(labels[0][2:]), moved).split(".")))
    return b""


def _address(host: int, moved: bool) -> str:
    return f"127.{79 if moved else 78}.{host // _NEIGHBOURS}.{host % _NEIGHBOURS + 1}"


@contextmanager
def load_servers(
    providers: Sequence[int], *, seconds: float = 0.0, busy: int = -1, grey: int = -1
) -> Iterator[LoadServers]:
    """Run the servers as long as the `with` block lasts."""
    here = LoadServers(providers, seconds=seconds, busy=busy, grey=grey)
    ready, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        serving = asyncio.ensure_future(here.serve(ready.set))
        await over.wait()
        serving.cancel()
        await asyncio.wait([serving, *asyncio.all_tasks() - {asyncio.current_task()}], timeout=1)

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        assert ready.wait(10)
        yield here
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
