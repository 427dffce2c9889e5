"""Whatever way a run ends, the script has been closed and the peer sees the connection end."""

import selectors
import socket
from collections.abc import Callable
from functools import partial

import anyio
import pytest

from checker_smtp.backends.transport.anyio_driver import run_anyio
from checker_smtp.backends.transport.blocking import run_blocking
from smtp_sansio import Connect, Receive, Script, Secured, Upgrade
from tests.runtimes.peer import ScriptedPeer
from tests.runtimes.session_script import RUNTIMES, SHORT


class Held:
    """A script that is held up, in clear, in a handshake or under TLS; calls `begun` when it will be."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.begun: Callable[[], object] = lambda: None
        self.closed = False

    def script(self) -> Script[None]:
        try:
            yield Connect("192.0.2.7", 25, 20)
            if self.where == "under tls":
                yield Upgrade("mx.test", 20)
            self.begun()
            yield Upgrade("mx.test", 20) if self.where == "handshake" else Receive(20)
        finally:
            self.closed = True


PLAYS = {"in clear": "SILENT", "handshake": "HELLO\nSILENT", "under tls": "TLS\nSILENT"}


@pytest.mark.parametrize("where", PLAYS)
def test_cancelled(loop: str, where: str) -> None:
    held, peer = Held(where), ScriptedPeer(PLAYS[where])
    sockets: list[socket.socket] = []

    def dial(host: str, port: int) -> socket.socket:
        sockets.append(peer.dial(host, port))
        return sockets[-1]

    async def main() -> None:
        begun = anyio.Event()
        held.begun = begun.set
        async with anyio.create_task_group() as group:
            group.start_soon(partial(run_anyio, dial=dial), held.script())
            await begun.wait()
            await anyio.sleep(SHORT)
            assert not held.closed
            group.cancel_scope.cancel()
        # on leaving the group, not some time later
        assert held.closed
        assert sockets[0].fileno() == -1

    anyio.run(main, backend=loop)
    peer.join()
    assert peer.client_left


def test_cancelled_before_it_began(loop: str) -> None:
    held, peer = Held("in clear"), ScriptedPeer("SILENT")

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await run_anyio(held.script(), dial=peer.dial)
        assert scope.cancelled_caught

    anyio.run(main, backend=loop)
    peer.join()
    assert held.closed
    assert peer.client_left


@pytest.mark.parametrize("where", PLAYS)
def test_interrupted(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    held, peer = Held(where), ScriptedPeer(PLAYS[where])

    def interrupt(*_: object) -> object:
        raise KeyboardInterrupt

    held.begun = lambda: monkeypatch.setattr(selectors.DefaultSelector, "select", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_blocking(held.script(), dial=peer.dial)
    assert held.closed
    peer.join()
    assert peer.client_left


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_script_that_raises(runtime: str) -> None:
    def script() -> Script[None]:
        yield Connect("192.0.2.7", 25, 20)
        raise LookupError("a bug of the script's")

    peer = ScriptedPeer("SILENT")
    with pytest.raises(LookupError, match="a bug"):
        RUNTIMES[runtime](script(), peer.dial)
    peer.join()
    assert peer.client_left


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("play", ["SILENT", "TLS\nSILENT"])
def test_a_script_that_ends(runtime: str, play: str) -> None:
    def script() -> Script[str]:
        yield Connect("192.0.2.7", 25, 20)
        if "TLS" in play:
            assert isinstance((yield Upgrade("", 20)), Secured)
        return "done"

    peer = ScriptedPeer(play)
    assert RUNTIMES[runtime](script(), peer.dial) == "done"
    peer.join()
    assert peer.client_left
