"""An SMTP client that examines servers and sends no mail: octets in, events out, and no I/O of any kind.

`Connection` is the state machine; `Dialogue` has the steps of a session as scripts that any driver can
run; `tap` and `intercept` wrap scripts; `Transcript` is the record of a session. Nothing here opens a
socket, reads a clock or imports anything outside the standard library's pure modules.
"""

from ._capabilities import Capabilities
from ._certificate import Certificate
from ._commands import Command, Ehlo, Helo, Mail, Noop, Quit, Rcpt, Rset, StartTls
from ._connection import Connection, Need
from ._deviations import Deviation, DeviationKind
from ._dialogue import Dialogue, Logged, SessionAborted
from ._effects import (
    Connect,
    Done,
    Effect,
    Failed,
    FailureKind,
    Outcome,
    Receive,
    Received,
    Script,
    Secured,
    Send,
    Upgrade,
)
from ._errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from ._events import ConnectionClosed, Event, Greeting, Reply, Unsolicited
from ._intercept import intercept, tap
from ._policy import Policy
from ._state import State
from ._transcript import Transcript

__all__ = [
    "Capabilities",
    "Certificate",
    "Command",
    "Connect",
    "Connection",
    "ConnectionClosed",
    "Deviation",
    "DeviationKind",
    "Dialogue",
    "Done",
    "Effect",
    "Ehlo",
    "Event",
    "Failed",
    "FailureKind",
    "Greeting",
    "Helo",
    "LocalProtocolError",
    "Logged",
    "Mail",
    "Need",
    "Noop",
    "Outcome",
    "Policy",
    "ProtocolError",
    "Quit",
    "Rcpt",
    "Receive",
    "Received",
    "RemoteProtocolError",
    "Reply",
    "Rset",
    "Script",
    "Secured",
    "Send",
    "SessionAborted",
    "StartTls",
    "State",
    "Transcript",
    "Unsolicited",
    "Upgrade",
    "intercept",
    "tap",
]

__version__ = "0.1.0"
