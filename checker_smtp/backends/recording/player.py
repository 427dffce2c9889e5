"""Runs a script against a record instead of the world.

Each effect has to be the recorded one, its timeout aside, and is answered with the recorded outcome, its
clock included; anything else is a mismatch that shows the two side by side. So a replay proves both halves
of a conversation: what we make of the server's words, and that we still say the same.

`resplit` cuts the octets of each `Received` anew, as another day's network might. A piece not asked for
yet waits for the next `Receive`, which the record then is not consulted for. Only sessions whose course
does not hang on what came in one read can be told so: response injection, which is exactly that, cannot.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias, TypeVar

from smtp_sansio import Connect, Effect, Outcome, Receive, Received, Script, Send, Upgrade

__all__ = ["Entries", "ReplayMismatch", "Resplit", "run_found", "run_replay"]

_T = TypeVar("_T")

Entries: TypeAlias = Iterable[tuple[Effect, Outcome]]
"""A record, as a `Transcript` gives it."""

Resplit: TypeAlias = Callable[[bytes], Iterable[bytes]]
"""Gives pieces that make up the octets it is given; empty ones are left out."""


class ReplayMismatch(Exception):  # noqa: N818 - nothing is broken: this says what differs
    """The script asks for something else than was recorded; the message shows the two lines."""


def run_replay(script: Script[_T], transcript: Entries, *, resplit: Resplit | None = None) -> _T:
    """Drive `script` through `transcript` to its end and give back what it returns.

    Raises `ReplayMismatch` where an effect is not the recorded one, where the script goes on after the
    last, and where it ends before. Raises what the script raises.
    """
    return run_found(script, lambda _: ("transcript", transcript), resplit=resplit)


def run_found(
    script: Script[_T],
    find: Callable[[Effect | None], tuple[str, Entries]],
    *,
    resplit: Resplit | None = None,
) -> _T:
    """As `run_replay`, with the record that `find` gives, and its name, for the first effect (if any)."""
    player: _Player | None = None
    try:
        effect = next(script)
        player = _Player(*find(effect), resplit)
        while True:
            effect = script.send(player.answer(effect))
    except StopIteration as stop:
        player = player or _Player(*find(None), resplit)
        player.expect_end()
        value: _T = stop.value
        return value
    finally:
        script.close()


class _Player:
    """A record being played."""

    def __init__(self, name: str, entries: Entries, resplit: Resplit | None) -> None:
        self._name = name
        self._entries = iter(entries)
        self._line = 0
        self._resplit = resplit
        self._pieces: deque[Received] = deque()

    def answer(self, effect: Effect) -> Outcome:
        """The recorded outcome of `effect`, which has to be the recorded one."""
        if self._pieces and isinstance(effect, Receive):
            return self._pieces.popleft()
        recorded, outcome = self._next()
        if recorded is None or outcome is None or replace(effect, timeout=0) != replace(recorded, timeout=0):
            raise self._mismatch(recorded, effect)
        if self._resplit is not None and isinstance(outcome, Received):
            self._pieces += (Received(outcome.at, piece) for piece in self._resplit(outcome.data) if piece)
            if self._pieces:
                return self._pieces.popleft()
        return outcome

    def expect_end(self) -> None:
        """Raises `ReplayMismatch` where there is more."""
        recorded, _ = self._next()
        if recorded is not None:
            raise self._mismatch(recorded, None)

    def _next(self) -> tuple[Effect, Outcome] | tuple[None, None]:
        self._line += 1
        return next(self._entries, (None, None))

    def _mismatch(self, recorded: Effect | None, asked: Effect | None) -> ReplayMismatch:
        return ReplayMismatch(
            f"{self._name}, line {self._line}: the script does not do what was recorded\n"
            f"  recorded: {_words(recorded)}\n"
            f"  asked:    {_words(asked)}"
        )


def _words(effect: Effect | None) -> str:
    match effect:
        case Connect():
            return f"connect to {effect.host} port {effect.port}"
        case Send():
            return f"send {effect.data.decode('latin-1')!r}"
        case Receive():
            return "receive"
        case Upgrade():
            return f"upgrade to TLS as client of {effect.server_name!r}"
        case None:
            return "nothing more"
