"""Many mail servers that take down who visits them when, and the DNS that leads there; in a thread.

The domain `d7.h5.p2.crowd.test` has the one MX `mx5.p2.test`, which has one address: so each host has a
provider, and four hosts share a /24, in which they may be different ones'.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from struct import pack

__all__ = ["Crowd", "EndpointProbe", "crowd"]

_NEIGHBOURS = 4
_A, _MX = 1, 15
_SOA = b"\xc0\x0c" + pack(">HHIH", 6, 1, 300, 22) + b"\0\0" + pack(">IIIII", 1, 300, 300, 300, 300)


@dataclass(slots=True)
class EndpointProbe:
    """A session: at which host, from when to when, and which domains it was about.

    `moved` is whether it was where the host lives when it has moved.
    """

    host: int
    began: float
    moved: bool
    ended: float = 0.0
    domains: list[str] = field(default_factory=list)


class Crowd:
    """Hosts, of which `providers` has each one's; a session takes `seconds`.

    The first to visit a `busy` host gets a 421, the first to ask a `grey` one about a domain a 450. When
    they have `moved`, the DNS has other addresses for all of them; where they were they still are.
    """

    def __init__(
        self, providers: Sequence[int], *, seconds: float = 0.0, busy: int = -1, grey: int = -1
    ) -> None:
        self.providers = providers
        self.visits: list[EndpointProbe] = []
        self.moved = False
        self._seconds = seconds
        self._busy = busy
        self._grey = grey
        self._asked: Counter[str] = Counter()
        self.dns_port = self.port = 0

    def domains(self, each: int) -> list[str]:
        """So many of each host, such that neighbours in the list have different hosts."""
        return [f"d{n}.h{host}.p{p}.crowd.test" for n in range(each) for host, p in enumerate(self.providers)]

    @property
    def arguments(self) -> list[str]:
        """What a scan must know of them."""
        dns, port = f"127.0.0.1:{self.dns_port}", str(self.port)
        return ["--resolver", dns, "--port", port, "--allow-target", "127.0.0.0/8", "--ipv4"]

    def most(self, key: Callable[[int], int]) -> int:
        """How many sessions there were at once with hosts for which `key` is the same, at most."""
        moments = [(visit.began, 1, key(visit.host)) for visit in self.visits]
        moments += [(visit.ended, -1, key(visit.host)) for visit in self.visits]
        most, now = 0, Counter[int]()
        for _, change, whose in sorted(moments):
            now[whose] += change
            most = max(most, now[whose])
        return most

    def network(self, host: int) -> int:
        return host // _NEIGHBOURS

    def rests(self) -> list[float]:
        """How long hosts were left alone between one session's end and the next one's beginning."""
        found = []
        for visit in self.visits:
            before = [v.ended for v in self.visits if v.host == visit.host and v.ended <= visit.began]
            found += [visit.began - max(before)] if before else []
        return found

    async def serve(self, ready: Callable[[], None]) -> None:
        """Until cancelled."""
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
        visit = EndpointProbe(host, time.monotonic(), here == _address(host, moved=True))
        self.visits.append(visit)
        if host == self._busy and sum(v.host == host for v in self.visits) == 1:
            writer.write(b"421 too many of you, come back later\r\n")
        else:
            writer.write(b"220 mx.crowd.test ESMTP\r\n")
            while (line := (await reader.readline()).decode().strip()) not in ("", "QUIT"):
                writer.write(self._reply(visit, line))
            with suppress(TimeoutError):
                # a client that dies is gone at once
                await asyncio.wait_for(reader.read(), self._seconds)
            writer.write(b"221 bye\r\n")
        visit.ended = time.monotonic()
        writer.close()

    def _reply(self, visit: EndpointProbe, line: str) -> bytes:
        verb, _, rest = line.partition(" ")
        if verb == "EHLO":
            return b"250-mx.crowd.test\r\n250 PIPELINING\r\n"
        if verb != "RCPT":
            return b"250 ok\r\n"
        domain = rest.partition("@")[2].strip(">")
        if not domain.endswith(".crowd.test"):
            return b"550 no relaying\r\n"
        if domain not in visit.domains:
            visit.domains.append(domain)
            self._asked[domain] += 1
        if visit.host == self._grey and self._asked[domain] == 1:
            return b"450 4.2.0 greylisted\r\n"
        return b"250 ok\r\n"


class _Names(asyncio.DatagramProtocol):
    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        labels, at = [], 12
        while size := data[at]:
            labels.append(data[at + 1 : at + 1 + size].decode().lower())
            at += 1 + size
        rdtype = int.from_bytes(data[at + 1 : at + 3], "big")
        found = _record(labels, rdtype, self._crowd.moved)
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
def crowd(
    providers: Sequence[int], *, seconds: float = 0.0, busy: int = -1, grey: int = -1
) -> Iterator[Crowd]:
    """The servers, for as long as the `with` block lasts."""
    here = Crowd(providers, seconds=seconds, busy=busy, grey=grey)
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
