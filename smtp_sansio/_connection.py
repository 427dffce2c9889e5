"""The client's side of one SMTP session: octets in, events out, commands to octets.

How to drive it: `receive_data` what the transport read (`b""` at its end), then call `next_event` until
it gives `Need.DATA`; write what `send` returns. After a STARTTLS that was accepted `next_event` gives
`Need.TLS`: do the handshake on the transport, then call `tls_established` or `tls_failed`.

Pairing. Commands wait in a queue and replies answer them in order. Two states come from the one table:
`state` is what the replies seen have confirmed, and what would hold if each command waiting were accepted
is what `send` is judged by. A reply to a command that is not legal any more in the confirmed state (RCPT
after a refused MAIL) moves nothing; where it accepts all the same, a deviation says so. `send` refuses
while octets lie unread, because that is where desynchronisation begins.

STARTTLS. The server's 220 is the last thing it may say in the clear; then the client speaks TLS first. So
any octet received after the 220 and before the handshake was put there by somebody who wanted it read
after it (CVE-2011-0411 is the same fault in servers). Such octets are never parsed and never handed to
TLS: they stay in `trailing_data`, and `tls_established` refuses.

Not here: time, retries, HELO after a refused EHLO (see `_dialogue`), and any idea of what a reply means.
"""

from collections import deque
from enum import Enum

from ._capabilities import Capabilities, parse_capabilities
from ._commands import Command, Ehlo, Helo, Mail, Noop, Quit, Rcpt, Rset, StartTls
from ._deviations import DeviationKind, DeviationLog
from ._errors import LocalProtocolError, RemoteProtocolError
from ._events import ConnectionClosed, Event, Greeting, Reply, Unsolicited
from ._policy import Policy
from ._reply import ReplyParser
from ._state import GROUPABLE, TABLE, State

__all__ = ["Connection", "Need"]

# RFC 5321 §4.3.2 and RFC 3207 §4: the codes of success. Another one of class 2 is a deviation, no more.
_SUCCESS: dict[type[Command] | None, tuple[int, ...]] = {
    None: (220,),
    Ehlo: (250,),
    Helo: (250,),
    StartTls: (220,),
    Mail: (250,),
    Rcpt: (250, 251, 252),
    Rset: (250,),
    Noop: (250,),
    Quit: (221,),
}
_CLOSING = 421
_DEFAULT = Policy()


class Need(Enum):
    """What `next_event` waits for where there is no event."""

    DATA = "data"
    TLS = "tls"


# looked up once: an attribute of an enum costs as much as parsing a short line until Python 3.12
_CLOSED = State.CLOSED
_ERROR = State.ERROR
_FRESH = State.FRESH
_GREETING = State.GREETING
_QUITTING = State.QUITTING
_REFUSED = State.REFUSED
_TLS = State.TLS
_DATA, _NEED_TLS = Need.DATA, Need.TLS


