"""Scripts that examine a driver: each returns a list of words, one for each outcome or reply.

So a driver that breaks a rule of `driver_rules` is shown the words side by side.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from smtp_sansio import (
    Connect,
    ConnectionClosed,
    Dialogue,
    Done,
    Effect,
    Failed,
    Mail,
    Outcome,
    Quit,
    Rcpt,
    Receive,
    Received,
    RemoteProtocolError,
    Script,
    Secured,
    SessionAborted,
    Upgrade,
)

__all__ = ["LONG", "SHORT", "RuleScript", "clock", "collect", "effects", "session"]

LONG: Final = 3.0
SHORT: Final = 0.1

RuleScript: TypeAlias = Callable[[str, int], Script[list[str]]]
"""Makes a script for the server at a host and a port."""


def _word(outcome: Outcome) -> str:
    """Return an outcome as a word or two, without its time and without details."""
    match outcome:
        case Done():
            return "done"
        case Received():
            return f"received {outcome.data!r}"
        case Secured():
            return "secured"
        case Failed():
            return f"failed: {outcome.kind}"


def effects(*asked: Effect, connecting: float = LONG) -> RuleScript:
    """Return a script that connects and then asks for these effects, whatever the outcomes are."""

    def script(host: str, port: int) -> Script[list[str]]:
        words: list[str] = []
        for effect in (Connect(host, port, connecting), *asked):
            outcome = yield effect
            words += [_word(outcome)]
        return words

    return script


def session(server_name: str = "mx.test") -> RuleScript:
    """Return a script that holds a whole session and returns its replies, and its end if it was aborted."""

    def script(host: str, port: int) -> Script[list[str]]:
        dialogue = Dialogue(timeout=LONG)
        end: list[str] = []
        try:
            yield from dialogue.connect(host, port)
            yield from dialogue.greet()
            yield from dialogue.hello("probe.test")
            _, outcome = yield from dialogue.starttls(server_name)
            end = [_word(outcome)] if isinstance(outcome, Failed) else []
            if not end:
                yield from dialogue.hello("probe.test")
                for command in (Mail(""), Rcpt("postmaster@mx.test"), Quit()):
                    yield from dialogue.ask(command)
        except SessionAborted as aborted:
            end = [_cause(aborted)]
        replies = [one.event for one in dialogue.log if not isinstance(one.event, ConnectionClosed)]
        return [f"{reply.code} {reply.text.splitlines()[-1]}" for reply in replies] + end

    return script


def _cause(aborted: SessionAborted) -> str:
    match aborted.cause:
        case RemoteProtocolError() as error:
            return f"aborted: {error.code}"
        case Failed() as failed:
            return f"aborted: {failed.kind}"
        case _:
            return "aborted: closed"


def clock(host: str, port: int) -> Script[list[str]]:
    """Return the problems of the times of three outcomes, or that they are in order."""
    outcomes = [(yield Connect(host, port, LONG))]
    outcomes.append((yield Receive(LONG)))
    outcomes.append((yield Receive(SHORT)))
    times = [outcome.at for outcome in outcomes]
    problems = ["not in order"] if times != sorted(times) or times[0] < 0 else []
    problems += ["not in milliseconds"] if times != [round(at, 3) for at in times] else []
    problems += ["not from the beginning of the script"] if times[-1] > 2 * LONG else []
    return problems or ["in order"]


def collect(host: str, port: int) -> Script[list[str]]:
    """Return how many octets arrived under TLS until the stream ended."""
    yield Connect(host, port, LONG)
    yield Upgrade("mx.test", LONG)
    count = 0
    while isinstance(outcome := (yield Receive(LONG)), Received) and outcome.data:
        count += len(outcome.data)
    return [f"{count} octets", _word(outcome)]
