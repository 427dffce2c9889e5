"""Find out if a driver keeps the contract of docs/event-loops.md: each broken rule is named in one sentence.

A driver runs a script: `run(script)` returns what the script returns, or is a coroutine function that does.
It is tested against servers on loopback, one for each rule. For one that keeps the contract that takes a few
seconds. In pytest:

    @pytest.mark.parametrize("test", conformance_tests("asyncio"), ids=str)
    def test_my_driver(test):
        test.check(run)

Everywhere else `check_driver(run, "asyncio")`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any, Final, Literal, TypeAlias

import anyio

from smtp_sansio import Connect, Effect, Receive, Script, Upgrade

from .driver_rules import RULES, DriverRule
from .driver_scripts import LONG, SHORT
from .socket_peer import SocketPeer

__all__ = ["ConformanceTest", "DriverContractError", "check_driver", "conformance_tests"]

Driver: TypeAlias = Callable[..., Any]
"""`run(script)`, or with a socket pair `run(script, dial=…)`."""

EventLoop: TypeAlias = Literal["asyncio", "trio"]

# Seconds until a driver is given up: longer than the longest effect of a rule.
_LIMIT: Final = LONG + 2


class DriverContractError(AssertionError):
    """A driver breaks the contract; the message has one line for each broken rule."""


@dataclass(frozen=True, slots=True)
class ConformanceTest:
    """One rule of the contract as a test; `sentence` says what a driver has to do."""

    name: str
    sentence: str
    _find_problem: Callable[["_Bench"], str | None]
    _loop: EventLoop | None = None

    def __str__(self) -> str:
        return self.name

    def check(self, run: Driver, *, socketpair: bool = False) -> None:
        """Test the driver `run`. Raises `DriverContractError` where it breaks this rule.

        With `socketpair` no socket is opened: the driver is called with `dial`, a function that returns a
        non-blocking socket for a host and a port, or raises OSError.
        """
        problem = self._find_problem(_Bench(run, self._loop, socketpair))
        if problem is not None:
            raise DriverContractError(f"{self.name}: {self.sentence} {problem}")


def conformance_tests(loop: EventLoop | None = None) -> tuple[ConformanceTest, ...]:
    """Return the tests for a driver of this event loop, None for one that is no coroutine function."""
    tests = [ConformanceTest(one.name, one.sentence, partial(_follow, one), loop) for one in RULES]
    tests.append(ConformanceTest("raise", _RAISE, _raise, loop))
    if loop is not None:
        tests += [
            ConformanceTest(f"cancel-{name}", _CANCEL, partial(_cancel, *held, loop), loop)
            for name, held in _HELD.items()
        ]
    return tuple(tests)


def check_driver(run: Driver, loop: EventLoop | None = None, *, socketpair: bool = False) -> None:
    """Test the driver `run` by every rule; see `ConformanceTest.check`.

    Raises `DriverContractError`, which names each rule that the driver breaks.
    """
    broken: list[str] = []
    for test in conformance_tests(loop):
        try:
            test.check(run, socketpair=socketpair)
        except DriverContractError as error:
            broken.append(str(error))
    if broken:
        raise DriverContractError("\n".join(broken))


@dataclass(frozen=True, slots=True)
class _Bench:
    """A driver, and how to run it against a server."""

    run: Driver
    loop: EventLoop | None
    socketpair: bool

    @contextmanager
    def serve(self, steps: str) -> Iterator[tuple[SocketPeer, Driver, str, int]]:
        """Yield a server that follows `steps`, the driver that reaches it, and its host and port."""
        peer = SocketPeer(steps)
        try:
            if self.socketpair:
                yield peer, partial(self.run, dial=peer.dial), "192.0.2.7", 25
            else:
                yield peer, self.run, *peer.listen()
        finally:
            peer.close()

    def perform(self, run: Driver, script: Script[Any], peer: SocketPeer) -> list[str]:
        """Run `script` in a thread, so that a driver that never ends is given up; return its words."""
        if self.loop is None:
            return _watch(partial(run, script), peer)
        return _watch(partial(anyio.run, run, script, backend=self.loop), peer)


def _watch(call: Callable[[], list[str]], peer: SocketPeer) -> list[str]:
    """Return what `call` returns, or what it raised, or that it did not end in time."""
    words: list[str] = []

    def run() -> None:
        try:
            words.extend(call())
        except BaseException as error:  # noqa: BLE001 - the driver's, and the result of the test
            words.append(f"raised {error!r}")

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(_LIMIT)
    if not thread.is_alive():
        return words
    peer.close()
    thread.join(LONG)  # most drivers end where the server does
    return [f"still running after {_LIMIT:g} seconds"]


def _follow(rule: DriverRule, bench: _Bench) -> str | None:
    with bench.serve(rule.steps) as (peer, run, host, port):
        words = bench.perform(run, rule.script(host, port), peer)
        if words not in rule.expected:
            return f"Expected: {' or '.join(map(_shown, rule.expected))}. The driver gave: {_shown(words)}."
        if rule.server_names and tuple(peer.server_names) != rule.server_names:
            return f"Expected: {rule.server_names[0]!r}. The server received: {peer.server_names[0]!r}."
        if rule.is_left:
            return _still_open(peer)
    return None


_RAISE: Final = "What a script raises reaches the caller as it is, and the connection is closed."


def _raise(bench: _Bench) -> str | None:
    def script(host: str, port: int) -> Script[list[str]]:
        yield Connect(host, port, LONG)
        raise LookupError("a fault of the script")

    with bench.serve("SILENT") as (peer, run, host, port):
        words = bench.perform(run, script(host, port), peer)
        if words != ["raised LookupError('a fault of the script')"]:
            return f"Expected: LookupError. The driver gave: {_shown(words)}."
        return _still_open(peer)


_CANCEL: Final = "When a driver is cancelled, the script and the connection are closed at once."
_HELD: Final[dict[str, tuple[str, Effect | None, Effect]]] = {
    "receive": ("SILENT", None, Receive(LONG)),
    "handshake": ("HELLO\nSILENT", None, Upgrade("mx.test", LONG)),
    "under-tls": ("TLS\nSILENT", Upgrade("mx.test", LONG), Receive(LONG)),
}


class _HeldScript:
    """A script that calls `begun` and asks for `last`, which never ends; `is_closed` once it was closed."""

    def __init__(self, before: Effect | None, last: Effect, begun: Callable[[], object]) -> None:
        self._before = before
        self._last = last
        self._begun = begun
        self.is_closed = False

    def script(self, host: str, port: int) -> Script[None]:
        try:
            yield Connect(host, port, LONG)
            if self._before is not None:
                yield self._before
            self._begun()
            yield self._last
        finally:
            self.is_closed = True


def _cancel(steps: str, before: Effect | None, last: Effect, loop: EventLoop, bench: _Bench) -> str | None:
    with bench.serve(steps) as (peer, run, host, port):

        async def main() -> list[str]:
            begun = anyio.Event()
            held = _HeldScript(before, last, begun.set)
            problems: list[str] = []

            async def drive() -> None:
                await run(held.script(host, port))
                problems.append("the run continued")

            async with anyio.create_task_group() as group:
                group.start_soon(drive)
                with anyio.move_on_after(LONG):
                    await begun.wait()
                # the driver waits for the server now
                await anyio.sleep(SHORT)
                group.cancel_scope.cancel()
            return problems if held.is_closed else [*problems, "the script is not closed"]

        words = _watch(partial(anyio.run, main, backend=loop), peer)
        return f"After it was cancelled: {_shown(words)}." if words else _still_open(peer)


def _still_open(peer: SocketPeer) -> str | None:
    peer.join(LONG)
    return None if peer.client_left else "The server does not see the connection end."


def _shown(words: list[str]) -> str:
    return ", ".join(words)[:400] or "nothing"