class Connection:
    """One session's protocol state; see the module's text for how to drive it."""

    def __init__(self, policy: Policy | None = None) -> None:
        self._policy = policy or _DEFAULT
        self._irregular = DeviationLog(self._policy)
        self._parser = ReplyParser(self._policy, self._irregular)
        self._state = self._sent = _GREETING
        self._queue: deque[Command] = deque()
        self._capabilities: Capabilities | None = None
        self._tls_active = False
        self._trailing = bytearray()
        self._room = self._policy.max_session
        self._unsolicited = 0
        self._overflow = self._eof = False
        self._error: RemoteProtocolError | None = None

    @property
    def state(self) -> State:
        """The state that the replies seen have confirmed."""
        return self._state

    @property
    def outstanding(self) -> tuple[Command, ...]:
        """Commands sent and not answered, oldest first."""
        return tuple(self._queue)

    @property
    def capabilities(self) -> Capabilities | None:
        """What the last accepted EHLO or HELO offered; None before it and after a handshake."""
        return self._capabilities

    @property
    def tls_active(self) -> bool:
        """Whether `tls_established` was called."""
        return self._tls_active

    @property
    def trailing_data(self) -> bytes:
        """Octets that came after STARTTLS was accepted and before the handshake: evidence only."""
        return bytes(self._trailing)

    @property
    def unread(self) -> bool:
        """Whether octets were received that no event has told yet."""
        return not self._parser.empty

    def send(self, *commands: Command) -> bytes:
        """The octets that say the commands, which from now on wait for their replies.

        Raises `LocalProtocolError` and changes nothing where one of them is not allowed now:
        `state.*` by the table, `pipelining.*` by RFC 2920.
        """
        waiting, unread = len(self._queue), self.unread
        pipelining = "PIPELINING" in (self._capabilities or ())
        try:
            said = [self._say(command, unread, pipelining) for command in commands]
            return "".join(said).encode("ascii")
        except LocalProtocolError:
            while len(self._queue) > waiting:
                self._queue.pop()
            self._sent = self._assumed_state()
            raise

    def _say(self, command: Command, unread: bool, pipelining: bool) -> str:
        cell = TABLE[self._sent].get(type(command))
        if cell is None:
            raise LocalProtocolError(
                "state.command", f"{command.line.split()[0]} is not allowed in the state {self._sent}"
            )
        if unread:
            raise LocalProtocolError("state.unread", "read the events received before sending a command")
        if type(command) is StartTls:
            self._check_starttls()
        if self._queue:
            self._check_group(pipelining)
        self._queue.append(command)
        self._sent = cell[0]
        return f"{command.line}\r\n"

    def _check_starttls(self) -> None:
        # as the end of a group it might be accepted in a state that a refusal before it made another one
        if self._queue:
            raise LocalProtocolError("pipelining.starttls", "STARTTLS has to be said alone")
        if self._tls_active:
            raise LocalProtocolError("state.tls-active", "STARTTLS is allowed once in a session")
        if self._capabilities is None or "STARTTLS" not in self._capabilities:
            raise LocalProtocolError("state.starttls-not-offered", "the server did not offer STARTTLS")

    def _check_group(self, pipelining: bool) -> None:
        if not pipelining:
            raise LocalProtocolError("pipelining.not-offered", "the server did not offer PIPELINING")
        if type(self._queue[-1]) not in GROUPABLE:
            last = self._queue[-1].line.split()[0]
            raise LocalProtocolError("pipelining.group", f"{last} has to be the last command of a group")

    def receive_data(self, data: bytes) -> None:
        """Take the octets of one read; `b""` is the end of the stream.

        Raises `LocalProtocolError` after the end of the stream and in `State.CLOSED` and `State.ERROR`.
        """
        if self._eof or self._state is _CLOSED or self._state is _ERROR:
            raise LocalProtocolError("state.closed", f"nothing can be received in the state {self._state}")
        if not data:
            self._eof = True
            return
        if len(data) > self._room:
            self._overflow = True
            data = data[: self._room]
        self._room -= len(data)
        if self._state is _TLS:
            self._trailing += data
        else:
            self._parser.feed(data)

    def next_event(self) -> Event | Need:
        """The next event, or what is needed before there can be one.

        Raises `RemoteProtocolError`, the same one each time: `syntax.*` where octets cannot be paired
        with commands, `limit.*` past a limit of the policy, `deviation.*` under a strict policy;
        `LocalProtocolError` after `ConnectionClosed` was given.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)  # which would grow each time
        try:
            if self._state is not _TLS and (raw := self._parser.next_reply()) is not None:
                return self._heard(*raw)
            return self._nothing_heard()
        except RemoteProtocolError as error:
            self._fail(error)
            raise

    def _nothing_heard(self) -> Event | Need:
        if self._state is _CLOSED:
            raise LocalProtocolError("state.closed", "the connection is closed")
        if self._overflow:
            raise RemoteProtocolError(
                "limit.session", f"the peer sent more than {self._policy.max_session} octets"
            )
        if self._eof:
            closed = ConnectionClosed(tuple(self._queue), self._parser.pending or self.trailing_data)
            self._parser.clear()
            self._queue.clear()
            self._state = self._sent = _CLOSED
            return closed
        return _NEED_TLS if self._state is _TLS else _DATA

    def _heard(self, code: int, octets: bytes) -> Event:
        if self._state is _GREETING:
            self._move(None, code)
            self._note_code(None, code, octets)
            return Greeting(code, octets, self._irregular.take())
        if not self._queue:
            return self._unasked(code, octets)
        command = self._queue.popleft()
        kind = type(command)
        legal = self._move(kind, code)
        if not legal or code not in _SUCCESS[kind]:
            self._note_code(kind, code, octets, legal=legal)
        if code // 100 == 2:
            if kind is Ehlo:
                self._capabilities = parse_capabilities(octets, self._irregular, over_tls=self._tls_active)
            elif kind is Helo:
                self._capabilities = Capabilities()
        return Reply(code, octets, self._irregular.take(), command)

    def _move(self, kind: type[Command] | None, code: int) -> bool:
        """Go where the table says; whether the command was legal in the confirmed state."""
        cell = TABLE[self._state].get(kind)
        if cell is not None:
            self._state = cell[0] if code // 100 == 2 else cell[1]
        if code == _CLOSING and kind is not Quit:
            self._state = _REFUSED
        if not self._queue or code // 100 != 2:
            self._sent = self._assumed_state()
        if self._state is _TLS:
            self._trailing += self._parser.pending
            self._parser.clear()
        return cell is not None

    def _assumed_state(self) -> State:
        """Where the confirmed state leads if each command waiting is accepted."""
        state = self._state
        for command in self._queue:
            state, _ = TABLE[state].get(type(command), (state, state))
        return state

    def _note_code(self, kind: type[Command] | None, code: int, octets: bytes, *, legal: bool = True) -> None:
        """Note what is odd about this code as the answer to this command."""
        reply_class = code // 100
        if reply_class == 2:
            if not legal:
                self._irregular.note(DeviationKind.OUT_OF_SEQUENCE, 1, 0, octets)
            elif code not in _SUCCESS[kind]:
                self._irregular.note(DeviationKind.UNEXPECTED_CODE, 1, 0, octets)
        elif reply_class not in (4, 5):
            self._irregular.note(DeviationKind.UNEXPECTED_CLASS, 1, 0, octets)

    def _unasked(self, code: int, octets: bytes) -> Unsolicited:
        self._unsolicited += 1
        if self._unsolicited > self._policy.max_unsolicited:
            raise RemoteProtocolError(
                "limit.unsolicited",
                f"the peer sent more than {self._policy.max_unsolicited} replies to nothing",
                octets[: self._policy.max_excerpt],
            )
        if code == _CLOSING and self._state is not _QUITTING:
            self._state = self._sent = _REFUSED
        self._irregular.note(DeviationKind.UNSOLICITED, 1, 0, octets)
        return Unsolicited(code, octets, self._irregular.take())

    def tls_established(self) -> None:
        """Say that the handshake succeeded: the session starts afresh, EHLO has to be said again.

        Raises `LocalProtocolError` outside `State.TLS`, and `RemoteProtocolError` with the code
        `starttls.plaintext` where octets had come before the handshake (RFC 3207 §4.2, §6).
        """
        self._check_handshake()
        if self._trailing:
            error = RemoteProtocolError(
                "starttls.plaintext",
                "the peer sent octets in the clear between its 220 and the handshake",
                self.trailing_data[: self._policy.max_excerpt],
            )
            self._fail(error)
            raise error
        self._tls_active = True
        self._capabilities = None
        self._state = self._sent = _FRESH

    def tls_failed(self) -> None:
        """Say that there was no handshake; the session is over. Raises `LocalProtocolError`."""
        self._check_handshake()
        self._state = self._sent = _CLOSED

    def _check_handshake(self) -> None:
        if self._state is not _TLS:
            raise LocalProtocolError("state.no-handshake", f"no handshake is due in the state {self._state}")

    def _fail(self, error: RemoteProtocolError) -> None:
        self._error = error
        self._state = self._sent = _ERROR
        self._parser.clear()
