"""Whether a refusal is about us or about the mail: the words and codes that tell.

The reply's class decides what happens; this only says whom it blames. Enhanced codes come first: X.7.x is
security or policy (RFC 3463 §3.8). Words are a hint, never a verdict, and are shown with it.
"""

import re

from probes.observation import ReplySeen

__all__ = ["blames_us", "demands_tls", "is_policy", "mailbox_full"]

_words = re.compile(
    r"""
      \b(?:black|block|deny)[ -]?list(?:ed|ing)?\b | \b(?:dns|r|ur)bl\b | \bblocked\ (?:using|by|for)\b
    | \b(?:spamhaus|barracuda|spamcop|sorbs|cloudmark|invaluement|proofpoint)\b
    | \bclient\ host(?:\ rejected)?\b | \baccess\ (?:denied|from\ your)\b | \bnot\ welcome\b
    | \byour\ (?:ip|host|server|address|network|system|reputation|name|helo|ehlo)\b
    | \b(?:poor|bad|low)\ reputation\b | \bbanned\b
    | \b(?:reverse\ (?:dns|hostname|lookup)|rdns|ptr(?:\ record)?|fcrdns)\b
    | \bcannot\ find\ your\ (?:reverse\ )?hostname\b
    | \b(?:invalid|bad|bogus|unacceptable|unresolvable|forged|rejected)\ (?:helo|ehlo)\b
    | \b(?:helo|ehlo)\ (?:command\ rejected|name|rejected|refused|required)\b
    | \b(?:dynamic|dial-?up|residential|generic)\b
    | \btoo\ many\ (?:connections|sessions|errors|concurrent)\b | \brate[ -]?limit | \bthrottl
    | \bconnection\ (?:refused|rejected|not\ allowed|rate)\b
    """,
    re.IGNORECASE | re.VERBOSE,
).search
_policy = re.compile(r"[45]\.7\.[0-9]+").fullmatch


def blames_us(reply: ReplySeen) -> str:
    """The words that put the blame on our address, name or rate; empty where there are none."""
    m = _words(reply.text)
    return " ".join(m[0].split()) if m else ""


def is_policy(reply: ReplySeen) -> bool:
    """Whether the enhanced code says security or policy (X.7.x)."""
    return _policy(reply.enhanced_code) is not None


def demands_tls(reply: ReplySeen) -> bool:
    """530: the server wants STARTTLS (RFC 3207 §4) or authentication (RFC 4954 §4) first."""
    return reply.code == 530


def mailbox_full(reply: ReplySeen) -> bool:
    """552 or X.2.2: the mailbox exists and has no room (RFC 3463 §3.3)."""
    return reply.code == 552 or reply.enhanced_code.endswith(".2.2")
