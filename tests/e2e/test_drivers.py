"""Drivers over real sockets: ours, those of examples/drivers, and the natural one that must not pass."""

import asyncio
import gc
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from checker_smtp.drivers import client_context, run_anyio, run_blocking
from checker_smtp.testing.driver_conformance import (
    DriverContractError,
    EventLoop,
    check_driver,
    conformance_tests,
)
from checker_smtp.testing.driver_scripts import session
from checker_smtp.testing.socket_peer import SocketPeer
from smtp_sansio import Connect, Done, Outcome, Receive, Received, Script, Secured, Send, Upgrade

EXAMPLES = Path(__file__).parents[2] / "examples" / "drivers"
GREETING = "S: 220 mx.test ESMTP\nC: EHLO probe.test\nS: 250 mx.test\n"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DRIVERS: dict[str, tuple[Callable[..., Any], EventLoop | None]] = {
    "ours, blocking": (run_blocking, None),
    "ours, asyncio": (run_anyio, "asyncio"),
    "ours, trio": (run_anyio, "trio"),
    "blocking": (example("blocking").run, None),
    "asyncio_streams": (example("asyncio_streams").run, "asyncio"),
    "asyncio_protocol": (example("asyncio_protocol").run, "asyncio"),
    "trio_task": (example("trio_task").run, "trio"),
    "many_sessions": (lambda script: example("many_sessions").run_all([script])[0], None),
}


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= set(DRIVERS)


@pytest.mark.parametrize("name", DRIVERS)
def test_a_driver_keeps_the_contract(name: str) -> None:
    check_driver(*DRIVERS[name])


def test_fifty_sessions_run_at_once_in_one_thread() -> None:
    """The first server sends its greeting only after the last one has a client."""
    peers = [SocketPeer(GREETING) for _ in range(50)]
    try:
        scripts = [session()(*peer.listen()) for peer in peers]
        results = example("many_sessions").run_all(scripts)
    finally:
        for peer in peers:
            peer.close()
    assert len(results) == 50
    assert all(result[:2] == ["220 mx.test ESMTP", "250 mx.test"] for result in results)


async def natural(script: Script[Any]) -> Any:
    """Drive `script` as one does who reads replies line by line and knows nothing of the contract."""
    effect = next(script)
    try:
        while True:
            outcome: Outcome = Done(0.0)
            match effect:
                case Connect(host, port):
                    reader, writer = await asyncio.open_connection(host, port)
                case Send(data):
                    writer.write(data)
                    await writer.drain()
                case Receive(timeout):
                    outcome = Received(0.0, await asyncio.wait_for(reader.readline(), timeout))
                case Upgrade(name):
                    await writer.start_tls(client_context(), server_hostname=name)
                    outcome = Secured(0.0, "TLSv1.3", "")
            effect = script.send(outcome)
    except StopIteration as stop:
        writer.close()
        return stop.value


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_natural_driver_accepts_an_injected_reply_and_is_found_out() -> None:
    names = ("all-octets", "half-line", "injection", "injection-held", "clock", "refused", "session")
    broken: dict[str, str] = {}
    for test in conformance_tests("asyncio"):
        if test.name not in names:
            continue
        try:
            test.check(natural)
        except DriverContractError as error:
            broken[test.name] = str(error)
    # the sockets that it leaves open are closed here
    gc.collect()
    assert [*broken] == ["all-octets", "half-line", "injection", "injection-held", "refused", "clock"]
    assert "220 Go ahead, 250 injected" in broken["injection"]
