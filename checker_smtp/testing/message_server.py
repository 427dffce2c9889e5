"""A mail server that takes whole messages: for clients that send."""

from dataclasses import dataclass, field, fields
from typing import Final

from .commands import Path
from .rule_server import RuleServer, RuleSession
from .session import Output

__all__ = ["MessageServer", "ReceivedMessage"]

_END: Final = b"\r\n.\r\n"
# Octets of one message, the SIZE that EHLO offers.
_LIMIT: Final = 10_240_000


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message as it was received: its envelope, and `data` without the dots of RFC 5321 §4.5.2."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


@dataclass(kw_only=True)
class MessageServer(RuleServer):
    """A `RuleServer` that takes the messages it accepts, and keeps them in `messages` and nowhere else.

    >>> server = MessageServer(local_domains=("example.test",))
    """

    messages: list[ReceivedMessage] = field(default_factory=list)

    @classmethod
    def like(cls, server: RuleServer) -> "MessageServer":
        """Return a server with the rules of `server`."""
        rules = {f.name: getattr(server, f.name) for f in fields(RuleServer) if f.name != "received"}
        return cls(**rules)

    def session(self) -> "_MessageSession":
        """Return a new connection's session."""
        session = _MessageSession(self)
        self.received.append(session.received)
        return session


class _MessageSession(RuleSession):
    def __init__(self, server: MessageServer) -> None:
        super().__init__(server)
        self._messages = server.messages
        self._recipients: list[str] = []
        # from 354 to the final dot; it begins with CRLF, so that a dot may be its first line
        self._data_received: bytearray | None = None
        self._is_too_big = False
        self._verbs["DATA"] = self._begin_data

    def receive(self, data: bytes) -> list[Output]:
        """Return the replies to these commands, or take them as a part of a message."""
        if self._data_received is None:
            return super().receive(data)
        start = max(0, len(self._data_received) - len(_END))
        self._data_received += data
        end = self._data_received.find(_END, start)
        self._is_too_big = self._is_too_big or len(self._data_received) > _LIMIT
        if end < 0:
            if self._is_too_big:  # the rest is read to its end, and not kept
                del self._data_received[: -len(_END)]
            return []
        rest = bytes(self._data_received[end + len(_END) :])
        reply = self._take(bytes(self._data_received[: end + 2]))
        self._reset()
        return [reply, *(super().receive(rest) if rest else ())]

    def rcpt_reply(self, path: Path) -> str:
        """Return the reply to a recipient, and keep one that is accepted."""
        reply = super().rcpt_reply(path)
        if reply.startswith("25"):
            self._recipients.append(path.address)
        return reply

    def _take(self, lines: bytes) -> bytes:
        if self._is_too_big:
            return b"552 5.3.4 Message too big\r\n"
        data = lines.replace(b"\r\n.", b"\r\n")[2:]
        self._messages.append(ReceivedMessage(self._sender or "", tuple(self._recipients), data))
        return b"250 2.0.0 Ok\r\n"

    def _begin_data(self, _: str) -> list[str]:
        if not self._recipient:
            return ["503 5.5.1 Send RCPT first"]
        self._data_received = bytearray(b"\r\n")
        return ["354 End data with <CR><LF>.<CR><LF>"]

    def _reset(self) -> None:
        super()._reset()
        self._recipients, self._data_received, self._is_too_big = [], None, False
