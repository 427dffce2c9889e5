"""DNS servers that are functions from a question to datagrams.

Each runs in a thread at the other end of a socket pair that keeps datagrams apart. No transport of
dnspython's is used, so nothing of it is faked.
"""

import errno
import socket
import struct
from collections.abc import Callable, Mapping
from functools import partial
from threading import Thread
from typing import TypeAlias

import anyio
import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.dns.system_config import SystemConfig
from checker_smtp.probes.ports import DnsAnswer

__all__ = [
    "GENEROUS",
    "MX",
    "Say",
    "Serve",
    "Servers",
    "ask_of",
    "cut_short",
    "gone",
    "only",
    "over_tcp",
    "reply",
    "resolver_of",
    "several",
    "silent",
    "without_edns",
]

Serve: TypeAlias = Callable[[dns.message.Message], list[bytes] | None]
Say: TypeAlias = Callable[[dns.message.Message], list[bytes]]
# Seconds: what a test waits for is there long before.
GENEROUS = 20.0
MX = "mx.test. 300 IN MX 10 a.mx.test."
SOA = dns.rrset.from_text("test.", 60, "IN", "SOA", "ns.test. root.test. 1 2 3 4 5")


def reply(
    *records: str,
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    flags: int = dns.flags.RA,
    ede: str = "",
    ede_code: dns.edns.EDECode = dns.edns.EDECode.NO_REACHABLE_AUTHORITY,
    soa: bool = True,
) -> Say:
    """A server that always says this, with an SOA in the authority section."""

    def serve(query: dns.message.Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        response.flags |= flags
        for record in records:
            name, ttl, rdclass, rdtype, data = record.split(maxsplit=4)
            response.answer.append(dns.rrset.from_text(name, int(ttl), rdclass, rdtype, data))
        if soa:
            response.authority.append(SOA)
        if ede:
            response.use_edns(options=[dns.edns.EDEOption(ede_code, ede)])
        return [response.to_wire(max_size=65535)]

    return serve


def silent(_: dns.message.Message) -> list[bytes]:
    """Never answers."""
    return []


def gone(_: dns.message.Message) -> None:
    """Goes away over the question, which is as near to a refusal as a socket pair gets."""


def cut_short(*records: str) -> Serve:
    """Answers with these records and TC=1."""
    return reply(*records, flags=dns.flags.RA | dns.flags.TC)


def without_edns(refusal: Serve, serve: Serve) -> Serve:
    """Answers only questions without EDNS; the others get `refusal`."""
    return lambda query: (refusal if query.edns >= 0 else serve)(query)


def over_tcp(*records: str, pieces: int = 1, flags: int = dns.flags.RA) -> Callable[[bytes], list[bytes]]:
    """Answers over TCP with these records, in so many pieces."""

    def serve(wire: bytes) -> list[bytes]:
        (data,) = reply(*records, flags=flags)(dns.message.from_wire(wire))
        data = len(data).to_bytes(2, "big") + data
        size = -(-len(data) // pieces)
        return [data[at : at + size] for at in range(0, len(data), size)]

    return serve


class Servers:
    """Servers over UDP, by address, and over TCP; `asked` has every question and its transport.

    Over TCP all addresses have one server, or each its own; without one it refuses. With `tcp_waits` it
    leaves it to the client to close the connection.
    """

    def __init__(
        self,
        udp: Mapping[str, Serve],
        tcp: Callable[[bytes], list[bytes]] | Mapping[str, Callable[[bytes], list[bytes]]] | None = None,
        *,
        tcp_waits: bool = False,
    ) -> None:
        self.udp = dict(udp)
        self._tcp_waits = tcp_waits
        self._tcp = dict.fromkeys(udp, tcp) if callable(tcp) else dict(tcp or {})
        self.asked: list[tuple[str, str, int, dns.message.Message]] = []
        self._threads: list[Thread] = []
        self.error: BaseException | None = None

    def connect_udp(self, host: str, port: int) -> socket.socket:
        return self._dial(socket.SOCK_SEQPACKET, partial(self._answer_udp, host, port))

    def connect_tcp(self, host: str, port: int) -> socket.socket:
        if host not in self._tcp:
            raise OSError(errno.ECONNREFUSED, "whatever")
        return self._dial(socket.SOCK_STREAM, partial(self._answer_tcp, host, port))

    def join(self) -> None:
        for thread in self._threads:
            thread.join(GENEROUS)
        if self.error is not None:
            raise self.error

    def asked_over(self) -> list[tuple[str, str]]:
        """The last number of each server's address and the transport, in the order of the questions."""
        return [(host.rpartition(".")[2], how) for how, host, *_ in self.asked]

    def _dial(self, kind: int, serve: Callable[[socket.socket], None]) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        ours.settimeout(GENEROUS)
        theirs.setblocking(False)

        def run() -> None:
            with ours:
                try:
                    serve(ours)
                except BaseException as error:  # noqa: BLE001 - join raises it
                    self.error = error

        self._threads.append(Thread(target=run, daemon=True))
        self._threads[-1].start()
        return theirs

    def _answer_udp(self, host: str, port: int, sock: socket.socket) -> None:
        wire = sock.recv(65535, socket.MSG_PEEK)
        if not wire:
            return  # cancelled before it was sent
        answers = self.udp[host](self._heard("udp", host, port, wire))
        if answers is None:
            return
        try:
            for answer in answers:
                sock.send(answer)
            sock.recv(65535)
            while sock.recv(65535):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass  # another server was faster

    def _answer_tcp(self, host: str, port: int, sock: socket.socket) -> None:
        data = sock.recv(65535)
        (length,) = struct.unpack("!H", data[:2])
        assert len(data) == 2 + length
        self._heard("tcp", host, port, data[2:])
        for piece in self._tcp[host](data[2:]):
            sock.sendall(piece)
        while self._tcp_waits and sock.recv(65535):
            pass

    def _heard(self, how: str, host: str, port: int, wire: bytes) -> dns.message.Message:
        query = dns.message.from_wire(wire)
        self.asked.append((how, host, port, query))
        return query


def only(serve: Serve, tcp: Callable[[bytes], list[bytes]] | None = None) -> Servers:
    """One server, at 192.0.2.1."""
    return Servers({"192.0.2.1": serve}, tcp)


def several(*serve: Serve) -> Servers:
    """Servers at 192.0.2.1, 192.0.2.2, and so on."""
    return Servers({f"192.0.2.{number}": one for number, one in enumerate(serve, start=1)})


def resolver_of(
    servers: Servers, timeout: float | None = None, config: Mapping[str, int] | None = None
) -> DnsResolver:
    """A resolver that the system has configured with these servers, and `config` beside them."""
    system = SystemConfig(tuple(servers.udp), **(config or {}))
    return DnsResolver(
        timeout=timeout, udp=servers.connect_udp, tcp=servers.connect_tcp, system=lambda: system
    )


def ask_of(servers: Servers, loop: str, rdtype: str = "MX", *, timeout: float = GENEROUS) -> DnsAnswer:
    """Ask a new resolver with these servers for mx.test, and wait for the servers to end."""
    answer = anyio.run(resolver_of(servers, timeout).resolve, "mx.test", rdtype, backend=loop)
    servers.join()
    return answer
