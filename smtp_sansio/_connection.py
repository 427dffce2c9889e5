"""The client's side of one SMTP session: octets in, events out, commands to octets.

How to drive it: pass what the transport read to `receive_data` (`b""` at its end), then call `next_event`
until it returns `Need.DATA`; write what `send` returns. After an accepted STARTTLS `next_event` returns
`Need.TLS`: do the handshake on the transport, then call `tls_established` or `tls_failed`.

Pairing. Commands wait in a queue and replies answer them in order. `SessionState` keeps two states by one
table: `state` is what the replies received have confirmed, and `send` is judged by the state that would
hold if each waiting command were accepted. A reply to a command that is no longer allowed in the confirmed
state (RCPT after a refused MAIL) changes no state; where it accepts all the same, a deviation records it.
`send` refuses while octets are unread, because that is where desynchronisation begins.

STARTTLS. The server's 220 is the last thing it may send in the clear; then the client begins TLS. So any
octet received after the 220 and before the handshake was injected by an attacker who wants it read under
TLS (CVE-2011-0411 is the same fault in servers). Such octets are never parsed and never handed to TLS:
they stay in `trailing_data`, and `tls_established` refuses.

Not here: time, retries, HELO after a refused EHLO (see `_dialogue`), and the meaning of a reply.
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
from ._state import GROUPABLE, SessionState, State

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
_DEFAULT = Policy()


class Need(Enum):
    """The input that `next_event` needs before there can be another event."""

    DATA = "data"
    TLS = "tls"


# looked up once: an attribute of an enum costs as much as parsing a short line until Python 3.12
_CLOSED, _ERROR, _GREETING, _TLS = State.CLOSED, State.ERROR, State.GREETING, State.TLS
_NEED_DATA, _NEED_TLS = Need.DATA, Need.TLS


class Connection:
    """The protocol state of one session; the module's docstring describes how to drive it.

    `policy` has the limits, in octets and counts, and the strictness; `Policy()` by default.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self._policy = policy or _DEFAULT
        self._deviations = DeviationLog(self._policy)
        self._parser = ReplyParser(self._policy, self._deviations)
        self._state = SessionState()
        self._outstanding: deque[Command] = deque()
        self._capabilities: Capabilities | None = None
        self._tls_active = False
        self._trailing = bytearray()
        self._octets_left = self._policy.max_session
        self._unsolicited = 0
        self._overflow = self._eof = False
        self._error: RemoteProtocolError | None = None

    @property
    def state(self) -> State:
        """The state that the replies received have confirmed."""
        return self._state.confirmed

    @property
    def outstanding(self) -> tuple[Command, ...]:
        """Commands sent and not answered, oldest first."""
        return tuple(self._outstanding)

    @property
    def capabilities(self) -> Capabilities | None:
        """The offers in the last accepted answer to EHLO or HELO; None before it and after a handshake."""
        return self._capabilities

    @property
    def tls_active(self) -> bool:
        """True once `tls_established` was called."""
        return self._tls_active

    @property
    def trailing_data(self) -> bytes:
        """Octets that came after STARTTLS was accepted and before the handshake: evidence only."""
        return bytes(self._trailing)

    @property
    def has_unread(self) -> bool:
        """True while octets were received that are part of no event yet."""
        return not self._parser.is_empty

    def send(self, *commands: Command) -> bytes:
        """Return the octets of these commands, and expect their replies from now on.

        Raises `LocalProtocolError` and changes nothing where one of them is not allowed now:
        `state.*` by the table, `pipelining.*` by RFC 2920.
        """
        waiting, has_unread = len(self._outstanding), self.has_unread
        pipelining = "PIPELINING" in (self._capabilities or ())
        try:
            lines = [self._enqueue(command, has_unread, pipelining) for command in commands]
            return "".join(lines).encode("ascii")
        except LocalProtocolError:
            while len(self._outstanding) > waiting:
                self._outstanding.pop()
            self._state.withdraw_to(self._outstanding)
            raise

    def _enqueue(self, command: Command, has_unread: bool, pipelining: bool) -> str:
        """Queue a command and return its line; what is raised leaves the state for `send` to restore."""
        if not self._state.on_command(type(command)):
            raise LocalProtocolError(
                "state.command",
                f"{command.line.split()[0]} is not allowed in the state {self._state.assumed}",
            )
        if has_unread:
            raise LocalProtocolError("state.unread", "read the events received before sending a command")
        if type(command) is StartTls:
            self._check_starttls()
        if self._outstanding:
            self._check_group(pipelining)
        self._outstanding.append(command)
        return f"{command.line}\r\n"

    def _check_starttls(self) -> None:
        # at the end of a group it might be accepted in a state that a refusal before it has changed
        if self._outstanding:
            raise LocalProtocolError("pipelining.starttls", "STARTTLS has to be sent alone")
        if self._tls_active:
            raise LocalProtocolError("state.tls-active", "STARTTLS is allowed once in a session")
        if self._capabilities is None or "STARTTLS" not in self._capabilities:
            raise LocalProtocolError("state.starttls-not-offered", "the server did not offer STARTTLS")

    def _check_group(self, pipelining: bool) -> None:
        if not pipelining:
            raise LocalProtocolError("pipelining.not-offered", "the server did not offer PIPELINING")
        if type(self._outstanding[-1]) not in GROUPABLE:
            last = self._outstanding[-1].line.split()[0]
            raise LocalProtocolError("pipelining.group", f"{last} has to be the last command of a group")

    def receive_data(self, data: bytes) -> None:
        """Take the octets of one read; `b""` is the end of the stream.

        Raises `LocalProtocolError` after the end of the stream and in `State.CLOSED` and `State.ERROR`.
        """
        state = self._state.confirmed
        if self._eof or state is _CLOSED or state is _ERROR:
            raise LocalProtocolError("state.closed", f"nothing can be received in the state {state}")
        if not data:
            self._eof = True
            return
        if len(data) > self._octets_left:
            self._overflow = True
            data = data[: self._octets_left]
        self._octets_left -= len(data)
        if state is _TLS:
            self._trailing += data
        else:
            self._parser.feed(data)

    def next_event(self) -> Event | Need:
        """Return the next event, or the input that is needed before there can be one.

        Raises `RemoteProtocolError`, the same one each time: `syntax.*` where octets cannot be paired
        with commands, `limit.*` past a limit of the policy, `deviation.*` under a strict policy;
        `LocalProtocolError` after `ConnectionClosed` was returned.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)  # which would grow each time
        try:
            if self._state.confirmed is not _TLS and (raw := self._parser.next_reply()) is not None:
                return self._on_reply(*raw)
            return self._without_reply()
        except RemoteProtocolError as error:
            self._fail(error)
            raise

    def _without_reply(self) -> Event | Need:
        if self._state.confirmed is _CLOSED:
            raise LocalProtocolError("state.closed", "the connection is closed")
        if self._overflow:
            raise RemoteProtocolError(
                "limit.session", f"the peer sent more than {self._policy.max_session} octets"
            )
        if self._eof:
            closed = ConnectionClosed(tuple(self._outstanding), self._parser.pending or self.trailing_data)
            self._parser.clear()
            self._outstanding.clear()
            self._state.on_end_of_stream()
            return closed
        return _NEED_TLS if self._state.confirmed is _TLS else _NEED_DATA

    def _on_reply(self, code: int, octets: bytes) -> Event:
        if self._state.confirmed is _GREETING:
            self._state.on_reply(None, code, ())
            self._note_code(None, code, octets)
            return Greeting(code, octets, self._deviations.take())
        if not self._outstanding:
            return self._on_unsolicited(code, octets)
        command = self._outstanding.popleft()
        kind = type(command)
        allowed = self._state.on_reply(kind, code, self._outstanding)
        if self._state.confirmed is _TLS:
            self._trailing += self._parser.pending
            self._parser.clear()
        if not allowed or code not in _SUCCESS[kind]:
            self._note_code(kind, code, octets, allowed=allowed)
        if code // 100 == 2:
            if kind is Ehlo:
                self._capabilities = parse_capabilities(octets, self._deviations, over_tls=self._tls_active)
            elif kind is Helo:
                self._capabilities = Capabilities()
        return Reply(code, octets, self._deviations.take(), command)

    def _note_code(
        self, kind: type[Command] | None, code: int, octets: bytes, *, allowed: bool = True
    ) -> None:
        """Note the deviation in this code as the answer to a command of this kind, if there is one."""
        reply_class = code // 100
        if reply_class == 2:
            if not allowed:
                self._deviations.note(DeviationKind.OUT_OF_SEQUENCE, 1, 0, octets)
            elif code not in _SUCCESS[kind]:
                self._deviations.note(DeviationKind.UNEXPECTED_CODE, 1, 0, octets)
        elif reply_class not in (4, 5):
            self._deviations.note(DeviationKind.UNEXPECTED_CLASS, 1, 0, octets)

    def _on_unsolicited(self, code: int, octets: bytes) -> Unsolicited:
        self._unsolicited += 1
        if self._unsolicited > self._policy.max_unsolicited:
            raise RemoteProtocolError(
                "limit.unsolicited",
                f"the peer sent more than {self._policy.max_unsolicited} replies to nothing",
                octets[: self._policy.max_excerpt],
            )
        self._state.on_unsolicited(code)
        self._deviations.note(DeviationKind.UNSOLICITED, 1, 0, octets)
        return Unsolicited(code, octets, self._deviations.take())

    def tls_established(self) -> None:
        """Record that the handshake succeeded: the session starts afresh, with EHLO to be sent again.

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
        self._state.on_tls_established()

    def tls_failed(self) -> None:
        """Record that the handshake failed; the session is over.

        Raises `LocalProtocolError` outside `State.TLS`.
        """
        self._check_handshake()
        self._state.on_tls_failed()

    def _check_handshake(self) -> None:
        state = self._state.confirmed
        if state is not _TLS:
            raise LocalProtocolError("state.no-handshake", f"no handshake is due in the state {state}")

    def _fail(self, error: RemoteProtocolError) -> None:
        self._error = error
        self._state.on_error()
        self._parser.clear()
