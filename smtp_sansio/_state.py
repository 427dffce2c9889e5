"""All the transitions there are.

Two rules, h11's:

1. Every transition is in `TABLE` or in the four state-triggered rules below it; nothing else in the
   package writes a state.
2. This file knows states, commands and the class of a reply. It knows no octets and no codes: a
   transition never depends on an exact code, because servers vary codes far more than classes.

A cell is the pair (next state when the reply is 2yz, next state otherwise). A missing cell means the
command may not be sent in that state. `None` stands for the greeting, which answers no command.

Beside the table, whatever the state:

* 421 announces that the server is about to close (RFC 5321 §3.8): REFUSED, where only QUIT is left;
  after QUIT it says nothing new.
* End of stream: CLOSED.
* `RemoteProtocolError`: ERROR.
* `tls_established()` leads from TLS to FRESH, because the server has forgotten us (RFC 3207 §4.2);
  `tls_failed()` to CLOSED, because nobody knows what the other side believes.

Two things the table cannot say are checked by the connection: STARTTLS must have been advertised and
TLS not be active yet, and a command may follow another unanswered one only under RFC 2920.
"""

from enum import StrEnum
from typing import TypeAlias

from ._commands import Command, Ehlo, Helo, Mail, Noop, Quit, Rcpt, Rset, StartTls

__all__ = ["GROUPABLE", "TABLE", "Next", "State"]


class State(StrEnum):
    """Where a session stands."""

    GREETING = "GREETING"  # connected, the server has to speak first
    FRESH = "FRESH"  # greeted, or TLS just established: no EHLO yet
    READY = "READY"  # EHLO or HELO accepted, no transaction open
    MAIL = "MAIL"  # a reverse-path was accepted
    RCPT = "RCPT"  # at least one recipient was accepted
    TLS = "TLS"  # STARTTLS accepted, handshake to be done by the caller
    REFUSED = "REFUSED"  # the greeting was no 2yz, or 421 was said
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
