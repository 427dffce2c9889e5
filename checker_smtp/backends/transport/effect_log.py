"""A debug line for each effect of a session, in the log `checker_smtp.network`.

Octets of a server are shown as Python's escapes, shortened, so that they can neither break a line nor control
a terminal.
"""

import logging
from typing import TypeVar

from checker_smtp.probes.addresses import subject_of
from smtp_sansio import Connect, Effect, Failed, Outcome, Received, Script, Secured, Send, Upgrade, tap

__all__ = ["log_effects"]

_T = TypeVar("_T")
_log = logging.getLogger("checker_smtp.network")
# Octets of a line of the log: two commands, or a usual reply.
_SHOWN = 160


def log_effects(script: Script[_T]) -> Script[_T]:
    """Return `script`, with a line in the log for each of its effects; unchanged where nobody wants them."""
    if not _log.isEnabledFor(logging.DEBUG):
        return script
    peer = "no connection"

    def note(effect: Effect, outcome: Outcome) -> None:
        nonlocal peer
        if isinstance(effect, Connect):
            peer = subject_of(effect.host, effect.port)
        _log.debug("%s %.3f s: %s", peer, outcome.at, _described(effect, outcome))

    return tap(script, note)


def _described(effect: Effect, outcome: Outcome) -> str:
    action = type(effect).__name__.lower()
    if isinstance(effect, Send):
        action = f"send {_shown(effect.data)}"
    elif isinstance(effect, Upgrade):
        action = f"upgrade for {effect.server_name!a}"
    match outcome:
        case Failed():
            return f"{action}: {outcome.kind} {outcome.detail!a}"
        case Received():
            return f"{action}: {_shown(outcome.data)}"
        case Secured():
            return f"{action}: {outcome.version} {outcome.cipher}"
        case _:
            return action


def _shown(data: bytes) -> str:
    rest = len(data) - _SHOWN
    return f"{data[:_SHOWN]!r}" + (f" and {rest} octets" if rest > 0 else "")
