"""A mail server that answers by rules (RFC 5321), with switches for what servers get wrong.

Any command in any order is answered, so one server can be probed by different clients and the results
compared. No reply repeats what the client sent, and no reply to DATA is a 354: it cannot take a message.

Not here: time limits, SMTPUTF8, CHUNKING, accounts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from smtp_sansio import Failed, FailureKind, Script

from .commands import LINE_LIMIT, Path, parse_path, syntax_error
from .faults import FAILURES, GREETINGS, REFUSED_EHLO, STARTTLS_REPLIES, outputs
from .session import Output, ScriptRunner, ServerSession

__all__ = ["LINE_LIMIT", "RuleServer", "RuleSession"]

_T = TypeVar("_T")
_SIZE: Final = 10_240_000


@dataclass(kw_only=True)
class RuleServer:
    """A mail server as data; a `Runner` for as many connections as it is asked for.

    `host` is the name in its greeting, behind which `software` follows. It accepts mail for `local_domains`
    (one that begins with a dot stands for everything below it), there for the local parts in `mailboxes` in
    lower case (None: for all); from the null sender if `null_sender`; for other domains if `relays`.
    `mail_replies` and `rcpt_replies` are replies to these paths in place of the usual ones, where one of
    `ENDINGS` ends the connection. `pipelining`, `starttls` and `auth_in_clear` are what EHLO offers.

    `fault` is one of `FAULTS`. After `limit` commands `limited_verb` on one connection it ends by `ending`.
    Each step of a script takes `seconds_per_step`. `received` has the lines of each connection, in order.

    >>> server = RuleServer(rcpt_replies={"postmaster@example.test": "550 5.1.1 no such user"})
    """

    host: str = "mx.test"
    software: str = "ESMTP"
    local_domains: tuple[str, ...] = (".test",)
    mailboxes: frozenset[str] | None = None
    null_sender: bool = True
    relays: bool = False
    pipelining: bool = True
    starttls: bool = True
    auth_in_clear: bool = False
    mail_replies: Mapping[str, str] = field(default_factory=dict)
    rcpt_replies: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    limit: int = 10**6
    limited_verb: str = "MAIL"
    ending: str = "421"
    seconds_per_step: float = 0.01
    received: list[list[str]] = field(default_factory=list)

    def session(self) -> "RuleSession":
        """Return a new connection's session."""
        session = RuleSession(self)
        self.received.append(session.received)
        return session

    async def run(self, script: Script[_T]) -> _T:
        """Run `script` on a new connection and return its value; never waits."""
        return ScriptRunner(self.session(), self.seconds_per_step).run(script)

    def count(self, command: str) -> int:
        """Return how often the line `command` was received, on all connections."""
        return sum(received.count(command) for received in self.received)

    def is_local(self, domain: str) -> bool:
        """Return whether mail for `domain`, in lower case, is accepted without relaying."""
        return any(
            domain == local or (local.startswith(".") and domain.endswith(local))
            for local in self.local_domains
        )


