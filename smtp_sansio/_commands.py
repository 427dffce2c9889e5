"""The commands that a checker may send, and no others.

There is no DATA, BDAT or AUTH here, and no free-form command: that no message is ever sent and no
credential is ever sent is true because no such object can be built. Arguments are checked when the
object is made, so a command that exists can be written to the wire without escaping: its `line`, and CRLF.

The grammar accepted is RFC 5321 §4.1.2 for the paths, without the parts that no probe needs: no source
routes, no quoted-pairs, no SMTPUTF8, no ESMTP parameters.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, TypeAlias

from ._errors import LocalProtocolError

__all__ = ["Command", "Ehlo", "Helo", "Mail", "Noop", "Quit", "Rcpt", "Rset", "StartTls"]

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL = r"\[(?:IPv6:[0-9A-Fa-f:.]{2,45}|[0-9]{1,3}(?:\.[0-9]{1,3}){3})\]"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = rf"(?:{_ATOM}(?:\.{_ATOM})*|\"[ !#-;=?-\[\]-~]+\")"
_is_name = re.compile(rf"(?:{_HOST}|{_LITERAL})\Z").match
_is_address = re.compile(rf"{_LOCAL}@(?:{_HOST}|{_LITERAL})\Z").match

# RFC 5321 §4.5.3.1: octets of a local part and of a domain.
_MAX_LOCAL, _MAX_DOMAIN = 64, 255
# A checker sends the same mailboxes to many servers, and each check of one runs a regular expression.
_MAILBOXES_KNOWN = 256


def _check_name(verb: str, name: str) -> None:
    if not _is_name(name) or len(name) > _MAX_DOMAIN:
        raise LocalProtocolError(
            "argument.name", f"{verb} takes a host name or an address literal, not {name!r}"
        )


@lru_cache(_MAILBOXES_KNOWN)
def _is_mailbox(mailbox: str) -> bool:
    local, _, domain = mailbox.rpartition("@")
    return bool(_is_address(mailbox)) and len(local) <= _MAX_LOCAL and len(domain) <= _MAX_DOMAIN


def _check_mailbox(verb: str, mailbox: str) -> None:
    if not _is_mailbox(mailbox):
        raise LocalProtocolError("argument.mailbox", f"{verb} takes local-part@domain, not {mailbox!r}")


@dataclass(frozen=True, slots=True)
class Ehlo:
    """EHLO with this host's name or address literal (RFC 5321 §4.1.1.1)."""

    name: str

    def __post_init__(self) -> None:
        _check_name("EHLO", self.name)

    @property
    def line(self) -> str:
        """The command's line, without CRLF."""
        return f"EHLO {self.name}"


@dataclass(frozen=True, slots=True)
class Helo:
    """HELO, for a server that does not know EHLO (RFC 5321 §4.1.1.1)."""

    name: str

    def __post_init__(self) -> None:
        _check_name("HELO", self.name)

    @property
    def line(self) -> str:
        """The command's line, without CRLF."""
        return f"HELO {self.name}"


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS (RFC 3207 §4); legal once, and only where EHLO's answer offered it."""

    line: ClassVar[str] = "STARTTLS"


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL FROM; an empty `sender` is the null reverse-path `<>` (RFC 5321 §4.1.1.2, §4.5.5)."""

    sender: str

    def __post_init__(self) -> None:
        if self.sender:
            _check_mailbox("MAIL", self.sender)

    @property
    def line(self) -> str:
        """The command's line, without CRLF."""
        return f"MAIL FROM:<{self.sender}>"


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RCPT TO (RFC 5321 §4.1.1.3); `postmaster` alone needs no domain."""

    recipient: str

    def __post_init__(self) -> None:
        if self.recipient.lower() != "postmaster":
            _check_mailbox("RCPT", self.recipient)

    @property
    def line(self) -> str:
        """The command's line, without CRLF."""
        return f"RCPT TO:<{self.recipient}>"


@dataclass(frozen=True, slots=True)
class Rset:
    """RSET, which ends a transaction (RFC 5321 §4.1.1.5)."""

    line: ClassVar[str] = "RSET"


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP (RFC 5321 §4.1.1.9)."""

    line: ClassVar[str] = "NOOP"


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT (RFC 5321 §4.1.1.10)."""

    line: ClassVar[str] = "QUIT"


Command: TypeAlias = Ehlo | Helo | StartTls | Mail | Rcpt | Rset | Noop | Quit
