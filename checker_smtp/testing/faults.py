"""The faults of a `RuleServer`, and what a client finds of them."""

from collections.abc import Mapping
from typing import Final

from smtp_sansio import Failed, FailureKind

from .session import Output

__all__ = ["ENDINGS", "FAILURES", "FAULTS", "GREETINGS", "REFUSED_EHLO", "STARTTLS_REPLIES", "outputs"]

FAULTS: Final[Mapping[str, str]] = {
    "": "none",
    "refused": "connect",
    "timeout": "connect",
    "silent": "greeting",
    "554": "greeting",
    "421": "greeting",
    "450": "greeting",
    "ehlo-421": "EHLO",
    "ehlo-refused": "EHLO, HELO works",
    "ehlo-dropped": "EHLO, and the connection closes",
    "starttls-454": "STARTTLS",
    "starttls-eof": "STARTTLS",
    "injection": "STARTTLS, a second reply behind its 220",
    "sni": "the handshake with a server name",
    "handshake": "the handshake",
    "tls-ehlo": "EHLO after the handshake",
    "tls-ehlo-helo": "EHLO after the handshake, HELO works",
    "group": "more than one command in a write",
    "slow-group": "the same, by silence",
    "rset": "RSET",
    "refusal-closes": "RCPT refused, and the connection closes",
}
"""The faults a server may have, and the step at which each shows."""

ENDINGS: Final = ("421", "421-stays", "eof", "reset", "timeout")
"""How a server may end a connection: 421 and a close, 421 without it, a close, a reset, silence."""

FAILURES: Final = {
    "eof": FailureKind.CLOSED,
    "reset": FailureKind.RESET,
    "timeout": FailureKind.TIMEOUT,
    "refused": FailureKind.REFUSED,
}
GREETINGS: Final = {code: f"{code} go away" for code in ("421", "450", "554")}
REFUSED_EHLO: Final = {
    "ehlo-421": ["421 not now"],
    "ehlo-refused": ["550 what?"],
    "ehlo-dropped": ["550 what?", "eof"],
}
STARTTLS_REPLIES: Final = {"starttls-454": "454 no key", "injection": "220 go\r\n250 injected"}


def outputs(replies: list[str]) -> list[Output]:
    """Return the replies up to the first ending as octets for one read, and the ending behind them."""
    text = ""
    for reply in replies:
        if reply in ("421", "421-stays"):
            text += "421 4.7.0 too much\r\n"
            if reply == "421":
                return [text.encode("latin-1"), Failed(0.0, FailureKind.CLOSED)]
        elif reply in FAILURES:
            ending = Failed(0.0, FAILURES[reply])
            return [text.encode("latin-1"), ending] if text else [ending]
        else:
            text += reply + "\r\n"
    return [text.encode("latin-1")] if text else []
