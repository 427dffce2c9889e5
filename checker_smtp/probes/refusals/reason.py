"""Read one refusal: its reason, the words that decide, and whose fault it is.

A reply is read in this order: words that blame the client or its sender; a specific enhanced code (RFC 3463);
the other words; generic codes; the basic code. A false accusation is the worst mistake, so what is not
understood is `unclear`, and a 4yz is never more than a deferral.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from .codes import BASIC, OF_DOMAIN, SPECIFIC, SPECIFIC_BASIC, CodeMeaning, generic_meaning
from .text import (
    MAX_CHARS,
    MaskedText,
    addresses,
    find_codes,
    hosts,
    mask_mentions,
    mentions,
    normalize,
    split_quotation,
)
from .words import WordGroup, load_words

__all__ = ["Reason", "Refusal", "Step", "is_known_page", "read_refusal"]


class Reason(StrEnum):
    """The reason of a refusal."""

    MAILBOX = "mailbox"
    MAILBOX_FULL = "mailbox-full"
    NOT_SERVED = "not-served"
    SENDER = "sender"
    HELO = "helo"
    PTR = "ptr"
    BLOCKLIST = "blocklist"
    REPUTATION = "reputation"
    RATE = "rate"
    LOGIN = "login"
    TLS = "tls"
    SERVER_STATE = "server-state"
    GREYLIST = "greylist"
    POLICY = "policy"
    UNCLEAR = "unclear"


class Step(StrEnum):
    """The step of the dialogue that was refused (RFC 5321 §3)."""

    GREETING = "greeting"
    EHLO = "ehlo"
    MAIL = "mail"
    RCPT = "rcpt"


# Postfix names the restriction that refused: what follows may be said to this client or to everybody.
_CLIENT_RULE = re.compile(r"\bclient host rejected: ", re.IGNORECASE)
# The clause of the deciding words is quoted to its end, if that is near.
_END_OF_CLAUSE = re.compile(r"[.,;:!?)\]>\"](?=\s|$)|\s[(<\[-]|\s(?:see|https?:)")
_MAX_REST = 60

EnhancedCode = tuple[int, int]

_ABOUT_RECIPIENTS = frozenset((Reason.MAILBOX, Reason.MAILBOX_FULL, Reason.NOT_SERVED))
_MAY_BE_SENDER = _ABOUT_RECIPIENTS | {Reason.POLICY, Reason.UNCLEAR}
# before RCPT a domain or host that is wrong can only be one that the client gave
_ABOUT_NAMES = {Step.EHLO: Reason.HELO, Step.MAIL: Reason.SENDER}
_VAGUE = frozenset((Reason.POLICY, Reason.UNCLEAR))
_MAY_BE_CRITICAL = frozenset((Reason.MAILBOX, Reason.NOT_SERVED, Reason.LOGIN, Reason.UNCLEAR))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Hold what one refusal says.

    Attributes:
        reason: what the server refuses for.
        words: the deciding words, as they stand in the reply, or the code that decided.
        blames_client: they are against this client: its address, name, sender, rate or reputation.
        code: the basic code.
        enhanced_code: the enhanced code in effect, of the reply's head or text; empty where there is none.
        quoted: the verdict is another server's, quoted ("host ... said: 550 5.1.1 ...").
        lasting: the words or codes say what waiting does not change.
        bounce_policy: they refuse bounces only, as BATV or "no third-party DSNs" do; tagged ones may pass.
        of_service: they speak of the service ("no SMTP service here").
        of_client: they speak of the client ("you", "your host").
        for_a_time: they say themselves that waiting may help ("mailbox temporarily unavailable").
        of_client_rule: a rule for clients demands a login, of everybody or of this client alone.
    """

    reason: Reason
    words: str
    blames_client: bool
    code: int
    enhanced_code: str = ""
    quoted: bool = False
    lasting: bool = False
    bounce_policy: bool = False
    of_service: bool = False
    of_client: bool = False
    for_a_time: bool = False
    of_client_rule: bool = False

    @property
    def is_transient(self) -> bool:
        """Return whether the reply is a 4yz (RFC 5321 §4.2.1): never a critical finding."""
        return 400 <= self.code < 500

    @property
    def is_lasting(self) -> bool:
        """Return whether waiting does not change this 4yz: relaying, the domain, server state."""
        return self.is_transient and self.lasting and not self.blames_client

    @property
    def is_greylisting(self) -> bool:
        """Return whether words, X.7.x or X.2.0 of a 4yz allow the report to say greylisting."""
        if not self.is_transient or self.blames_client or self.lasting:
            return False
        code = self.enhanced_code
        may_mean_it = code.startswith("4.7.") or code == "4.2.0"
        return self.reason is Reason.GREYLIST or (self.reason in _VAGUE and may_mean_it)

    @property
    def defers_client(self) -> bool:
        """Return whether a 4yz to the connection or EHLO is about this client: words that blame it, or 4.7.x.

        Words that give another reason, a server's own limit or trouble, are stronger than 4.7.x.
        """
        by_code = self.enhanced_code.startswith("4.7.") and self.reason in {*_VAGUE, Reason.GREYLIST}
        return self.is_transient and (self.blames_client or by_code)

    @property
    def decides_at_once(self) -> bool:
        """Return whether the refusal says whose fault it is; else only a control recipient decides."""
        return self.blames_client or not (self.reason in _VAGUE or self.of_client_rule)

    @property
    def may_be_critical(self) -> bool:
        """Return whether it may be the domain's own permanent fault; `unclear` needs more evidence."""
        return self.code >= 500 and not self.blames_client and self.reason in _MAY_BE_CRITICAL