class RuleSession(ServerSession):
    """One connection to a `RuleServer`. `client_name` is the argument of the last EHLO or HELO.

    A subclass may override `rcpt_reply` and `keywords` to answer by its own rules.
    """

    def __init__(self, server: RuleServer) -> None:
        self.server = server
        self.received: list[str] = []
        self.client_name = ""
        self._buffer = bytearray()
        self._secure = self._greeted = self._recipient = False
        self._sender: str | None = None
        self._limited = 0
        self._verbs: dict[str, Callable[[str], list[str]]] = {
            "AUTH": self._auth,
            "DATA": self._data,
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail,
            "NOOP": lambda _: ["250 2.0.0 Ok"],
            "QUIT": self._quit,
            "RCPT": self._rcpt,
            "RSET": self._rset,
            "STARTTLS": self._starttls,
            "VRFY": lambda _: ["252 2.0.0 Try RCPT"],
        }

    def accept(self) -> Failed | None:
        """Refuse, or never answer, where that is the fault."""
        fault = self.server.fault
        return Failed(0.0, FAILURES[fault]) if fault in ("refused", "timeout") else None

    def greet(self) -> list[Output]:
        """Return the greeting (RFC 5321 §3.1)."""
        if self.server.fault == "silent":
            return outputs(["timeout"])
        usual = f"220 {self.server.host} {self.server.software}"
        return outputs([GREETINGS.get(self.server.fault, usual)])

    def receive(self, data: bytes) -> list[Output]:
        """Return the replies to the lines completed by `data` (RFC 2920: commands may come in groups)."""
        self._buffer += data
        if self.server.fault in ("group", "slow-group") and self._buffer.count(b"\n") > 1:
            self.received += self._buffer.decode("ascii", "replace").splitlines()
            self._buffer.clear()
            return outputs(["eof" if self.server.fault == "group" else "timeout"])
        replies: list[str] = []
        while not self.closing and (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            replies += self.answer(line, last=not self._buffer)
        # What is over the limit is not kept, but the line stays over it.
        del self._buffer[LINE_LIMIT:]
        return outputs(replies)

    def start_tls(self, server_name: str) -> Failed | None:
        """Fail the handshake where that is the fault; else forget what came before (RFC 3207 §4.2)."""
        self.wants_tls = False
        if self.server.fault == "sni" and server_name:
            return Failed(0.0, FailureKind.TLS, "tlsv1 unrecognized name")
        if self.server.fault == "handshake":
            return Failed(0.0, FailureKind.TLS, "no shared cipher")
        self._buffer.clear()
        self._secure, self._greeted = True, False
        self._reset()
        return None

    def answer(self, line: bytes, *, last: bool = True) -> list[str]:
        r"""Return the replies to one command line, given with its line ending, without their final CRLF.

        One of `ENDINGS` stands for how the connection ends. `last` is false where the client has already sent
        more.

        >>> RuleSession(RuleServer()).answer(b"NOOP\r\n")
        ['250 2.0.0 Ok']
        """
        if error := syntax_error(line):
            return [error]
        command = line[:-2].rstrip(b" \t").decode("ascii")
        self.received.append(command)
        verb, _, argument = command.partition(" ")
        verb = verb.upper()
        self._limited += verb == self.server.limited_verb
        if self._limited > self.server.limit and verb != "QUIT":
            return [self.server.ending]
        if verb not in self._verbs:
            return ["500 5.5.2 Command unrecognized"]
        if verb in {"DATA", "QUIT", "RSET", "STARTTLS"} and argument:
            return ["501 5.5.4 No parameters allowed"]
        if verb in {"AUTH", "DATA", "MAIL", "RCPT", "STARTTLS"} and not self._greeted:
            return ["503 5.5.1 Send EHLO first"]
        if verb == "STARTTLS" and not last:
            # Read now, they would be taken for commands protected by TLS (CVE-2011-0411).
            return ["503 5.5.1 Nothing may follow STARTTLS in a group, see RFC 2920 section 3.1"]
        return self._verbs[verb](argument)

    def rcpt_reply(self, path: Path) -> str:
        """Return the reply to a recipient; its mailbox and domain are in lower case."""
        if path.address in self.server.rcpt_replies:
            return self.server.rcpt_replies[path.address]
        if not self.server.is_local(path.domain):
            return "250 2.1.5 Ok" if self.server.relays else "550 5.7.1 Relaying denied"
        if not (self._sender or self.server.null_sender):
            return "550 5.7.1 Mail from the null sender is not accepted"
        mailboxes = self.server.mailboxes
        return (
            "250 2.1.5 Ok" if mailboxes is None or path.mailbox in mailboxes else "550 5.1.1 No such mailbox"
        )

    @property
    def is_secure(self) -> bool:
        """True under TLS."""
        return self._secure

    def keywords(self) -> list[str]:
        """Return the keywords that EHLO offers now (RFC 5321 §4.1.1.1)."""
        offered = ["PIPELINING"] if self.server.pipelining else []
        offered.append(f"SIZE {_SIZE}")
        if self.server.starttls and not self._secure:
            offered.append("STARTTLS")
        if self.server.auth_in_clear:
            offered.append("AUTH PLAIN LOGIN")
        return [*offered, "ENHANCEDSTATUSCODES", "8BITMIME"]

    def _ehlo(self, argument: str) -> list[str]:
        if not argument:
            return ["501 5.5.4 Syntax: EHLO hostname"]
        self.client_name = argument
        fault = self.server.fault
        if self._secure and fault in ("tls-ehlo", "tls-ehlo-helo"):
            return ["503 what?"]
        if fault in REFUSED_EHLO:
            return REFUSED_EHLO[fault]
        self._greeted = True
        self._reset()
        *lines, last = self.server.host, *self.keywords()
        return ["\r\n".join([*(f"250-{line}" for line in lines), f"250 {last}"])]

    def _helo(self, argument: str) -> list[str]:
        if not argument:
            return ["501 5.5.4 Syntax: HELO hostname"]
        self.client_name = argument
        if self._secure and self.server.fault == "tls-ehlo":
            return ["503 what?"]
        self._greeted = True
        self._reset()
        return [f"250 {self.server.host}"]

    def _starttls(self, _: str) -> list[str]:
        if self._secure:
            return ["503 5.5.1 TLS is already active"]
        if not self.server.starttls:
            return ["502 5.5.1 Not implemented"]
        if self.server.fault == "starttls-eof":
            return ["eof"]
        reply = STARTTLS_REPLIES.get(self.server.fault, "220 2.0.0 Ready to start TLS")
        self.wants_tls = reply.startswith("220")
        return [reply]

    def _auth(self, _: str) -> list[str]:
        if self.server.auth_in_clear:
            return ["454 4.7.0 Nobody has an account here"]
        return ["502 5.5.1 Not implemented"]

    def _mail(self, argument: str) -> list[str]:
        if self._sender is not None:
            return ["503 5.5.1 Nested MAIL"]
        path = parse_path("FROM", argument)
        if path is None:
            return ["501 5.5.4 Syntax: MAIL FROM:<address>"]
        if path.mailbox and not path.domain:
            return ["501 5.1.7 The sender has no domain"]
        for parameter in path.parameters.upper().split():
            keyword, _, value = parameter.partition("=")
            if keyword == "SIZE" and value.isdigit():
                if int(value) > _SIZE:
                    return ["552 5.3.4 Message too big"]
            elif parameter not in {"BODY=7BIT", "BODY=8BITMIME"}:
                return ["555 5.5.4 Parameter not recognized"]
        reply = self.server.mail_replies.get(path.address, "250 2.1.0 Ok")
        self._sender = path.address if reply.startswith("2") else None
        return [reply]

    def _rcpt(self, argument: str) -> list[str]:
        if self._sender is None:
            return ["503 5.5.1 Send MAIL first"]
        path = parse_path("TO", argument)
        if path is None or not path.mailbox:
            return ["501 5.5.4 Syntax: RCPT TO:<address>"]
        if path.parameters:
            return ["555 5.5.4 Parameter not recognized"]
        mailbox, domain = path.mailbox.lower(), path.domain.lower()
        # Postmaster alone may come without a domain, and means ours (RFC 5321 §4.5.1).
        if not domain and mailbox == "postmaster":
            domain = self.server.local_domains[0]
        if not domain:
            return ["501 5.1.3 The recipient has no domain"]
        reply = self.rcpt_reply(Path(mailbox, domain, ""))
        self._recipient = self._recipient or reply.startswith("250")
        closes = self.server.fault == "refusal-closes" and reply[0] in "45"
        return [reply, "eof"] if closes else [reply]

    def _data(self, _: str) -> list[str]:
        return ["554 5.3.2 No message is accepted here" if self._recipient else "503 5.5.1 Send RCPT first"]

    def _rset(self, _: str) -> list[str]:
        self._reset()
        return ["502 what?" if self.server.fault == "rset" else "250 2.0.0 Ok"]

    def _quit(self, _: str) -> list[str]:
        self.closing = True
        return ["221 2.0.0 Bye"]

    def _reset(self) -> None:
        self._sender, self._recipient = None, False
