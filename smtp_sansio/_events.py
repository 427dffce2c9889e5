"""The four events of a session, all values.

`Greeting`, `Reply` and `Unsolicited` are the same thing, a reply by the grammar of RFC 5321 §4.2, in
three places: before any command, after one, and while none is outstanding. `raw` keeps the exact
octets, terminators included; everything else is computed from it on demand, so evidence is never
rebuilt and an event costs little until its text is read.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from ._commands import Command
from ._deviations import Deviation
from ._reply import CODE, LINE

__all__ = ["ConnectionClosed", "Event", "Greeting", "Reply", "ServerReply", "Unsolicited"]

_texts = LINE.findall
_enhanced = re.compile(CODE + rb"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])").match


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A reply of the server: `code`, the exact `raw` octets, and their deviations.

    Where the lines of a reply disagree, `code` is the worst (the highest) of them.
    """

    code: int
    raw: bytes
    deviations: tuple[Deviation, ...]

    @property
    def reply_class(self) -> int:
        """The first digit: 2 completion, 3 intermediate, 4 transient, 5 permanent (RFC 5321 §4.2.1)."""
        return self.code // 100

    @property
    def lines(self) -> tuple[bytes, ...]:
        """The text of each line, without its code, separator and terminator."""
        return tuple(_texts(self.raw))

    @property
    def text(self) -> str:
        """The lines joined by newlines: UTF-8 where it is, backslash escapes where it is not."""
        return b"\n".join(_texts(self.raw)).decode("utf-8", "backslashreplace")

    @property
    def enhanced_code(self) -> str | None:
        """The enhanced status code of the first line (RFC 3463, RFC 2034), as in `5.7.1`."""
        m = _enhanced(self.raw)
        return m[1].decode("ascii") if m else None


@dataclass(frozen=True, slots=True)
class Greeting(ServerReply):
    """The first reply of a session (RFC 5321 §3.1)."""


@dataclass(frozen=True, slots=True)
class Reply(ServerReply):
    """The answer to `command`."""

    command: Command


@dataclass(frozen=True, slots=True)
class Unsolicited(ServerReply):
    """A reply while no command was outstanding, such as the 421 of a server shutting down."""


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The peer closed: the commands it left unanswered, and octets of an incomplete reply."""

    unanswered: tuple[Command, ...]
    partial: bytes


Event: TypeAlias = Greeting | Reply | Unsolicited | ConnectionClosed
