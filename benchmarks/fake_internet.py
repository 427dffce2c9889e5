"""The servers of `scans` and `sessions`: 500 mail servers, and the DNS of the domains they serve.

Run as `python -m benchmarks.fake_internet`, in a process of its own. It prints the ports of DNS and SMTP,
and runs until it is terminated; at SIGUSR1 it prints how many queries and sessions there were since the last
time.

The domain `d17.s42.town.test` has the one MX `mx42.town.test`; that has one address, 127.77.0.43, whose PTR
is that name. There is no zone: an answer is computed from the name. All addresses have the same server,
which speaks TLS 1.3 and PIPELINING, accepts postmaster and bounces, and refuses to relay.
"""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate

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
from checker_smtp.testing.session import Output

__all__ = ["HELD", "PLAIN", "SERVERS", "domains"]

# Names for EHLO: one is not offered STARTTLS, the other waits for the reply to MAIL under TLS.
PLAIN, HELD = "plain.probe.test", "held.probe.test"
_HELD_FOR = 6.0

SERVERS = 500
_NET = "127.77"
# Postfix's, in its order.
_BEFORE_STARTTLS = "PIPELINING", "SIZE 10240000", "VRFY", "ETRN"
_AFTER_STARTTLS = "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"
_ROOT = Zone()
_counted: Counter[str] = Counter()


def domains(number: int, seed: int = 1) -> Iterator[str]:
    """Yield `number` names; by Zipf's law the n-th server has 1/n of the first one's."""
    chance = random.Random(seed)  # noqa: S311 - the same list every time
    weights = list(accumulate(1 / rank for rank in range(1, SERVERS + 1)))
    for place, server in enumerate(chance.choices(range(SERVERS), cum_weights=weights, k=number)):
        yield f"d{place}.s{server}.town.test"


def _address(server: int) -> str:
    return f"{_NET}.{server // 250}.{server % 250 + 1}"


def _data(labels: list[str], rdtype: str) -> str:
    """Return the data of the one record of this name and type, empty where there is none."""
    if rdtype == "MX" and labels[1:2] and labels[1].startswith("s"):
        return f"10 mx{labels[1][1:]}.town.test."
    if rdtype == "A" and labels[0].startswith("mx"):
        return _address(int(labels[0][2:]))
    if rdtype == "PTR" and labels[-2:] == ["in-addr", "arpa"]:
        return f"mx{int(labels[1]) * 250 + int(labels[0]) - 1}.town.test."
    return ""


def _lookup(name: str, rdtype: str) -> DnsAnswer:
    if name == ".":
        return _ROOT.lookup(name, rdtype)
    _counted["queries"] += 1
    data = _data(name.lower().split("."), rdtype)
    status = DnsStatus.ANSWER if data else DnsStatus.NODATA
    records = (f"{name}. 300 IN {rdtype} {data}",) if data else ()
    return DnsAnswer(name=name, rdtype=rdtype, status=status, records=records)


class _Session(RuleSession):
    """A session as Postfix has it."""

    def keywords(self) -> list[str]:
        starttls = [] if self.is_secure or self.client_name == PLAIN else ["STARTTLS"]
        return [*_BEFORE_STARTTLS, *starttls, *_AFTER_STARTTLS]

    def receive(self, data: bytes) -> Iterable[Output]:
        if self.client_name == HELD and self.is_secure and b"MAIL" in data:
            return [Pause(_HELD_FOR), *super().receive(data)]
        return super().receive(data)


def _report() -> None:
    print(_counted["queries"], _counted["sessions"], flush=True)
    _counted.clear()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    names, _ = await loop.create_datagram_endpoint(lambda: DnsProtocol(_lookup), ("127.0.0.1", 0))
    server = RuleServer(host="mx.town.test", local_domains=(".town.test",))
    tls = server_tls_context()

    async def serve(stream: AnyByteStream) -> None:
        _counted["sessions"] += 1
        await serve_session(stream, _Session(server), tls)

    port = 0
    async with create_task_group() as listeners:
        for number in range(SERVERS):
            listener = await create_tcp_listener(local_host=_address(number), local_port=port, backlog=1024)
            port = listener.extra(SocketAttribute.local_port)
            listeners.start_soon(listener.serve, serve)
        loop.add_signal_handler(signal.SIGUSR1, _report)
        print(names.get_extra_info("sockname")[1], port, flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
