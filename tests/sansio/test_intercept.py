"""Scripts around scripts: the outcomes that `intercept` gives, the pairs that `tap` notes, and their end."""

from collections.abc import Generator

import pytest

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
    Transcript,
    intercept,
    tap,
)
from tests.sansio.notation import play


class Probe:
    """A script that records the outcomes it receives and its end, and a `note` that records its calls."""

    def __init__(self) -> None:
        self.closed = False
        self.outcomes: list[Outcome] = []
        self.noted: list[tuple[Effect, Outcome]] = []

    def script(self) -> Script[str]:
        try:
            for number in range(3):
                self.outcomes.append((yield Receive(number)))
        finally:
            self.closed = True
        return "the end"

    def note(self, effect: Effect, outcome: Outcome) -> None:
        self.noted.append((effect, outcome))


def test_tap_forwards_everything_and_notes_it_before_the_script_receives_it() -> None:
    probe = Probe()
    order: list[int] = []

    def note(effect: Effect, outcome: Outcome) -> None:
        order.append(len(probe.outcomes))
        probe.note(effect, outcome)

    script = tap(probe.script(), note)
    outcomes: list[Outcome] = [Received(float(number), b"x") for number in range(3)]
    assert next(script) == Receive(0)
    assert script.send(outcomes[0]) == Receive(1)
    assert script.send(outcomes[1]) == Receive(2)
    with pytest.raises(StopIteration) as stop:
        script.send(outcomes[2])
    assert stop.value.value == "the end"
    assert probe.outcomes == outcomes
    assert probe.noted == [(Receive(number), outcome) for number, outcome in enumerate(outcomes)]
    assert order == [0, 1, 2]
    assert probe.closed


def test_closing_the_tap_closes_the_script() -> None:
    probe = Probe()
    script = tap(probe.script(), probe.note)
    next(script)
    assert not probe.closed
    script.close()
    assert probe.closed
    assert probe.noted == []


def test_a_note_that_fails_closes_the_script() -> None:
    def note(effect: Effect, outcome: Outcome) -> None:
        raise OSError("disk full")

    probe = Probe()
    script = tap(probe.script(), note)
    next(script)
    with pytest.raises(OSError, match="disk full"):
        script.send(Done(0.0))
    assert probe.closed


def test_an_exception_of_the_script_passes_through_the_tap() -> None:
    def failing() -> Script[None]:
        yield Receive(1)
        raise ZeroDivisionError

    transcript = Transcript()
    script = tap(failing(), transcript.note)
    next(script)
    with pytest.raises(ZeroDivisionError):
        script.send(Received(0.5, b""))
    assert list(transcript) == [(Receive(1), Received(0.5, b""))]


def test_a_script_without_effects() -> None:
    def nothing() -> Script[int]:
        return 42
        yield Receive(0)

    played = play(nothing(), "")
    assert played.value == 42
    assert len(played.transcript) == 0


def returned(script: Script[str], last: Outcome) -> str:
    """Send the outcome that ends `script`; return its value."""
    with pytest.raises(StopIteration) as stop:
        script.send(last)
    value: str = stop.value.value
    return value


def test_a_handler_may_change_effects_and_outcomes() -> None:
    def handler(effect: Effect) -> Script[Outcome]:
        assert isinstance(effect, Receive)
        outcome = yield Receive(effect.timeout + 10)
        assert isinstance(outcome, Received)
        return Received(outcome.at, outcome.data.upper())

    probe = Probe()
    script = intercept(probe.script(), handler)
    assert next(script) == Receive(10)
    assert script.send(Received(1.0, b"a")) == Receive(11)
    assert script.send(Received(2.0, b"b")) == Receive(12)
    assert returned(script, Received(3.0, b"c")) == "the end"
    assert probe.outcomes == [Received(1.0, b"A"), Received(2.0, b"B"), Received(3.0, b"C")]
    assert probe.closed


def test_a_handler_may_yield_several_effects_for_one_and_none_for_another() -> None:
    refused = Failed(0.0, FailureKind.NOT_PERMITTED)

    def handler(effect: Effect) -> Script[Outcome]:
        if effect == Receive(1):
            return refused
        yield Send(b"before", 1)
        return (yield effect)

    probe = Probe()
    script = intercept(probe.script(), handler)
    assert next(script) == Send(b"before", 1)
    assert script.send(Done(0.1)) == Receive(0)
    assert script.send(Received(0.2, b"x")) == Send(b"before", 1)
    assert probe.outcomes == [Received(0.2, b"x"), refused]
    assert script.send(Done(0.3)) == Receive(2)
    assert returned(script, Done(0.4)) == "the end"


def test_a_handler_may_turn_effects_into_something_else() -> None:
    def handler(effect: Effect) -> Generator[str, int, Outcome]:
        number = yield f"number for {effect}"
        return Done(float(number))

    probe = Probe()
    steps = intercept(probe.script(), handler)
    assert next(steps) == f"number for {Receive(0)}"
    assert [steps.send(7), steps.send(8)] == [f"number for {Receive(1)}", f"number for {Receive(2)}"]
    assert probe.outcomes == [Done(7.0), Done(8.0)]
    steps.close()
    assert probe.closed


def test_a_handler_receives_what_the_driver_throws() -> None:
    def handler(effect: Effect) -> Script[Outcome]:
        try:
            return (yield effect)
        except TimeoutError:
            return Failed(9.0, FailureKind.TIMEOUT)

    probe = Probe()
    script = intercept(probe.script(), handler)
    next(script)
    assert script.throw(TimeoutError()) == Receive(1)
    assert probe.outcomes == [Failed(9.0, FailureKind.TIMEOUT)]


def test_a_handler_that_raises_closes_the_script() -> None:
    def handler(effect: Effect) -> Script[Outcome]:
        yield effect
        raise ZeroDivisionError

    probe = Probe()
    script = intercept(probe.script(), handler)
    next(script)
    with pytest.raises(ZeroDivisionError):
        script.send(Done(0.0))
    assert probe.closed
    assert probe.outcomes == []


def test_interceptors_are_nested() -> None:
    inner, outer = Transcript(), Transcript()

    def local(effect: Effect) -> Script[Outcome]:
        return Done(0.5) if isinstance(effect, Connect) else (yield effect)

    def script() -> Script[str]:
        yield Connect("192.0.2.7", 25, 12)
        yield Receive(12)
        return "the end"

    nested = tap(intercept(tap(script(), inner.note), local), outer.note)
    assert next(nested) == Receive(12)
    assert returned(nested, Received(1.0, b"")) == "the end"
    assert list(inner) == [
        (Connect("192.0.2.7", 25, 12), Done(0.5)),
        (Receive(12), Received(1.0, b"")),
    ]
    assert list(outer) == [(Receive(12), Received(1.0, b""))]
