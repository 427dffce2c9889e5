"""Run a script against a record instead of a network.

Each effect has to be the recorded one, its timeout aside, and has the recorded outcome, its clock included;
anything else is a mismatch that shows the two side by side. So a replay proves both halves of a conversation:
that the client still sends the same, and its reading of the replies.

`resplit` cuts the octets of each `Received` into other pieces, as another day's network might. Pieces that
were not received yet are the outcomes of the next `Receive`s, for which the record is not consulted. This
fits sessions that do not depend on the octets of one read; response injection does.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias, TypeVar

from smtp_sansio import Connect, Effect, FailureKind, Outcome, Receive, Received, Script, Send, Upgrade

__all__ = ["Entries", "ReplayMismatch", "Resplit", "run_matching", "run_replay"]

_T = TypeVar("_T")

Entries: TypeAlias = Iterable[tuple[Effect, Outcome]]
"""A record, as a `Transcript` gives it."""

Resplit: TypeAlias = Callable[[bytes], Iterable[bytes]]
"""Returns pieces that make up the octets in its argument; empty ones are skipped."""


class ReplayMismatch(Exception):  # noqa: N818 - nothing is broken: the two differ
    """The script yields another effect than the recorded one; the message shows the two lines."""


def run_replay(script: Script[_T], transcript: Entries, *, resplit: Resplit | None = None) -> _T:
    """Drive `script` through `transcript` to its end and return what it returns.

    Raises `ReplayMismatch` where an effect is not the recorded one, where the script continues after the
    last, and where it ends before. Raises what the script raises.
    """
    return run_matching(script, lambda _: ("transcript", transcript), resplit=resplit)


def run_matching(
    script: Script[_T],
    find: Callable[[Effect | None], tuple[str, Entries]],
    *,
    resplit: Resplit | None = None,
) -> _T:
    """Do as `run_replay` with the name and the record that `find` returns for the first effect, if any."""
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
        """Return the recorded outcome of `effect`, which has to be the recorded one."""
        if self._pieces and isinstance(effect, Receive):
            return self._pieces.popleft()
        recorded, outcome = self._next()
        if recorded is None or outcome is None or _untimed(effect) != _untimed(recorded):
            raise self._mismatch(recorded, effect)
        if self._resplit is not None and isinstance(effect, Receive) and isinstance(outcome, Received):
            self._pieces += (Received(outcome.at, piece) for piece in self._resplit(outcome.data) if piece)
            if self._pieces:
                return self._pieces.popleft()
        return outcome

    def expect_end(self) -> None:
        """Raise `ReplayMismatch` where the record goes on."""
        recorded, _ = self._next()
        if recorded is not None:
            raise self._mismatch(recorded, None)

    def _next(self) -> tuple[Effect, Outcome] | tuple[None, None]:
        self._line += 1
        return next(self._entries, (None, None))

    def _mismatch(self, recorded: Effect | None, yielded: Effect | None) -> ReplayMismatch:
        return ReplayMismatch(
            f"{self._name}, line {self._line}: the script does not do what was recorded\n"
            f"  recorded: {_describe(recorded)}\n"
            f"  asked:    {_describe(yielded)}"
        )


def _untimed(effect: Effect) -> Effect:
    return replace(effect, timeout=0, late=FailureKind.TIMEOUT)


def _describe(effect: Effect | None) -> str:
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
