"""All the transitions there are: one table, four rules, and the class that applies them.

Two rules, h11's:

1. Every transition is in `TABLE` or in the four state-triggered rules below it, and `SessionState` applies
   both; nothing else in the package writes a state.
2. A transition depends on the class of a reply, never on an exact code, because servers vary codes far
   more than classes. 421 is the one exception. No octet is read here.

A cell is the pair (next state when the reply is 2yz, next state otherwise). A missing cell means the
command may not be sent in that state. `None` stands for the greeting, which answers no command.

The four rules beside the table, whatever the state:

* 421 announces that the server is about to close (RFC 5321 §3.8): REFUSED, where only QUIT is left.
  After QUIT it says nothing new.
* End of stream: CLOSED.
* `RemoteProtocolError`: ERROR.
* A handshake: `tls_established()` leads from TLS to FRESH, because the server has forgotten the session
  (RFC 3207 §4.2); `tls_failed()` leads to CLOSED, because neither side can know the other's state.

The connection checks two conditions that the table cannot express: STARTTLS must have been advertised and
TLS not be active yet, and a command may follow another unanswered one only under RFC 2920.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import TypeAlias

from ._commands import Command, Ehlo, Helo, Mail, Noop, Quit, Rcpt, Rset, StartTls

__all__ = ["GROUPABLE", "TABLE", "Next", "SessionState", "State"]


class State(StrEnum):
    """One state of a session."""

    GREETING = "GREETING"  # connected, the server has to speak first
    FRESH = "FRESH"  # greeted, or TLS just established: no EHLO yet
    READY = "READY"  # EHLO or HELO accepted, no transaction open
    MAIL = "MAIL"  # a reverse-path was accepted
    RCPT = "RCPT"  # at least one recipient was accepted
    TLS = "TLS"  # STARTTLS accepted, handshake to be done by the caller
    REFUSED = "REFUSED"  # the greeting was no 2yz, or a 421 was received
    QUITTING = "QUITTING"  # QUIT answered
    CLOSED = "CLOSED"  # end of stream, or a failed handshake
    ERROR = "ERROR"  # the octets make no sense any more


Next: TypeAlias = tuple[State, State]

_READY, _MAIL, _RCPT = State.READY, State.MAIL, State.RCPT
_QUITTING: Next = (State.QUITTING, State.QUITTING)

TABLE: dict[State, dict[type[Command] | None, Next]] = {
    State.GREETING: {
        None: (State.FRESH, State.REFUSED),
    },
    State.FRESH: {
        Ehlo: (_READY, State.FRESH),
        Helo: (_READY, State.FRESH),
        Rset: (State.FRESH, State.FRESH),
        Noop: (State.FRESH, State.FRESH),
        Quit: _QUITTING,
    },
    State.READY: {
        Ehlo: (_READY, _READY),
        Helo: (_READY, _READY),
        StartTls: (State.TLS, _READY),
        Mail: (_MAIL, _READY),
        Rset: (_READY, _READY),
        Noop: (_READY, _READY),
        Quit: _QUITTING,
    },
    State.MAIL: {
        Ehlo: (_READY, _MAIL),
        Helo: (_READY, _MAIL),
        Rcpt: (_RCPT, _MAIL),
        Rset: (_READY, _MAIL),
        Noop: (_MAIL, _MAIL),
        Quit: _QUITTING,
    },
    State.RCPT: {
        Ehlo: (_READY, _RCPT),
        Helo: (_READY, _RCPT),
        Rcpt: (_RCPT, _RCPT),
        Rset: (_READY, _RCPT),
        Noop: (_RCPT, _RCPT),
        Quit: _QUITTING,
    },
    State.TLS: {},
    State.REFUSED: {
        Quit: _QUITTING,
    },
    State.QUITTING: {},
    State.CLOSED: {},
    State.ERROR: {},
}

# RFC 2920 §3.1: the only commands of ours that may be followed by another in the same group.
GROUPABLE: frozenset[type[Command]] = frozenset({Mail, Rcpt, Rset})

_CLOSING = 421


class SessionState:
    """The state of one session; the only writer of both its attributes.

    `confirmed` follows from the replies received. `assumed` is where `confirmed` leads if each command
    that waits for its reply is accepted; a new command is judged by it (RFC 2920 §3.1).
    """

    __slots__ = ("assumed", "confirmed")

    def __init__(self) -> None:
        self.confirmed = self.assumed = State.GREETING

    def on_command(self, kind: type[Command]) -> bool:
        """Assume that a command of this kind is accepted.

        Return False, and change nothing, where the table does not allow it in the assumed state.
        """
        cell = TABLE[self.assumed].get(kind)
        if cell is None:
            return False
        self.assumed = cell[0]
        return True

    def withdraw_to(self, outstanding: Collection[Command]) -> None:
        """Assume no more than that the commands `outstanding` are accepted."""
        state = self.confirmed
        for command in outstanding:
            state, _ = TABLE[state].get(type(command), (state, state))
        self.assumed = state

    def on_reply(self, kind: type[Command] | None, code: int, outstanding: Collection[Command]) -> bool:
        """Move as a reply with this code to a command of this kind says (None: the greeting).

        `outstanding` are the commands still unanswered. Return whether the command was allowed in the
        confirmed state; where it was not, only a 421 moves anything.
        """
        cell = TABLE[self.confirmed].get(kind)
        if cell is not None:
            self.confirmed = cell[0] if code // 100 == 2 else cell[1]
        if code == _CLOSING and kind is not Quit:
            self.confirmed = State.REFUSED
        if not outstanding or code // 100 != 2:
            self.withdraw_to(outstanding)
        return cell is not None

    def on_unsolicited(self, code: int) -> None:
        """Move as a reply to no command says: not at all but for 421."""
        if code == _CLOSING and self.confirmed is not State.QUITTING:
            self.confirmed = self.assumed = State.REFUSED

    def on_end_of_stream(self) -> None:
        """Close: the peer sends nothing more."""
        self.confirmed = self.assumed = State.CLOSED

    def on_error(self) -> None:
        """Give the session up: its octets cannot be paired with commands any more."""
        self.confirmed = self.assumed = State.ERROR

    def on_tls_established(self) -> None:
        """Begin again under TLS, before EHLO."""
        self.confirmed = self.assumed = State.FRESH

    def on_tls_failed(self) -> None:
        """Close: no octet in the clear can follow a handshake."""
        self.confirmed = self.assumed = State.CLOSED
