"""The text of a reply, made ready for reading: one line, no control characters, mentions masked.

Addresses, host names and URLs are mentions, not words: a refusal that quotes `<blocked@example.com>` or a
page at `https://example.com/blocked` blames nobody. They become placeholders of the same length, so that a
span found in the masked text is the same span of the text.
"""

import re
import unicodedata
from dataclasses import dataclass

__all__ = [
    "ADDRESS",
    "CODE",
    "HOST",
    "IP",
    "MAX_CHARS",
    "PREFIX",
    "URL",
    "MaskedText",
    "addresses",
    "find_codes",
    "hosts",
    "mask_mentions",
    "mentions",
    "normalize",
    "split_quotation",
]

# RFC 5321 §4.5.3.1.5 allows 512 octets a line; real refusals end long before eight of them. What lies behind
# is not read, so that the time for one reply is bounded.
MAX_CHARS = 4096

URL, ADDRESS, HOST, CODE, PREFIX, IP = "\x01", "\x02", "\x03", "\x04", "\x05", "\x06"

# A basic code, or an enhanced one, at the start of a line after the first repeats what the reply began with.
_REPEATED = re.compile(r"[\r\n]+(?:[45][0-9]{2}(?:[ -]|$))?(?:[ ]*[245]\.[0-9]{1,3}\.[0-9]{1,3}[ ]+)?")
_BLANKS = re.compile(r"[\x00-\x20\x7f\x85\xa0]+")

