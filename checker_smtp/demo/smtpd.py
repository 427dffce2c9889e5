"""The server's side of an SMTP session (RFC 5321), which consults a posture where servers differ.

Theory: `Session` is the state and the answers, one command line in and one reply out, with no I/O. `serve`
moves bytes: it cuts lines out of whatever arrives (commands may come in groups, RFC 2920), sends each reply
and does the one thing a reply cannot do, the TLS handshake after a 220.

No reply repeats what the client sent, and no reply to DATA is a 354: this server cannot take a message.
Not here: time limits (the lab ends every session when it closes), SMTPUTF8, CHUNKING, accounts.
"""

import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
from anyio.abc import AnyByteReceiveStream, AnyByteStream
from anyio.streams.tls import TLSStream

from .postures import Posture

__all__ = ["LINE_LIMIT", "Session", "serve"]

# RFC 5321 §4.5.3.1.4 asks for 512 at least, and the parameters of MAIL come on top of that.
LINE_LIMIT: Final = 1024
_SIZE: Final = 10_240_000

_PATH: Final = (
    r"<(?:(?:@[^:<>\s]+:)?"  # a source route: understood, then ignored (RFC 5321 §4.1.1.3)
    r'(?P<mailbox>"(?:[^"\\]|\\.)*"|[^"<>@\s]+)'
    r"(?:@(?P<domain>[\w.-]+|\[[^\]\s]+\]))?)?>"
    r"(?P<parameters>(?: \S+)*)"
)
_FROM: Final = re.compile("FROM:" + _PATH, re.ASCII | re.IGNORECASE)
_TO: Final = re.compile("TO:" + _PATH, re.ASCII | re.IGNORECASE)
_BARE: Final = frozenset({"DATA", "QUIT", "RSET", "STARTTLS"})
_ORDERED: Final = frozenset({"AUTH", "DATA", "MAIL", "RCPT", "STARTTLS"})


