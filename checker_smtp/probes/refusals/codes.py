"""The meaning of a refusal's codes by themselves: RFC 3463, the registry of RFC 5248, Microsoft's X.7.5xx."""

from dataclasses import dataclass
from typing import Final

__all__ = ["BASIC", "OF_DOMAIN", "SPECIFIC", "SPECIFIC_BASIC", "CodeMeaning", "generic_meaning"]


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """Hold the reason that a code stands for."""

    reason: str
    blames: bool = False
    lasting: bool = False


_MAILBOX: Final = CodeMeaning("mailbox")
_DOMAIN: Final = CodeMeaning("mailbox", lasting=True)
_SENDER: Final = CodeMeaning("sender", blames=True)
_SERVER: Final = CodeMeaning("server-state", lasting=True)
_BLOCKLIST: Final = CodeMeaning("blocklist", blames=True)
_RATE: Final = CodeMeaning("rate", blames=True)

# Codes by subject and detail that software sets with care, so that they decide before words do. X.7.1 is not
# among them: it is put on anything.
SPECIFIC: Final = {
    (1, 1): _MAILBOX,
    (1, 3): _MAILBOX,
    (1, 6): _MAILBOX,
    (1, 7): _SENDER,
    (1, 8): _SENDER,
    (2, 1): _MAILBOX,
    (2, 2): CodeMeaning("mailbox-full"),
    (7, 25): CodeMeaning("ptr", blames=True),
    (7, 26): _SENDER,
    (7, 27): _SENDER,
    # RFC 7372: DKIM and SPF
    **{(7, detail): _SENDER for detail in (20, 21, 22, 23, 24, 29)},
    (7, 28): _RATE,
    (7, 10): CodeMeaning("tls", lasting=True),
    # Exchange Online: wrong region, unattributed tenant, throttled or banned address
    (4, 62): CodeMeaning("not-served", lasting=True),
    (7, 64): CodeMeaning("not-served", lasting=True),
    (7, 500): _RATE,
    **{(7, detail): CodeMeaning("reputation", blames=True) for detail in (501, 502, 503, 508, 511, 512, 513)},
    (7, 515): _SENDER,
    **{(7, detail): _BLOCKLIST for detail in range(606, 650)},
    **{(7, detail): _RATE for detail in range(650, 700)},
}
# The recipient's domain (RFC 3463 §3.2, RFC 7505 §4.1): where words name it they are clearer, so these come
# behind them.
OF_DOMAIN: Final = {(1, 2): _DOMAIN, (1, 10): _DOMAIN}
_GENERIC: Final = {(3, 0): _SERVER, (3, 1): _SERVER, (3, 5): _SERVER}
# Courier's own code: "517 Domain does not exist" is said of the sender's.
SPECIFIC_BASIC: Final = {517: _SENDER}
# RFC 5321 §4.2.3, RFC 4954 §6, RFC 7504 §4
BASIC: Final = {
    452: CodeMeaning("mailbox-full"),
    530: CodeMeaning("login", lasting=True),
    538: CodeMeaning("tls", lasting=True),
    552: CodeMeaning("mailbox-full"),
    556: CodeMeaning("not-served"),
}


def generic_meaning(code: tuple[int, int]) -> CodeMeaning | None:
    """Return the meaning of a code that counts only where no word does; None where it has none."""
    return CodeMeaning("policy") if code[0] == 7 else _GENERIC.get(code)
