"""Servers that say anything at any time, on a network that may break: a runner that hypothesis draws."""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from smtp_sansio import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Received,
    Script,
    Secured,
    Send,
    Upgrade,
)
from tests.probes.world import VERBS, T

TEXTS = [
    "ok",
    "5.7.1 Your IP is listed",
    "5.1.1 no such user",
    "x" * 600,
    "\xff\x00",
    "",
    "\nSTARTTLS",
    "4.7.0 no",
]
REFUSALS = [550, 421, 450, 454, 500, 502, 503, 530, 552, 554, 221, 250, 251, 354, 999]
FORMS = [
    "{0} {1}\r\n",
    "{0}-{1}\r\n{0} {1}\r\n",
    "250-a\n{0} {1}\n",
    "{0} {1}\r\n421 closing\r\n",
    "garbage\r\n",
    "{0}",
]
ODD = st.builds(
    lambda form, code, text: form.format(code, text).encode("latin-1"),
    st.sampled_from(FORMS),
    st.sampled_from(REFUSALS),
    st.sampled_from(TEXTS),
)
KEYWORDS = st.lists(st.sampled_from(["STARTTLS", "PIPELINING", "AUTH PLAIN"]), max_size=2, unique=True)


@dataclass
class NetworkFaults:
    """What one visit meets: verbs answered oddly, when the network breaks and how, how fast time goes."""

    odd: set[str]
    keywords: list[str]
    breaks: dict[int, Failed]
    pace: float


FAILURES = st.builds(
    Failed, st.just(0.0), st.sampled_from(FailureKind), st.sampled_from(["", "tlsv1 unrecognized name"])
)
WEATHERS = st.builds(
    NetworkFaults,
    st.sets(st.sampled_from(["", *sorted(VERBS)]), max_size=3),
    KEYWORDS,
    st.dictionaries(st.integers(0, 30), FAILURES, max_size=2),
    st.sampled_from([0.0, 0.1, 1.7]),
)


@dataclass
class Chaos:
    """A runner in such weather; where nothing is odd its servers do what they should."""

    data: st.DataObject
    weather: NetworkFaults
    said: list[str] = field(default_factory=list)
    connections: int = 0
    _effects: int = 0

    async def run(self, script: Script[T]) -> T:
        self.connections += 1
        clock, waiting = 0.0, [""]
        try:
            effect = next(script)
            while True:
                clock = round(clock + self.weather.pace, 3)
                effect = script.send(self._outcome(effect, clock, waiting))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def _outcome(self, effect: Effect, clock: float, waiting: list[str]) -> Outcome:
        assert effect.timeout > 0
        self._effects += 1
        if failure := self.weather.breaks.get(self._effects):
            return Failed(clock, failure.kind, failure.detail)
        match effect:
            case Connect():
                return Done(clock)
            case Upgrade():
                return Secured(clock, "TLSv1.3", "X")
            case Send():
                lines = effect.data.decode("ascii").splitlines()
                self.said += lines
                waiting += [line.split()[0] for line in lines]
                return Done(clock)
        return Received(clock, self._reply(waiting.pop(0)) if waiting else b"")

    def _reply(self, verb: str) -> bytes:
        if verb in self.weather.odd and self.data.draw(st.booleans()):
            return self.data.draw(ODD)
        if verb == "EHLO":
            return (
                b"".join(f"250-{line}\r\n".encode() for line in ["mx", *self.weather.keywords])
                + b"250 OK\r\n"
            )
        code = {"": 220, "STARTTLS": 220, "QUIT": 221}.get(verb, 250)
        return f"{code} ok\r\n".encode()


def result_of(visit: Coroutine[Any, Any, T]) -> T:
    """The value of a coroutine that waits for nothing."""
    try:
        visit.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")
