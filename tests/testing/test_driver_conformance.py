"""The conformance kit: our drivers pass it, and each way to break the contract is named in one sentence."""

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio
import pytest

from checker_smtp.drivers import OpenSocket, run_anyio, run_blocking
from checker_smtp.testing import driver_conformance
from checker_smtp.testing.driver_conformance import (
    ConformanceTest,
    DriverContractError,
    check_driver,
    conformance_tests,
)
from smtp_sansio import Effect, Failed, FailureKind, Outcome, Receive, Received, Script, intercept

TESTS = {test.name: test for test in conformance_tests()}
FOR_LOOPS = {test.name: test for test in conformance_tests("asyncio")}
Driver = Callable[[Script[Any], OpenSocket], Any]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a driver that waits for nothing be given up at once."""
    monkeypatch.setattr(driver_conformance, "LONG", 0.2)
    monkeypatch.setattr(driver_conformance, "_LIMIT", 0.5)


@pytest.mark.parametrize("test", conformance_tests(), ids=str)
def test_our_blocking_driver(test: ConformanceTest) -> None:
    test.check(run_blocking, socketpair=True)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_our_driver_for_event_loops(loop: driver_conformance.EventLoop) -> None:
    check_driver(run_anyio, loop, socketpair=True)


def test_every_rule_has_a_name_of_its_own_and_one_sentence() -> None:
    assert len(FOR_LOOPS) == len(conformance_tests("asyncio")) > 30
    for test in FOR_LOOPS.values():
        assert test.sentence.endswith(".")
        assert ". " not in test.sentence


def by_line(script: Script[Any], dial: OpenSocket) -> Any:
    """Read as `readline` does: the rest of a read is held for the next Receive."""
    held = b""

    def handler(effect: Effect) -> Script[Outcome]:
        nonlocal held
        outcome: Outcome = Received(0.0, b"")
        while isinstance(effect, Receive) and b"\n" not in held:
            outcome = yield effect
            if not (isinstance(outcome, Received) and outcome.data):
                return outcome
            held += outcome.data
        if isinstance(effect, Receive):
            line, _, held = held.partition(b"\n")
            return Received(outcome.at, line + b"\n")
        return (yield effect)

    return run_blocking(intercept(script, handler), dial=dial)


@pytest.mark.usefixtures("impatient")
def test_the_natural_driver_that_reads_lines_fails() -> None:
    """It reads a reply that was injected in the clear as if it had come under TLS."""
    broken: dict[str, str] = {}
    for name in ("all-octets", "half-line", "injection", "session"):
        with suppress(DriverContractError):
            TESTS[name].check(by_line, socketpair=True)
            continue
        broken[name] = TESTS[name].sentence
    assert list(broken) == ["all-octets", "half-line", "injection"]
    with pytest.raises(DriverContractError) as found:
        TESTS["injection"].check(by_line, socketpair=True)
    assert str(found.value).startswith(
        "injection: Octets that came in the clear behind the 220 of STARTTLS are"
    )
    assert "220 Go ahead, 250 injected, " in str(found.value)


def changing(change: Callable[[Effect, Outcome], Outcome]) -> Driver:
    """Our driver, with each outcome changed on its way to the script."""

    def run(script: Script[Any], dial: OpenSocket) -> Any:
        def handler(effect: Effect) -> Script[Outcome]:
            return change(effect, (yield effect))

        return run_blocking(intercept(script, handler), dial=dial)

    return run


def raising(_: Effect, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failed):
        raise ConnectionError(outcome.detail)
    return outcome


def other_kind(_: Effect, outcome: Outcome) -> Outcome:
    return replace(outcome, kind=FailureKind.OTHER) if isinstance(outcome, Failed) else outcome


def in_microseconds(_: Effect, outcome: Outcome) -> Outcome:
    return replace(outcome, at=outcome.at + 0.000_001)


def backwards(_: Effect, outcome: Outcome) -> Outcome:
    return replace(outcome, at=-outcome.at)


def of_the_system(_: Effect, outcome: Outcome) -> Outcome:
    return replace(outcome, at=outcome.at + 1e9)


def without_sni(script: Script[Any], dial: OpenSocket) -> Any:
    def handler(effect: Effect) -> Script[Outcome]:
        named = hasattr(effect, "server_name")
        return (yield replace(effect, server_name="") if named else effect)  # type: ignore[call-arg]

    return run_blocking(intercept(script, handler), dial=dial)


def without_timeouts(script: Script[Any], dial: OpenSocket) -> Any:
    def handler(effect: Effect) -> Script[Outcome]:
        return (yield replace(effect, timeout=60))

    return run_blocking(intercept(script, handler), dial=dial)


def swallowing(script: Script[Any], dial: OpenSocket) -> Any:
    try:
        return run_blocking(script, dial=dial)
    except LookupError:
        return ["failed"]


@pytest.mark.parametrize(
    ("run", "name", "gave"),
    [
        (changing(raising), "refused", "raised ConnectionError('Connection refused')"),
        (changing(raising), "greeting-timeout", "raised ConnectionError('')"),
        (changing(other_kind), "reset", "done, done, failed: other"),
        (changing(other_kind), "no-tls", "done, failed: other"),
        (changing(in_microseconds), "clock", "not in milliseconds"),
        (changing(backwards), "clock", "not in order"),
        (changing(of_the_system), "clock", "not from the beginning of the script"),
        (without_sni, "server-name", None),
        (without_timeouts, "greeting-timeout", "still running after 0.5 seconds"),
        (swallowing, "raise", "failed"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_rule_that_is_broken_is_named(run: Driver, name: str, gave: str | None) -> None:
    with pytest.raises(DriverContractError) as found:
        TESTS[name].check(run, socketpair=True)
    message = str(found.value)
    assert message.startswith(f"{name}: {TESTS[name].sentence} Expected: ")
    assert gave is None or f"The driver gave: {gave}" in message


@pytest.mark.usefixtures("impatient")
def test_all_broken_rules_are_listed() -> None:
    with pytest.raises(DriverContractError) as found:
        check_driver(changing(raising), socketpair=True)
    names = [line.partition(":")[0] for line in str(found.value).splitlines()]
    assert names == [test.name for test in conformance_tests() if test.name in names]
    assert {"refused", "reset", "no-tls", "send-timeout"} <= set(names)
    assert not {"session", "end", "raise"} & set(names)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["close", "raise"])
def test_a_connection_that_is_left_open_is_found(name: str) -> None:
    kept: list[socket.socket] = []

    def run(script: Script[Any], dial: OpenSocket) -> Any:
        def keep(host: str, port: int) -> socket.socket:
            sock = dial(host, port)
            kept.append(sock.dup())
            return sock

        return run_blocking(script, dial=keep)

    with pytest.raises(DriverContractError, match="The server does not see the connection end"):
        TESTS[name].check(run, socketpair=True)
    kept[0].close()


@pytest.mark.usefixtures("impatient")
def test_a_driver_that_goes_on_after_it_was_cancelled_is_found() -> None:
    async def run(script: Script[Any], dial: OpenSocket) -> Any:
        with suppress(anyio.get_cancelled_exc_class()):
            return await run_anyio(script, dial=dial)

    with pytest.raises(DriverContractError, match="After it was cancelled: the run continued"):
        FOR_LOOPS["cancel-receive"].check(run, socketpair=True)


@pytest.mark.usefixtures("impatient")
def test_a_driver_that_leaves_its_script_open_when_cancelled_is_found() -> None:
    scripts: list[Script[Any]] = []

    def held(script: Script[Any]) -> Script[Any]:
        scripts.append(script)
        effect = next(script)
        while True:
            effect = script.send((yield effect))

    async def run(script: Script[Any], dial: OpenSocket) -> Any:
        return await run_anyio(held(script), dial=dial)

    with pytest.raises(DriverContractError, match="After it was cancelled: the script is not closed"):
        FOR_LOOPS["cancel-receive"].check(run, socketpair=True)
    scripts[0].close()


@pytest.mark.usefixtures("impatient")
def test_a_driver_that_never_reaches_the_step_is_found() -> None:
    async def run(script: Script[Any], dial: OpenSocket) -> Any:
        with dial("", 0):
            await anyio.sleep_forever()

    with pytest.raises(DriverContractError, match="the script is not closed"):
        FOR_LOOPS["cancel-receive"].check(run, socketpair=True)
