"""Run sessions through a SOCKS 5 proxy: `Connect` becomes a conversation with it (RFC 1928)."""

from ipaddress import ip_address
from typing import TypeVar

from checker_smtp import Network
from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Script,
    Send,
    intercept,
)

T = TypeVar("T")
KINDS = {2: "not-permitted", 3: "network-unreachable", 4: "host-unreachable", 5: "refused"}
ADDRESS_LENGTHS = {1: 4, 4: 16}


class ProxyError(Exception):
    """The proxy did not make the connection, for the reason `failed`."""

    def __init__(self, failed: Failed) -> None:
        self.failed = failed


class SocksSession:
    """One connection through the proxy at an address and a port."""

    def __init__(self, proxy: str, port: int) -> None:
        self.proxy, self.port = proxy, port
        self.held = bytearray()
        self.now = 0.0

    def handle(self, effect: Effect) -> Script[Outcome]:
        """Perform one effect of the script."""
        if isinstance(effect, Connect):
            try:
                return (yield from self.connect(effect))
            except ProxyError as error:
                return error.failed
        if isinstance(effect, Receive) and self.held:
            # the greeting came in one read with the proxy's reply
            return Received(self.now, self.take(len(self.held)))
        return (yield effect)

    def connect(self, target: Connect) -> Script[Outcome]:
        address, seconds = ip_address(target.host), target.timeout
        yield from self.perform(Connect(self.proxy, self.port, seconds))
        yield from self.perform(Send(b"\x05\x01\x00", seconds))
        if (yield from self.read(2, seconds)) != b"\x05\x00":
            return Failed(self.now, FailureKind.NOT_PERMITTED, "the proxy demands a login")
        kind = b"\x01" if address.version == 4 else b"\x04"
        request = b"\x05\x01\x00" + kind + address.packed + target.port.to_bytes(2, "big")
        yield from self.perform(Send(request, seconds))
        _, reply, _, bound = yield from self.read(4, seconds)
        if reply:
            return Failed(self.now, FailureKind(KINDS.get(reply, "other")), f"SOCKS reply {reply}")
        yield from self.read(ADDRESS_LENGTHS[bound] + 2, seconds)
        return Done(self.now)

    def read(self, length: int, seconds: float) -> Script[bytes]:
        while len(self.held) < length:
            self.held.extend((yield from self.perform(Receive(seconds))))
        return self.take(length)

    def take(self, length: int) -> bytes:
        taken = bytes(self.held[:length])
        del self.held[:length]
        return taken

    def perform(self, effect: Effect) -> Script[bytes]:
        outcome = yield effect
        self.now = outcome.at
        if isinstance(outcome, Failed):
            raise ProxyError(outcome)
        if isinstance(outcome, Received) and not outcome.data:
            raise ProxyError(Failed(self.now, FailureKind.CLOSED, "by the proxy"))
        return outcome.data if isinstance(outcome, Received) else b""


def through_socks(script: Script[T], proxy: str, port: int) -> Script[T]:
    """Return `script` with its connections made by the proxy."""
    return intercept(script, SocksSession(proxy, port).handle)


class SocksNetwork(Network):
    """A network whose sessions go through a SOCKS 5 proxy. DNS questions do not."""

    proxy = ("127.0.0.1", 1080)

    async def run(self, script: Script[T]) -> T:
        return await super().run(through_socks(script, *self.proxy))
