"""Hostile mail servers, and the DNS that leads to them, in a process of their own."""

import multiprocessing
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from threading import Thread
from typing import TypeAlias

from checker_smtp.testing import Zone
from checker_smtp.testing.dns_server import respond

__all__ = ["DOMAIN", "HostileServers", "Talk", "hostile_servers", "one_host"]

Talk: TypeAlias = Callable[[socket.socket], None]
"""Serves one connection, in a thread of its own; a function of a module, because another process runs it."""

DOMAIN = "hostile.test"


@dataclass(frozen=True, slots=True)
class HostileServers:
    """The ports of the DNS server and of the mail servers, all on loopback."""

    dns: int
    smtp: int

    @property
    def arguments(self) -> tuple[str, ...]:
        """The options with which a command visits these servers."""
        resolver, port = f"127.0.0.1:{self.dns}", str(self.smtp)
        return ("--resolver", resolver, "--port", port, "--allow-target", "127.0.0.0/8")


def one_host(addresses: Sequence[str]) -> str:
    """Return a zone in which `DOMAIN` has one MX, with these addresses."""
    return f"{DOMAIN} MX 10 mx.{DOMAIN}.\n" + "\n".join(f"mx.{DOMAIN} A {address}" for address in addresses)


@contextmanager
def hostile_servers(talk: Talk, zone: str, addresses: Sequence[str]) -> Iterator[HostileServers]:
    """Serve `zone` (as `Zone` reads it), and `talk` at each of the addresses, on one port."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, talk, zone, tuple(addresses)), daemon=True)
    process.start()
    try:
        yield HostileServers(*ours.recv())
    finally:
        process.kill()
        process.join()


def _serve(parent: Connection, talk: Talk, zone: str, addresses: Sequence[str]) -> None:
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 0))
    port, threads = 0, [Thread(target=_answer, args=(names, Zone(zone)))]
    for address in addresses:
        listener = socket.create_server((address, port), backlog=1024)
        port = listener.getsockname()[1]
        threads.append(Thread(target=_accept, args=(listener, talk)))
    for thread in threads:
        thread.start()
    parent.send((names.getsockname()[1], port))


def _answer(names: socket.socket, zone: Zone) -> None:
    while True:
        query, client = names.recvfrom(65535)
        if (response := respond(query, zone.lookup)) is not None:
            names.sendto(response, client)


def _accept(listener: socket.socket, talk: Talk) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Thread(target=_talk, args=(talk, connection), daemon=True).start()


def _talk(talk: Talk, connection: socket.socket) -> None:
    with connection, suppress(OSError):
        talk(connection)
