"""The words and codes by which a refusal is about this client, or about the mail.

The reply's class decides the outcome; this only names the cause. Enhanced codes come first: X.7.x is
security or policy (RFC 3463 §3.8), X.1.1 and its like the mailbox (§3.2, §3.3), X.1.7 and X.1.8 the sender.
Words are a hint, never a verdict, and are shown with it.
"""

import re

from checker_smtp.probes.observation import ReplySeen

__all__ = [
    "about_mailbox",
    "about_sender",
    "blames_address",
    "blames_us",
    "demands_tls",
    "denies_relay",
    "is_policy",
    "mailbox_full",
]


def _any_of(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.VERBOSE)


_ADDRESS = r"""
      \b(?:black|block|deny)[ -]?list(?:s|ed|ing)?\b | \b(?:dns|r|ur)bl\b | \bblocked\ using\b
    | \b(?:spamhaus|barracuda(?:central)?|spamcop|sorbs|cloudmark|invaluement|backscatterer|uceprotect)\b
    | \bipcheck\.proofpoint\b | \bclient\ host(?:\ rejected)?\b | \byour\ ip\b
"""
_us = _any_of(
    _ADDRESS
    + r"""
    | (?<!rejected:\ )\baccess\ denied\b | \baccess\ from\ your\b | \bnot\ welcome\b | \bbanned\b
    | \byour\ (?:host|server|address|network|system|reputation|name|helo|ehlo)\b(?!\ admin)
    | \b(?:poor|bad|low)\ reputation\b
    | \b(?:reverse\ (?:dns|hostname|lookup)|rdns|ptr(?:\ record)?|fcrdns)\b
    | \bcannot\ find\ your\ (?:reverse\ )?hostname\b
    | \b(?:invalid|bad|bogus|unacceptable|unresolvable|forged|rejected)\ (?:helo|ehlo)\b
    | \b(?:helo|ehlo)\ (?:command\ rejected|name|rejected|refused|required)\b
    | \b(?:dynamic(?:ally)?|generic)\ (?:ip|address|host|hostname|range|pool|assigned|dns|name)\b
    | \bdial-?up\b | \bresidential\b
    | \btoo\ many\ (?:connections|sessions|errors|concurrent)\b | \brate[ -]?limit\w* | \bthrottl\w+
    | \bconnection\ (?:refused|rejected|not\ allowed|rate)\b
    """
)
_address = _any_of(_ADDRESS)
_sender = _any_of(r"\bsender\ (?:address\ )?(?:rejected|denied|verify\ failed|verification\ failed)\b")
_mailbox = _any_of(
    r"""
      \b(?:no\ such|unknown|invalid)\ (?:local\ )?(?:user|recipient|mailbox|person|address|account)\b
    | \b(?:user|recipient|mailbox|account)\ (?:is\ )?(?:unknown|not\ found|does\ not\ exist|disabled)\b
    | \brecipient\ address\ rejected\b | \bno\ mailbox\b | \bunrouteable\ address\b
    """
)
_relay = _any_of(
    r"""
      \brelay(?:ing)?\ (?:access\ |is\ )?(?:denied|not\ (?:permitted|allowed)|prohibited|refused)\b
    | \b(?:to|not|cannot)\ relay\b(?!\ host) | \ballowed\ rcpthosts\b | \bnon-(?:accepted|local)\ domain\b
    """
)
_policy = re.compile(r"[45]\.7\.[0-9]+").fullmatch
_mailbox_code = re.compile(r"[45]\.(?:1\.(?:1|2|3|6|10)|2\.[0-9]+)").fullmatch
_sender_code = re.compile(r"[45]\.1\.[78]").fullmatch


def _words(pattern: re.Pattern[str], reply: ReplySeen) -> str:
    match = pattern.search(" ".join(reply.text.split()))
    return match[0] if match else ""


def blames_us(reply: ReplySeen) -> str:
    """Return the words that blame this client's address, name or rate; empty where there are none."""
    return "" if _mailbox_code(reply.enhanced_code) else _words(_us, reply)


def blames_address(reply: ReplySeen) -> str:
    """Return the words that name this client's address or a list it is on; empty where there are none."""
    return _words(_address, reply)


def is_policy(reply: ReplySeen) -> bool:
    """Return whether the enhanced code says security or policy (X.7.x)."""
    return _policy(reply.enhanced_code) is not None


def about_sender(reply: ReplySeen) -> bool:
    """Return whether the reverse-path was refused, though maybe not before RCPT."""
    return _sender_code(reply.enhanced_code) is not None or bool(_words(_sender, reply))


def about_mailbox(reply: ReplySeen) -> bool:
    """Return whether it says that there is no such mailbox, and nothing of policy."""
    if _mailbox_code(reply.enhanced_code):
        return True
    has_other_cause = is_policy(reply) or about_sender(reply) or blames_us(reply)
    return not has_other_cause and bool(_words(_mailbox, reply))


def denies_relay(reply: ReplySeen) -> str:
    """Return the words that refuse to relay to the recipient's domain; empty where there are none."""
    return _words(_relay, reply)


def demands_tls(reply: ReplySeen) -> bool:
    """Return whether it is 530: STARTTLS (RFC 3207 §4) or authentication (RFC 4954 §4) has to come first."""
    return reply.code == 530


def mailbox_full(reply: ReplySeen) -> bool:
    """Return whether it is 552 or X.2.2: the mailbox exists and is full (RFC 3463 §3.3)."""
    return reply.code == 552 or reply.enhanced_code.endswith(".2.2")