@dataclass(frozen=True, slots=True)
class _Verdict:
    reason: Reason
    words: str
    blames: bool = False
    lasting: bool = False


def read_refusal(code: int, enhanced_code: str, text: str, *, step: Step, sender: str = "") -> Refusal:
    """Return what a refusal says: a reply 4yz or 5yz with its enhanced code (RFC 2034) and text.

    Args:
        code: the basic code of the reply.
        enhanced_code: the enhanced code at the head of the text; empty where there is none.
        text: the text without codes, lines joined by newlines. Only its first 4096 characters count.
        step: what was refused. Before RCPT no recipient is named: words about addresses mean the client's.
        sender: the reverse-path of the transaction. A reply that names it and no other address is about it.
    """
    return _read_refusal(code, enhanced_code, text[:MAX_CHARS], step, sender)


# The same text comes at each recipient and step: a hit saves half a millisecond. A text has at most
# 4096 characters, so the cache stays below 4 MiB.
@lru_cache(maxsize=512)
def _read_refusal(code: int, enhanced_code: str, text: str, step: Step, sender: str) -> Refusal:
    codes = [*find_codes(enhanced_code), *find_codes(text)]
    plain = normalize(text)
    reply = mask_mentions(plain)
    verdict, quoted = _read_quotation(code, plain), True
    login = _read_client_rule(code, plain) if verdict is None else None
    if verdict is None:
        verdict, quoted = login or _read(code, codes, reply), False
    flags = {group.name for group, _ in _found(reply, "flag", code)}
    if "of-a-name" in flags and verdict.reason is Reason.UNCLEAR and step in _ABOUT_NAMES:
        verdict = replace(verdict, reason=_ABOUT_NAMES[step], blames=True)
    verdict = _at_step(verdict, step, reply, sender)
    if verdict.reason is Reason.RATE and code >= 500:
        # a limit of the server's own is a 4yz; for good it can only be this client's
        verdict = replace(verdict, blames=True)
    return Refusal(
        reason=verdict.reason,
        words=verdict.words,
        blames_client=verdict.blames,
        code=code,
        enhanced_code=_in_effect(code, codes),
        quoted=quoted,
        lasting=verdict.lasting,
        bounce_policy="bounce-policy" in flags,
        of_service="of-the-service" in flags,
        of_client="of-the-client" in flags or verdict.blames,
        for_a_time="for-a-time" in flags,
        of_client_rule=login is not None,
    )


def _read_quotation(code: int, plain: str) -> _Verdict | None:
    """Return what a quoted reply says; None without one, or not understood, or after words of blame."""
    parts = split_quotation(plain)
    if parts is None:
        return None
    outside, inner_code, inside = parts
    if _first(mask_mentions(outside), ("first", "blame"), code):
        return None
    verdict = _read(inner_code, find_codes(inside), mask_mentions(normalize(inside)))
    return None if verdict.reason is Reason.UNCLEAR else verdict


def _read_client_rule(code: int, plain: str) -> _Verdict | None:
    """Return the demand for a login that a rule for clients makes for good; None without one."""
    rule = _CLIENT_RULE.search(plain)
    if rule is None or code < 500:
        return None
    demand = mask_mentions(plain[rule.end() :])
    if _first(demand, ("first", "blame"), code):
        return None
    verdict = _first(demand, ("words",), code)
    return verdict if verdict is not None and verdict.reason is Reason.LOGIN else None


