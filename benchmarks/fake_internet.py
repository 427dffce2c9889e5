"""The other side of `scans`: a town of 500 mail servers, and the DNS that leads to them.

Run as `python -m benchmarks.fake_internet`, in a process of its own. It prints the ports, DNS and SMTP, and
runs until it is ended; at SIGUSR1 it prints how many questions and sessions there were since the last time.

Theory of the town. The domain `d17.s42.town.test` has the one MX `mx42.town.test`; that has one address,
127.77.0.43, which is named so. Nothing is looked up anywhere: an answer is made from the name asked for. The
servers are one and the same behind all the addresses, speak TLS 1.3 and PIPELINING, take postmaster and
bounces and refuse to relay. Both are as quick as Python lets them be, since they share the machine with what
is measured.
"""

import asyncio
import random
import signal
import ssl
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from struct import pack

from checker_smtp.demo.lab import tls_context

__all__ = ["HELD", "PLAIN", "SERVERS", "domains"]

# Names to introduce oneself with: who is offered no STARTTLS, and who has to wait for an answer under TLS.
PLAIN, HELD = "plain.probe.test", "held.probe.test"
_HELD_FOR = 6.0

SERVERS = 500
_NET = "127.77"
_A, _PTR, _MX, _AAAA = 1, 12, 15, 28
_SOA = b"\xc0\x0c" + pack(">HHIH", 6, 1, 300, 22) + b"\x00\x00" + pack(">IIIII", 1, 300, 300, 300, 300)
# Postfix's, in its order, and its words below.
_BEFORE = "PIPELINING", "SIZE 10240000", "VRFY", "ETRN"
_AFTER = "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"
_REPLIES = {
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "RSET": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye",
    "STARTTLS": "220 2.0.0 Ready to start TLS",
}
_counted: Counter[str] = Counter()


def domains(number: int, seed: int = 1) -> Iterator[str]:
    """Names spread over the servers by Zipf's law: the n-th server has 1/n of what the first has."""
    chance = random.Random(seed)  # noqa: S311 - the same list every time
    weights = list(accumulate(1 / rank for rank in range(1, SERVERS + 1)))
    for place, server in enumerate(chance.choices(range(SERVERS), cum_weights=weights, k=number)):
        yield f"d{place}.s{server}.town.test"


def _address(server: int) -> str:
    return f"{_NET}.{server // 250}.{server % 250 + 1}"


def _wire(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _answer(labels: list[str], rdtype: int) -> bytes | None:
    """The data of the one record that there is."""
    if rdtype == _MX and labels[1:2] and labels[1].startswith("s"):
        return pack(">H", 10) + _wire(f"mx{labels[1][1:]}.town.test")
    if rdtype == _A and labels[0].startswith("mx"):
        return bytes(map(int, _address(int(labels[0][2:])).split(".")))
    if rdtype == _PTR and labels[-2:] == ["in-addr", "arpa"]:
        return _wire(f"mx{int(labels[1]) * 250 + int(labels[0]) - 1}.town.test")
    return None


class _Names(asyncio.DatagramProtocol):
    """The DNS of the town."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        _counted["questions"] += 1
        labels, at = [], 12
        while size := data[at]:
            labels.append(data[at + 1 : at + 1 + size].decode().lower())
            at += 1 + size
        rdtype = int.from_bytes(data[at + 1 : at + 3], "big")
        found = _answer(labels, rdtype) if labels else None
        counts = pack(">HHHH", 1, 1, 0, 0) if found else pack(">HHHH", 1, 0, 1, 0)
        body = b"\xc0\x0c" + pack(">HHIH", rdtype, 1, 300, len(found)) + found if found else _SOA
        self._transport.sendto(data[:2] + b"\x81\x80" + counts + data[12 : at + 5] + body, peer)


def _reply(line: str, secured: bool) -> str:
    verb, _, rest = line.partition(" ")
    verb = verb.upper()
    if verb == "EHLO":
        starttls = () if secured or rest == PLAIN else ("STARTTLS",)
        words = "mx.town.test", *_BEFORE, *starttls, *_AFTER
        return "".join(f"250-{word}\r\n" for word in words[:-1]) + f"250 {words[-1]}\r\n"
    if verb == "RCPT" and ".town.test>" not in rest:
        return f"554 5.7.1 {rest[3:]}: Relay access denied\r\n"
    return _REPLIES[verb] + "\r\n"


async def _session(tls: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One session of any server; what came in one read is answered in one write, as Postfix does."""
    _counted["sessions"] += 1
    writer.write(b"220 mx.town.test ESMTP\r\n")
    secured, held, rest = False, False, ""
    try:
        while data := await reader.read(65536):
            *lines, rest = (rest + data.decode("latin-1")).split("\r\n")
            verbs = [line.partition(" ")[0].upper() for line in lines]
            held = held or f"EHLO {HELD}" in lines
            if held and "MAIL" in verbs:
                await asyncio.sleep(_HELD_FOR)
            writer.write("".join(_reply(line, secured) for line in lines).encode())
            if "STARTTLS" in verbs:
                await writer.start_tls(tls)
                secured = True
            if "QUIT" in verbs:
                break
    except (OSError, ssl.SSLError):
        pass
    finally:
        writer.close()


def _report() -> None:
    print(_counted["questions"], _counted["sessions"], flush=True)
    _counted.clear()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    names, _ = await loop.create_datagram_endpoint(_Names, ("127.0.0.1", 0))
    tls = tls_context()
    first = await asyncio.start_server(lambda r, w: _session(tls, r, w), _address(0), 0, backlog=1024)
    port = first.sockets[0].getsockname()[1]
    rest = [_address(server) for server in range(1, SERVERS)]
    others = await asyncio.start_server(lambda r, w: _session(tls, r, w), rest, port, backlog=1024)
    loop.add_signal_handler(signal.SIGUSR1, _report)
    print(names.get_extra_info("sockname")[1], port, flush=True)
    await asyncio.gather(first.serve_forever(), others.serve_forever())


if __name__ == "__main__":
    asyncio.run(_main())