_MENTIONS = re.compile(
    r"""
      (?P<url>    (?:https?://|www\.)[^ <>"']{1,512} )
    | (?P<address> <[^<> ]{0,254}@[^<>]{1,254}> | <(?!https?:|mailto:)[^<>@ ]{1,254}>
                 | (?<![^ <(\[:;,'"=/-])[^ <>()\[\]:;,'"=@]{1,64}@[^ <>()\[\]:;,'"]{1,255} )
    | (?P<ip>     \[?(?:ipv6:)?(?<![0-9a-f:])(?=[0-9a-f:]{0,32}::|(?:[0-9a-f]{1,4}:){5})
                   [0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?![0-9a-z])\]?
                 | (?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3,7}(?![0-9]) )
    | (?P<host>   (?<![\w.-])(?:[a-z0-9_-]{1,63}\.){1,12}(?:[a-z][a-z-]{0,61}[a-z])(?![\w]) )
    | (?P<prefix> \brecipient\ address\ rejected: )
    | (?P<code>   (?<![\w.])[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![\w]|\.[0-9]) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PLACEHOLDERS = {"url": URL, "address": ADDRESS, "host": HOST, "ip": IP, "code": CODE, "prefix": PREFIX}
_BRACKETED_IP = re.compile(r"<(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:]+)>")
# "Try later.Please": a sentence whose blank was forgotten, and Exchange's RESOLVER.ADR.RecipNotFound
_SENTENCE = re.compile(r"\.[A-Z][a-z]|^(?:RESOLVER|STOREDRV|SMTPSEND|ROUTING)\b")

# Where a code may stand: first in the reply or a line, behind a basic code or punctuation, in brackets,
# before an address, last of all. "Exim 4.94.2" and "version 5.1.1" are none of these but the last, hence the
# names.
_AT_START = re.compile(
    r"(?:\A|[\r\n])[ \t]*(?:[45][0-9]{2}[ -])?[ \t]*([45])\.([0-9]{1,3})\.([0-9]{1,3})(?!\w|\.[0-9])"
)
_IN_TEXT = re.compile(
    r"""(?P<opening> [\#(\[<{"':;,>-][ ]? | (?<![\w.])[45][0-9]{2}[ -] | (?<![\w.]) )
        [45]\.(?P<subject>[0-9]{1,3})\.(?P<detail>[0-9]{1,3})(?!\w|\.[0-9])
        (?P<closing> [ ]*[<(\[] | [ ]*[.)\]>]*\Z )?""",
    re.VERBOSE,
)
_SOFTWARE = re.compile(
    r"(?:\bv|version|ver\.?|release|exim|e?smtp|postfix|sendmail|mdaemon|opensmtpd|haraka|rspamd|spamassassin|courier"
    r"|zimbra|qmail|kerio|exchange|amavisd?-?\w*|domino|mailenable|hmailserver|server)[ :/(-]*\Z",
    re.IGNORECASE,
)

# "host mx.example said: 550 5.1.1 ...", Exim's "Response: 550", Exchange's "-> 550 :"
_QUOTATION = re.compile(
    r"(?:\b(?:said|says|responded|response|replied|answered|returned)\b[^0-9]{0,40}|-> ?)([45][0-9]{2})[ -]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MaskedText:
    """Hold the text of a reply and the same text with its mentions masked, folded to lower-case ASCII."""

    plain: str
    masked: str


def normalize(text: str) -> str:
    """Return the text on one line, without control characters and repeated codes, of bounded length."""
    lines = _REPEATED.sub(" ", text[:MAX_CHARS])
    return _BLANKS.sub(" ", lines).strip()


def mask_mentions(plain: str) -> MaskedText:
    """Return a normalized text together with its masked form; both have the same length."""
    return MaskedText(plain, _fold(_MENTIONS.sub(_masked, plain)))


def find_codes(text: str) -> list[tuple[int, int]]:
    """Return the enhanced status codes (RFC 3463 §2) of a reply, as subject and detail, in their order."""
    raw = text[:MAX_CHARS]
    codes = [(int(match[2]), int(match[3])) for match in _AT_START.finditer(raw)]
    line = _BLANKS.sub(" ", raw).strip()
    for match in _IN_TEXT.finditer(line):
        if not match["opening"] and match["closing"] is None:
            continue
        if not _SOFTWARE.search(line, max(0, match.start() - 32), match.start()):
            codes.append((int(match["subject"]), int(match["detail"])))
    return list(dict.fromkeys(codes))


def addresses(reply: MaskedText) -> set[str]:
    """Return the mail addresses that a reply mentions, in lower case and without brackets."""
    spans = re.finditer(f"{ADDRESS}+", reply.masked)
    return {reply.plain[span.start() : span.end()].strip("<>").lower() for span in spans}


def hosts(reply: MaskedText) -> set[str]:
    """Return the host names that a reply mentions outside of addresses and URLs, in lower case."""
    spans = re.finditer(f"{HOST}+", reply.masked)
    return {reply.plain[span.start() : span.end()].lower() for span in spans}


def mentions(reply: MaskedText) -> str:
    """Return the URLs and host names that a reply mentions, as they stand in it."""
    spans = re.finditer(f"[{URL}{HOST}{IP}]+", reply.masked)
    return " ".join(reply.plain[span.start() : span.end()] for span in spans)


def split_quotation(plain: str) -> tuple[str, int, str] | None:
    """Return what stands before the innermost quoted reply, its basic code and its text; None without one."""
    quotations = list(_QUOTATION.finditer(plain))
    if not quotations:
        return None
    last = quotations[-1]
    return plain[: last.start()], int(last[1]), plain[last.end() :]


def _masked(match: re.Match[str]) -> str:
    kind, mention = match.lastgroup or "", match[0]
    if kind == "address" and _BRACKETED_IP.match(mention):
        return IP * len(mention)
    if kind == "host" and _SENTENCE.search(mention):
        return mention
    return _PLACEHOLDERS[kind] * len(mention)


def _fold(text: str) -> str:
    """Return the text in lower case without accents, each character as one."""
    return text.lower() if text.isascii() else "".join(map(_folded, text))


def _folded(character: str) -> str:
    if character in "\u2018\u2019\u00b4":
        return "'"
    base = unicodedata.normalize("NFD", character)[0].lower()
    return base if len(base) == 1 else character
