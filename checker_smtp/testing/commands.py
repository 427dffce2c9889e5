"""The syntax of the commands that a server receives (RFC 5321 §4.1)."""

import re
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["LINE_LIMIT", "Path", "parse_path", "syntax_error"]

# RFC 5321 §4.5.3.1.4 asks for 512 at least, and the parameters of MAIL are added to that.
LINE_LIMIT: Final = 1024
"""The longest command line in octets, its CRLF included."""

_PATH: Final = (
    r"<(?:(?:@[^:<>\s]+:)?"  # a source route: understood, then ignored (RFC 5321 §4.1.1.3)
    r'(?P<mailbox>"(?:[^"\\]|\\.)*"|[^"<>@\s]+)'
    r"(?:@(?P<domain>[\w.-]+|\[[^\]\s]+\]))?)?>"
    r"(?P<parameters>(?: \S+)*)"
)
_PATHS: Final = {
    direction: re.compile(f"{direction}:{_PATH}", re.ASCII | re.IGNORECASE) for direction in ("FROM", "TO")
}


@dataclass(frozen=True, slots=True)
class Path:
    """The argument of MAIL or RCPT; mailbox and domain are empty in the null path `<>`."""

    mailbox: str
    domain: str
    parameters: str

    @property
    def address(self) -> str:
        """The mailbox with its domain, empty for the null path."""
        return f"{self.mailbox}@{self.domain}" if self.mailbox else ""


def parse_path(direction: Literal["FROM", "TO"], argument: str) -> Path | None:
    """Return the path in the argument of MAIL (`FROM`) or RCPT (`TO`), None where it is malformed."""
    match = _PATHS[direction].fullmatch(argument)
    return Path(match["mailbox"] or "", match["domain"] or "", match["parameters"]) if match else None


def syntax_error(line: bytes) -> str | None:
    """Return the reply to a line that cannot be a command, None where it can be one.

    `line` is given with its line ending. Blanks at its end are tolerated (RFC 5321 §4.1.1).
    """
    if len(line) > LINE_LIMIT:
        return "500 5.5.2 Line too long"
    if not line.endswith(b"\r\n"):
        return "500 5.5.2 Lines end with CR LF, see RFC 5321 section 2.3.8"
    command = line[:-2].rstrip(b" \t").decode("ascii", "replace")
    if not (command.isascii() and command.isprintable()):
        return "500 5.5.2 Commands are made of printable ASCII"
    return None