def _read(code: int, codes: list[EnhancedCode], reply: MaskedText) -> _Verdict:
    """Return what a refusal to RCPT says."""
    return (
        _first(reply, ("first", "blame", "state"), code)
        or _by_code(code, codes, SPECIFIC.get)
        or _by_basic_code(code, SPECIFIC_BASIC)
        or _first(reply, ("words",), code)
        or _by_code(code, codes, OF_DOMAIN.get)
        or _first(reply, ("page", "hint"), code)
        or (None if code in BASIC else _first(reply, ("last",), code))
        or _by_code(code, codes, generic_meaning)
        or (None if code in BASIC else _first(reply, ("guess",), code))
        or _by_basic_code(code, BASIC)
        or _Verdict(Reason.UNCLEAR, str(code))
    )


def _first(reply: MaskedText, stages: Iterable[str], code: int) -> _Verdict | None:
    for stage in stages:
        for group, words in _found(reply, stage, code):
            return _Verdict(Reason(group.reason), words, group.blames, group.lasting)
    return None


def _found(reply: MaskedText, stage: str, code: int) -> Iterable[tuple[WordGroup, str]]:
    """Return the groups of a stage that the reply matches, with the words as they stand in it."""
    for group in load_words()[stage]:
        if group.permanent and code < 500:
            continue
        if stage == "page":
            pages = mentions(reply)
            if group.search(pages.lower()):
                yield group, pages
        elif match := group.search(reply.masked):
            yield group, reply.plain[match.start() : _clause_end(reply.plain, match.end())].strip()


def is_known_page(mention: str) -> bool:
    """Return whether the words know this URL or host name as a page about refusals, such as a blocklist's."""
    return any(group.search(mention.lower()) is not None for group in load_words()["page"])


def _clause_end(plain: str, end: int) -> int:
    """Return where the clause ends, so that the words quoted do not stop in the middle of a sentence."""
    if found := _END_OF_CLAUSE.search(plain, max(end - 1, 0), end + _MAX_REST):
        return max(found.start(), end)
    return len(plain) if len(plain) <= end + _MAX_REST else end


def _by_code(
    code: int, codes: list[EnhancedCode], meaning_of: Callable[[EnhancedCode], CodeMeaning | None]
) -> _Verdict | None:
    for pair in codes:
        if meaning := meaning_of(pair):
            return _verdict(meaning, _full_code(code, pair))
    return None


def _by_basic_code(code: int, meanings: Mapping[int, CodeMeaning]) -> _Verdict | None:
    return _verdict(meanings[code], str(code)) if code in meanings else None


def _verdict(meaning: CodeMeaning, words: str) -> _Verdict:
    return _Verdict(Reason(meaning.reason), words, meaning.blames, meaning.lasting)


def _at_step(verdict: _Verdict, step: Step, reply: MaskedText, sender: str) -> _Verdict:
    """Return the verdict for the step: only at RCPT do words about addresses mean the recipient's."""
    if step is not Step.RCPT and verdict.reason is Reason.MAILBOX_FULL and verdict.words.isdigit():
        # RFC 5321 §4.2.3: 452 and 552 by themselves are about storage, and no mailbox has been named
        return _Verdict(Reason.SERVER_STATE, verdict.words, lasting=True)
    if verdict.reason in _ABOUT_RECIPIENTS and step is not Step.RCPT:
        about = _ABOUT_NAMES.get(step, Reason.UNCLEAR)
        return replace(verdict, reason=about, blames=step is not Step.GREETING, lasting=False)
    if verdict.reason in _MAY_BE_SENDER and sender and _is_about(sender.lower(), reply):
        return _Verdict(Reason.SENDER, verdict.words, blames=True)
    return verdict


def _is_about(sender: str, reply: MaskedText) -> bool:
    """Return whether the reply names the sender, or its domain, and no other address or host."""
    named = addresses(reply)
    return named == {sender} or (not named and hosts(reply) == {sender.rpartition("@")[2]})


def _in_effect(code: int, codes: list[EnhancedCode]) -> str:
    """Return the specific code if there is one, else the first."""
    chosen = next((pair for pair in codes if pair in SPECIFIC), codes[0] if codes else None)
    return _full_code(code, chosen) if chosen else ""


def _full_code(code: int, pair: EnhancedCode) -> str:
    return f"{code // 100}.{pair[0]}.{pair[1]}"
