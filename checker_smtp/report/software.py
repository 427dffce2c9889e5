"""Which mail server this is, as far as it says so itself.

Only signs that one program gives and no other are in the table: its name in the greeting, an EHLO keyword of
its own, a sentence found in its source alone. `ESMTP`, `Ok` and "pleased to meet you" are nobody's. The
greeting is believed first, then EHLO, then the other replies, because a gateway hands on the replies of
whatever stands behind it; and where replies point at two programs nothing is claimed.

Custom greetings hide the name, so "unknown" is a normal answer and costs only the tailored advice.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from checker_smtp.probes.observation import Endpoint

__all__ = ["MAX_READ", "SIGNS", "Recognised", "ReplyText", "Software", "recognise", "recognise_replies"]


class Software(StrEnum):
    """Mail servers for which there is advice; the value is the name people know."""

    POSTFIX = "Postfix"
    EXIM = "Exim"
    OPENSMTPD = "OpenSMTPD"
    SENDMAIL = "Sendmail"
    EXCHANGE = "Exchange Server"
    MICROSOFT_365 = "Microsoft 365"
    GOOGLE = "Google"
    HARAKA = "Haraka"
    CHASQUID = "chasquid"
    COURIER = "Courier"
    QMAIL = "qmail family"
    STALWART = "Stalwart"
    MOX = "mox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """`sign` are the words that gave it away, `source` where they stood: greeting, EHLO or reply."""

    software: Software
    version: str
    source: str
    sign: str


class ReplyText(Protocol):
    """A reply, as far as it matters here."""

    @property
    def text(self) -> str: ...


_GREETING = "greeting"
_EHLO = "EHLO"
_REPLY = "reply"
_S = Software

# (software, where, pattern); the first group, where there is one, is the version.
# Within one place the first match wins, so what is particular stands before what is general.
SIGNS: tuple[tuple[Software, str, re.Pattern[str]], ...] = tuple(
    (software, source, re.compile(pattern, re.MULTILINE))
    for software, source, pattern in (
        (
            _S.MICROSOFT_365,
            _GREETING,
            r"^\S+\.(?:outlook\.com|mx\.microsoft) Microsoft ESMTP MAIL Service ready",
        ),
        (_S.EXCHANGE, _GREETING, r"\bMicrosoft ESMTP MAIL Service(?:, Version: ([0-9.]+))?"),
        (_S.GOOGLE, _GREETING, r"^(?:mx|smtp-relay)\.google\.com ESMTP\b"),
        (_S.GOOGLE, _GREETING, r"\bESMTP \S+ - gsmtp$"),
        (_S.POSTFIX, _GREETING, r"\bE?SMTP Postfix\b(?: \(?([0-9]+\.[0-9.]+))?"),
        (_S.EXIM, _GREETING, r"\bESMTP Exim\b(?: ([0-9]+\.[0-9.]+))?"),
        (_S.OPENSMTPD, _GREETING, r"\bESMTP OpenSMTPD\b"),
        (_S.SENDMAIL, _GREETING, r"\bESMTP Sendmail\b(?: ([0-9]+\.[0-9.]+))?"),
        (_S.HARAKA, _GREETING, r"\bESMTP Haraka\b(?:[/ ]([0-9]+\.[0-9.]+))?"),
        (_S.CHASQUID, _GREETING, r"\bESMTP chasquid\b"),
        (_S.STALWART, _GREETING, r"\bStalwart E?SMTP\b"),
        (_S.MOX, _GREETING, r"\bESMTP mox\b(?: v?([0-9]+\.[0-9.]+))?"),
        (_S.COURIER, _GREETING, r"\bESMTP Courier\b(?: ([0-9]+\.[0-9.]+))?"),
        (_S.QMAIL, _GREETING, r"\bESMTP (?:net|not|s/)?qmail\b"),
        (_S.EXCHANGE, _EHLO, r"^(?:X-ANONYMOUSTLS|X-EXPS|XEXCH50)\b"),
        (_S.COURIER, _EHLO, r"^XVERP=Courier\b"),
        (_S.GOOGLE, _EHLO, r"^mx\.google\.com at your service"),
        (_S.HARAKA, _EHLO, r"\bHaraka says hi\b"),
        (_S.GOOGLE, _REPLY, r" - gsmtp$"),
        (_S.QMAIL, _REPLY, r"(?i)sorry, that domain isn't in my list of allowed rcpthosts"),
        (
            _S.POSTFIX,
            _REPLY,
            r"User unknown in (?:local|virtual mailbox|virtual alias|relay) recipient table",
        ),
    )
)


def recognise(endpoint: Endpoint) -> Recognised | None:
    """What answers at this endpoint; None where it does not say."""
    greetings, hellos, others = [], [], []
    for session in endpoint.sessions:
        for reply in session.replies:
            if reply is session.greeting:
                greetings.append(reply)
            elif reply in (session.ehlo, session.ehlo_tls, session.helo):
                hellos.append(reply)
            else:
                others.append(reply)
    return recognise_replies(greetings, hellos, others)


def recognise_replies(
    greetings: Iterable[ReplyText], hellos: Iterable[ReplyText], others: Iterable[ReplyText]
) -> Recognised | None:
    """The same from loose replies."""
    for source, replies in ((_GREETING, greetings), (_EHLO, hellos)):
        for reply in replies:
            if (found := _first(source, reply.text)) is not None:
                return found
    told = [found for reply in others if (found := _first(_REPLY, reply.text)) is not None]
    return told[0] if len({found.software for found in told}) == 1 else None


# A sign stands early in a line; what comes later is not read, so that a hostile reply costs nothing.
MAX_READ = 4096


def _first(source: str, text: str) -> Recognised | None:
    for software, where, pattern in SIGNS:
        if where == source and (m := pattern.search(text[:MAX_READ])) is not None:
            version = (m[1] or "").rstrip(".") if pattern.groups else ""
            return Recognised(software=software, version=version, source=source, sign=m[0].strip())
    return None
