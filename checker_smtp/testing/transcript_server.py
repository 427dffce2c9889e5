"""A server that replies as a recorded one did, to another client: commands are matched by verb and order.

The client may leave commands out. It departs from the recording where it sends one that was not recorded
from there on, or goes on in the clear where the recorded client went on under TLS: no reply is known then.
Times are not played, and neither are the limits of reads. A message, which only `--smtp-record` records, is
one command, whatever is in it.
"""

import re
from dataclasses import dataclass
from typing import Final

from smtp_sansio import Connect, Done, Failed, FailureKind, Receive, Received, Send, Transcript, Upgrade

from .session import Output, ServerSession

__all__ = ["TranscriptServer"]

_replies = re.compile(rb"(?:[0-9]{3}-[^\n]*\n)*[0-9]{3}(?:[^-\n][^\n]*)?\r?\n").findall
_END_OF_MESSAGE: Final = "."
_CLOSED: Final = Failed(0.0, FailureKind.CLOSED)


@dataclass(slots=True)
class _Exchange:
    """A recorded command (empty: before any), and what followed it: octets, an end, a failed handshake."""

    line: str
    reply: bytes = b""
    end: Failed | None = None
    handshake: Failed | None = None

    @property
    def verb(self) -> str:
        return _verb(self.line)

    @property
    def begins_tls(self) -> bool:
        return self.verb == "STARTTLS" and self.reply.startswith(b"2")

    @property
    def begins_message(self) -> bool:
        return self.verb == "DATA" and self.reply.startswith(b"3")

    @property
    def outputs(self) -> list[Output]:
        reply: list[Output] = [self.reply] if self.reply else []
        return reply if self.end is None else [*reply, self.end]


class TranscriptServer:
    """A server made of recorded sessions, one for each connection in their order.

    With `arguments` the arguments of commands have to be the recorded ones, too. `received` has the lines of
    each connection; `departures` says where a client departed from the recording, in a few lines each. Raises
    `ValueError` where none of the sessions was ever connected.
    """

    def __init__(self, *transcripts: Transcript, arguments: bool = False) -> None:
        self._recorded = [exchanges for one in transcripts if (exchanges := _read(one))]
        if not self._recorded:
            raise ValueError("no session of this recording was ever connected: there is no reply to repeat")
        self.arguments = arguments
        self.received: list[list[str]] = []
        self.departures: list[str] = []

    def session(self) -> "_TranscriptSession":
        """Return the next connection's session."""
        number = len(self.received)
        self.received.append([])
        exchanges = self._recorded[number] if number < len(self._recorded) else []
        return _TranscriptSession(self, exchanges, number + 1)


class _TranscriptSession(ServerSession):
    def __init__(self, server: TranscriptServer, exchanges: list[_Exchange], number: int) -> None:
        self._server = server
        self._exchanges = exchanges
        self._number = number
        self._next = 0
        self._buffer = b""
        self._handshake: Failed | None = None
        self._in_message = False

    def greet(self) -> list[Output]:
        if not self._exchanges:
            return self._depart("a connection more than recorded")
        self._next = 1
        return self._exchanges[0].outputs

    def receive(self, data: bytes) -> list[Output]:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        outputs: list[Output] = []
        for line in lines:
            text = line.decode("latin-1").rstrip()
            if not self.closing and (not self._in_message or text == _END_OF_MESSAGE):
                outputs += self._reply(text)
        return outputs

    def start_tls(self, _: str) -> Failed | None:
        self.wants_tls = False
        return self._handshake

    def _reply(self, line: str) -> list[Output]:
        self._server.received[self._number - 1].append(line)
        exchange = self._find(line)
        if exchange is None:
            return self._depart(line)
        self.wants_tls = exchange.begins_tls
        self._in_message = exchange.begins_message
        self._handshake = exchange.handshake
        self.closing = exchange.verb == "QUIT" or exchange.end is not None
        return exchange.outputs

    def _find(self, line: str) -> _Exchange | None:
        """Return the next recorded exchange for this line, and none beyond a handshake."""
        for number in range(self._next, len(self._exchanges)):
            exchange = self._exchanges[number]
            if exchange.verb == _verb(line) and (exchange.line == line or not self._server.arguments):
                self._next = number + 1
                return exchange
            if exchange.begins_tls:
                break
        return None

    def _depart(self, line: str) -> list[Output]:
        recorded = self._exchanges[self._next :]
        message = (
            f"connection {self._number}: the client departs from the recording\n"
            f"  recorded: {recorded[0].line if recorded else 'nothing more'}\n"
            f"  client:   {line}"
        )
        if why := self._reason(_verb(line), recorded):
            message += f"\n{why}"
        self._server.departures.append(message)
        self.closing = True
        return [b"421 4.3.0 The client departs from the recording\r\n", _CLOSED]

    def _reason(self, verb: str, recorded: list[_Exchange]) -> str:
        if verb == "STARTTLS" and not any(one.begins_tls for one in self._exchanges):
            return (
                "This recording has no TLS, and the client insists on it: record a server that offers "
                "STARTTLS, or let the client do without."
            )
        if verb == "DATA":
            return "No recording has a message: smtp_server is for a client that sends one."
        if any(one.begins_tls for one in recorded):
            return "The recorded client began TLS before this: the replies without it are not known."
        return ""


def _verb(line: str) -> str:
    return line.partition(" ")[0].upper()


@dataclass(slots=True)
class _Group:
    """The commands of one write, and everything that came until the next one."""

    sent: bytes
    is_message: bool = False
    octets: bytes = b""
    end: Failed | None = None
    handshake: Failed | None = None

    @property
    def is_answered(self) -> bool:
        return bool(self.octets) or self.end is not None

    def exchanges(self) -> list[_Exchange]:
        """Return an exchange for each command; the last one that was answered has what is left."""
        lines = [_END_OF_MESSAGE] if self.is_message else self.sent.decode("latin-1").splitlines() or [""]
        replies = _split(self.octets, len(lines))
        found = [_Exchange(line) for line in lines]
        for exchange, reply in zip(found, replies, strict=False):
            exchange.reply = reply
        found[min(len(replies), len(found) - 1)].end = self.end
        found[-1].handshake = self.handshake
        return found


def _split(octets: bytes, count: int) -> list[bytes]:
    """Return `count` replies or fewer. The last of them has what follows, such as a reply to no command."""
    if count == 1 or not octets:
        return [octets] if octets else []
    replies: list[bytes] = _replies(octets)[: count - 1]
    rest = octets[sum(map(len, replies)) :]
    return [*replies, rest] if rest else replies


def _read(transcript: Transcript) -> list[_Exchange]:
    """Return the exchanges of a recorded session, the greeting first; none where it was never connected."""
    group: _Group | None = None
    exchanges: list[_Exchange] = []
    for effect, outcome in transcript:
        if isinstance(effect, Connect):
            group = _Group(b"") if isinstance(outcome, Done) else None
        elif group is None:
            continue
        elif isinstance(effect, Send) and group.sent and not group.is_answered:
            group.sent += effect.data
        elif isinstance(effect, Send):
            exchanges += group.exchanges()
            group = _Group(effect.data, is_message=exchanges[-1].begins_message)
        elif isinstance(effect, Upgrade) and isinstance(outcome, Failed):
            group.handshake = outcome
        elif isinstance(outcome, Received) and outcome.data:
            group.octets += outcome.data
        elif isinstance(effect, Receive):
            group.end = outcome if isinstance(outcome, Failed) else _CLOSED
    return exchanges + (group.exchanges() if group is not None else [])