class Session:
    """The server's state in one session, and its replies (code and text, without the final CRLF)."""

    def __init__(self, posture: Posture) -> None:
        self._posture = posture
        self._secure = False
        self._greeted = False
        self._sender: str | None = None
        self._recipient = False
        self._verbs: dict[str, Callable[[str], str]] = {
            "AUTH": self._auth,
            "DATA": self._data,
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail,
            "NOOP": lambda _: "250 2.0.0 Ok",
            "QUIT": lambda _: "221 2.0.0 Bye",
            "RCPT": self._rcpt,
            "RSET": self._rset,
            "STARTTLS": self._starttls,
            "VRFY": lambda _: "252 2.0.0 Try RCPT",
        }

    def greeting(self) -> str:
        """What is said first (RFC 5321 §3.1)."""
        return f"220 {self._posture.host} ESMTP checker-smtp demo"

    def answer(self, line: bytes, *, last: bool = True) -> str:
        """The reply to one command line, given with its line ending.

        `last` is false where the client has already sent more. A 220 asks the caller for a TLS handshake
        and then `secured()`, a 221 to close the connection.
        """
        if len(line) > LINE_LIMIT:
            return "500 5.5.2 Line too long"
        if not line.endswith(b"\r\n"):
            return "500 5.5.2 Lines end with CR LF, see RFC 5321 section 2.3.8"
        # Blanks at the end of a line are tolerated (RFC 5321 §4.1.1).
        command = line[:-2].rstrip(b" \t").decode("ascii", "replace")
        if not (command.isascii() and command.isprintable()):
            return "500 5.5.2 Commands are made of printable ASCII"
        verb, _, argument = command.partition(" ")
        verb = verb.upper()
        if verb not in self._verbs:
            return "500 5.5.2 Command unrecognized"
        if verb in _BARE and argument:
            return "501 5.5.4 No parameters allowed"
        if verb in _ORDERED and not self._greeted:
            return "503 5.5.1 Send EHLO first"
        if verb == "STARTTLS" and not last:
            # Read now, they would be taken for commands protected by TLS (CVE-2011-0411).
            return "503 5.5.1 Nothing may follow STARTTLS in a group, see RFC 2920 section 3.1"
        return self._verbs[verb](argument)

    def secured(self) -> None:
        """The TLS handshake succeeded: what was said before is forgotten (RFC 3207 §4.2)."""
        self._secure, self._greeted = True, False
        self._rset("")

    def _ehlo(self, argument: str) -> str:
        if not argument:
            return "501 5.5.4 Syntax: EHLO hostname"
        self._helo(argument)
        lines = [self._posture.host, "PIPELINING", f"SIZE {_SIZE}"]
        if self._posture.starttls and not self._secure:
            lines.append("STARTTLS")
        if self._posture.auth_in_clear:
            lines.append("AUTH PLAIN LOGIN")
        lines.append("ENHANCEDSTATUSCODES")
        return "\r\n".join([*(f"250-{line}" for line in lines), "250 8BITMIME"])

    def _helo(self, argument: str) -> str:
        if not argument:
            return "501 5.5.4 Syntax: HELO hostname"
        self._greeted = True
        self._rset("")
        return f"250 {self._posture.host}"

    def _starttls(self, _: str) -> str:
        if self._secure:
            return "503 5.5.1 TLS is already active"
        return "220 2.0.0 Ready to start TLS" if self._posture.starttls else "502 5.5.1 Not implemented"

    def _auth(self, _: str) -> str:
        if self._posture.auth_in_clear:
            return "454 4.7.0 Nobody has an account here"
        return "502 5.5.1 Not implemented"

    def _mail(self, argument: str) -> str:
        if self._sender is not None:
            return "503 5.5.1 Nested MAIL"
        path = _FROM.fullmatch(argument)
        if path is None:
            return "501 5.5.4 Syntax: MAIL FROM:<address>"
        if path["mailbox"] and not path["domain"]:
            return "501 5.1.7 The sender has no domain"
        for parameter in path["parameters"].upper().split():
            keyword, _, value = parameter.partition("=")
            if keyword == "SIZE" and value.isdigit():
                if int(value) > _SIZE:
                    return "552 5.3.4 Message too big"
            elif parameter not in {"BODY=7BIT", "BODY=8BITMIME"}:
                return "555 5.5.4 Parameter not recognized"
        self._sender = f"{path['mailbox']}@{path['domain']}" if path["mailbox"] else ""
        return "250 2.1.0 Ok"

    def _rcpt(self, argument: str) -> str:
        if self._sender is None:
            return "503 5.5.1 Send MAIL first"
        path = _TO.fullmatch(argument)
        if path is None or not path["mailbox"]:
            return "501 5.5.4 Syntax: RCPT TO:<address>"
        if path["parameters"]:
            return "555 5.5.4 Parameter not recognized"
        mailbox = path["mailbox"].lower()
        # Postmaster alone may come without a domain, and means ours (RFC 5321 §4.5.1).
        domain = (path["domain"] or (self._posture.domain if mailbox == "postmaster" else "")).lower()
        if not domain:
            return "501 5.1.3 The recipient has no domain"
        reply = self._verdict(mailbox, domain)
        self._recipient = self._recipient or reply.startswith("250")
        return reply

    def _verdict(self, mailbox: str, domain: str) -> str:
        if domain != self._posture.domain:
            return "250 2.1.5 Ok" if self._posture.relays else "550 5.7.1 Relaying denied"
        if not (self._sender or self._posture.null_sender):
            return "550 5.7.1 Mail from the null sender is not accepted"
        return "250 2.1.5 Ok" if mailbox in self._posture.mailboxes else "550 5.1.1 No such mailbox"

    def _data(self, _: str) -> str:
        if not self._recipient:
            return "503 5.5.1 Send RCPT first"
        return "554 5.3.2 This demo takes no messages"

    def _rset(self, _: str) -> str:
        self._sender, self._recipient = None, False
        return "250 2.0.0 Ok"


class _Lines:
    """Cuts a byte stream at LF, and never holds more than a line and one read."""

    def __init__(self, stream: AnyByteReceiveStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    def __bool__(self) -> bool:
        return bool(self._buffer)

    async def next(self) -> bytes:
        """The next line with its ending, cut short where over the limit, but still over it."""
        while (end := self._buffer.find(b"\n")) < 0:
            del self._buffer[LINE_LIMIT:]
            self._buffer += await self._stream.receive()
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line


async def _converse(stream: AnyByteStream, posture: Posture, tls: ssl.SSLContext) -> None:
    session, lines = Session(posture), _Lines(stream)
    await stream.send(_wire(session.greeting()))
    while True:
        line = await lines.next()
        reply = session.answer(line, last=not lines)
        await stream.send(_wire(reply))
        if reply.startswith("221"):
            return
        if reply.startswith("220"):
            # Without the closing handshake, as most servers do it: a client gone silent must not keep us.
            stream = await TLSStream.wrap(
                stream, server_side=True, ssl_context=tls, standard_compatible=False
            )
            lines = _Lines(stream)
            session.secured()


def _wire(reply: str) -> bytes:
    return reply.encode("ascii") + b"\r\n"


async def serve(stream: AnyByteStream, *, posture: Posture, tls: ssl.SSLContext) -> None:
    """Hold one session on `stream` and close it.

    A client which vanishes, or fails the handshake, ends the session and nothing else.
    """
    async with stream:
        with suppress(BrokenResourceError, ClosedResourceError, EndOfStream, ssl.SSLError):
            await _converse(stream, posture, tls)
