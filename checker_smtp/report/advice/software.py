"""Recognition of the mail server software from its replies.

The table has only signs of a single program: its name in the greeting, an EHLO keyword of its own, a
sentence from its source. `ESMTP`, `Ok` and "pleased to meet you" are no signs. The greeting has priority over
EHLO, and EHLO over the other replies, because a gateway forwards the replies of the server behind it. If the
other replies match two programs, none is recognised. Before all of these are the signs of filters in front.

Custom greetings hide the name, so an unknown program is normal. The report then gives general advice.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Protocol

from checker_smtp.probes.observation import Endpoint

__all__ = ["Recognised", "Software", "recognise", "recognise_replies"]


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
    NGINX = "nginx"
    DOVECOT = "Dovecot"
    HAPROXY = "haproxy"
    CLAMSMTP = "clamsmtpd"
    AMAVIS = "amavisd"
    CISCO_ASA = "Cisco ASA"
    AIOSMTPD = "aiosmtpd"
    SMTP_SERVER = "smtp-server for Node.js"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """Recognised software; `sign` is the matching text, `source` its place: greeting, EHLO or reply."""

    software: Software
    version: str
    source: str
    sign: str


class _ReplyText(Protocol):
    """Any object with the text of a reply."""

    @property
    def text(self) -> str: ...


_GREETING = "greeting"
_EHLO = "EHLO"
_REPLY = "reply"
_SOURCES = (_GREETING, _EHLO, _REPLY)
_S = Software
# The characters of a reply that are searched: a sign is near the start, and a long reply must cost no more.
_MAX_READ = 4096


@dataclass(frozen=True, slots=True)
class _Sign:
    """A pattern in a reply of one source; the first group, if any, is the version.

    `also` has the sources and patterns of replies without which this one proves nothing. A sign of a filter
    `in_front` has priority over all others, because the other replies are of the server behind it.
    """

    software: Software
    source: str
    pattern: str
    also: tuple[tuple[str, str], ...] = ()
    in_front: bool = False


# The first match in a source wins, so special patterns are before general ones.
_SIGNS: tuple[_Sign, ...] = (
    # The server behind takes the line of the PROXY protocol for a command, and the reply is taken for EHLO's.
    _Sign(
        _S.HAPROXY,
        _EHLO,
        r"command \"PROXY\" not recognized$|Command unrecognized: \"PROXY (?:TCP4|TCP6|UNKNOWN)\b",
        in_front=True,
    ),
    _Sign(_S.CLAMSMTP, _EHLO, r"^XFILTERED$", in_front=True),
    _Sign(_S.CLAMSMTP, _GREETING, r"^smtp\.passthru$", in_front=True),
    _Sign(_S.CISCO_ASA, _EHLO, r"^XXXXXXX[A-D]$", in_front=True),
    _Sign(
        _S.MICROSOFT_365,
        _GREETING,
        r"^\S+\.(?:outlook\.com|mx\.microsoft) Microsoft ESMTP MAIL Service ready",
    ),
    _Sign(_S.EXCHANGE, _GREETING, r"\bMicrosoft ESMTP MAIL Service(?:, Version: ([0-9.]+))?"),
    _Sign(_S.GOOGLE, _GREETING, r"^(?:mx|smtp-relay)\.google\.com ESMTP\b"),
    _Sign(_S.GOOGLE, _GREETING, r"\bESMTP \S+ - gsmtp$"),
    _Sign(_S.POSTFIX, _GREETING, r"\bE?SMTP Postfix\b(?: \(?([0-9]+\.[0-9.]+))?"),
    _Sign(_S.EXIM, _GREETING, r"\bESMTP Exim\b(?: ([0-9]+\.[0-9.]+))?"),
    _Sign(_S.OPENSMTPD, _GREETING, r"\bESMTP OpenSMTPD\b"),
    _Sign(_S.SENDMAIL, _GREETING, r"\bESMTP Sendmail\b(?: ([0-9]+\.[0-9.]+))?"),
    _Sign(_S.HARAKA, _GREETING, r"\bESMTP Haraka\b(?:[/ ]([0-9]+\.[0-9.]+))?"),
    _Sign(_S.CHASQUID, _GREETING, r"\bESMTP chasquid\b"),
    _Sign(_S.STALWART, _GREETING, r"\bStalwart E?SMTP\b"),
    _Sign(_S.MOX, _GREETING, r"\bESMTP mox\b(?: v?([0-9]+\.[0-9.]+))?"),
    _Sign(_S.COURIER, _GREETING, r"\bESMTP Courier\b(?: ([0-9]+\.[0-9.]+))?"),
    _Sign(_S.QMAIL, _GREETING, r"\bESMTP (?:net|not|s/)?qmail\b"),
    _Sign(_S.DOVECOT, _GREETING, r"^\S+ Dovecot(?: \([^()]+\))? ready\.$"),
    _Sign(_S.AMAVIS, _GREETING, r"^\S+ ESMTP amavis(?:d-new)? service ready$"),
    _Sign(_S.AIOSMTPD, _GREETING, r"^\S+ Python SMTP ([0-9]+\.[0-9.]+)"),
    # nginx answers EHLO and MAIL itself, with nothing of the server behind it.
    _Sign(
        _S.NGINX,
        _GREETING,
        r"^\S+ ESMTP ready$",
        also=((_EHLO, r"\A\S+(?:\nAUTH [A-Z0-9 -]+)?(?:\nSTARTTLS)?\Z"), (_REPLY, r"\A2\.0\.0 OK\Z")),
    ),
    _Sign(
        _S.NGINX,
        _GREETING,
        r"^\S+ ESMTP ready$",
        also=((_REPLY, r"\A4\.3\.2 Internal server error\Z"),),
    ),
    _Sign(_S.EXCHANGE, _EHLO, r"^(?:X-ANONYMOUSTLS|X-EXPS|XEXCH50)\b"),
    _Sign(_S.COURIER, _EHLO, r"^XVERP=Courier\b"),
    _Sign(_S.GOOGLE, _EHLO, r"^mx\.google\.com at your service"),
    _Sign(_S.HARAKA, _EHLO, r"\bHaraka (?:says hi|is at your service)\b"),
    _Sign(_S.SMTP_SERVER, _EHLO, r"^\S+ Nice to meet you, \S+\nPIPELINING\n8BITMIME\nSMTPUTF8$"),
    _Sign(_S.GOOGLE, _REPLY, r" - gsmtp$"),
    _Sign(_S.QMAIL, _REPLY, r"(?i)sorry, that domain isn't in my list of allowed rcpthosts"),
    _Sign(
        _S.POSTFIX,
        _REPLY,
        r"User unknown in (?:local|virtual mailbox|virtual alias|relay) recipient table",
    ),
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
    greetings: Iterable[_ReplyText], hellos: Iterable[_ReplyText], others: Iterable[_ReplyText]
) -> Recognised | None:
    """Return the software that sent these replies; None if it is not recognised."""
    texts = {
        source: [reply.text[:_MAX_READ] for reply in replies]
        for source, replies in zip(_SOURCES, (greetings, hellos, others), strict=True)
    }
    for source, in_front in ((_EHLO, True), (_GREETING, True), (_GREETING, False), (_EHLO, False)):
        if matches := _matches(texts, source, in_front):
            return matches[0]
    matches = _matches(texts, _REPLY, False)
    return matches[0] if len({match.software for match in matches}) == 1 else None


def _matches(texts: dict[str, list[str]], source: str, in_front: bool) -> list[Recognised]:
    """Return the first match of each reply of this source."""
    matches = []
    for text in texts[source]:
        for sign in _signs(source, in_front):
            if match := _match(sign, text, texts):
                matches.append(match)
                break
    return matches


def _match(sign: _Sign, text: str, texts: dict[str, list[str]]) -> Recognised | None:
    m = _compiled(sign.pattern).search(text)
    if m is None or not all(
        any(_compiled(pattern).search(other) for other in texts[source]) for source, pattern in sign.also
    ):
        return None
    version = (m[1] or "").rstrip(".") if m.re.groups else ""
    return Recognised(software=sign.software, version=version, source=sign.source, sign=m[0].strip())


@cache
def _signs(source: str, in_front: bool) -> list[_Sign]:
    return [sign for sign in _SIGNS if (sign.source, sign.in_front) == (source, in_front)]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE)
