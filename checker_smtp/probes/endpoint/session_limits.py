"""Limits on a session for many domains, below those at which servers slow it down or drop it."""

import re

from smtp_sansio import Dialogue, Ehlo, Greeting, Helo, Mail, Rcpt, Reply, Rset

__all__ = ["MAX_DOMAINS_IF_DROPPED", "has_room"]

# From the 10th refusal of a session on Postfix delays each reply by a second (smtpd_soft_error_limit), and it
# drops the session at the 20th (smtpd_hard_error_limit). A recipient that it accepts does not reset the
# counter. The relay probe, which comes last, is the 9th.
_MAX_REFUSALS = 8

# Exim drops a session at the 11th command that is neither MAIL nor RCPT (smtp_accept_max_nonmail). The first
# RSET is free: with two for each domain and one for the relay probe, five domains make ten.
MAX_DOMAINS_IF_DROPPED = _MAX_DOMAINS_OF_EXIM = 5
_EXIM = re.compile(r"\bExim\b")

# Sendmail drops no session for refusals or RSETs, but Debian's allows a client ten connections in ten minutes
# (`ClientRate` in /etc/mail/access), and fail2ban counts each further one. Longer sessions are fewer.
_SENDMAIL = re.compile(r"SMTP Sendmail\b")


def has_room(dialogue: Dialogue, domains: int, questions: int) -> bool:
    """Return True where a session may go on with one more domain, about which it asks `questions`.

    `dialogue` is the session so far, `domains` the number of those it asked about.
    """
    replies = [logged.event for logged in dialogue.log if isinstance(logged.event, Reply)]
    texts = [r.text for r in replies if isinstance(r.command, Ehlo | Helo)]
    texts += [logged.event.text for logged in dialogue.log if isinstance(logged.event, Greeting)]
    if any(map(_SENDMAIL.search, texts)):
        return True
    refusals = sum(isinstance(r.command, Mail | Rcpt | Rset) and r.reply_class >= 4 for r in replies)
    if refusals + questions > _MAX_REFUSALS:
        return False
    return domains < _MAX_DOMAINS_OF_EXIM or not any(map(_EXIM.search, texts))
