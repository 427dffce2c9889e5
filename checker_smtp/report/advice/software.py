"""Recognition of the mail server software from its replies.

The table has only signs of a single program: its name in the greeting, an EHLO keyword of its own, a
sentence from its source. `ESMTP`, `Ok` and "pleased to meet you" are no signs. The greeting has priority over
EHLO, and EHLO over the other replies, because a gateway forwards the replies of the server behind it. If the
other replies match two programs, none is recognised.

Custom greetings hide the name, so an unknown program is normal. The report then gives general advice.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from checker_smtp.probes.observation import Endpoint

__all__ = ["MAX_READ", "SIGNS", "Recognised", "ReplyText", "Software", "recognise", "recognise_replies"]


class Software(StrEnum):
    """Mail servers with advice of their own; the value is the usual name."""

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
    """Recognised software; `sign` is the matching text, `source` its place: greeting, EHLO or reply."""

    software: Software
    version: str
    source: str
    sign: str


class ReplyText(Protocol):
    """Any object with the text of a reply."""

    @property
    def text(self) -> str: ...


_GREETING = "greeting"
_EHLO = "EHLO"
_REPLY = "reply"
_S = Software

# (software, source, pattern); the first group, if any, is the version.
# The first match in a source wins, so special patterns are before general ones.
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
    """Return the software of an endpoint; None if it is not recognised."""
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
    """Return the software that sent these replies; None if it is not recognised."""
    for source, replies in ((_GREETING, greetings), (_EHLO, hellos)):
        for reply in replies:
            if (match := _match(source, reply.text)) is not None:
                return match
    matches = [match for reply in others if (match := _match(_REPLY, reply.text)) is not None]
    return matches[0] if len({match.software for match in matches}) == 1 else None


# The characters of a reply that are searched: a sign is near the start, and a long reply must cost no more.
MAX_READ = 4096


def _match(source: str, text: str) -> Recognised | None:
    for software, sign_source, pattern in SIGNS:
        if sign_source == source and (m := pattern.search(text[:MAX_READ])) is not None:
            version = (m[1] or "").rstrip(".") if pattern.groups else ""
            return Recognised(software=software, version=version, source=source, sign=m[0].strip())
    return None
