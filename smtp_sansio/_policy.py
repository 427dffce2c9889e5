"""Limits for a hostile peer, and the choice between tolerance and strictness.

Every number has a precedent beside it. They bound memory and time against a hostile peer; they are
far above what honest servers do, so reaching one is worth a report, and no setting to be tuned.
Timeouts are not here: this package has no clock (see `_effects`).
"""

from dataclasses import dataclass

__all__ = ["Policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Limits in octets or counts, and the strictness.

    `strict`: raise `RemoteProtocolError` for a deviation that breaks an RFC instead of noting it.
    """

    strict: bool = False
    # One line, terminator included. RFC 5321 §4.5.3.1.5 says 512, longer is a deviation;
    # aiosmtplib and websockets both stop at 8 KiB.
    max_line: int = 8 * 1024
    # Lines of one reply. Exim and Postfix send at most a few dozen EHLO lines; h11 and httptools
    # limit a header block by octets, websockets to 128 lines.
    max_reply_lines: int = 128
    # Octets of one reply. The header-block limit of IIS (16 KiB) and nginx (32 KiB), doubled;
    # aiosmtplib stops at 32 KiB.
    max_reply: int = 64 * 1024
    # Octets of one session, both before and after TLS. sendmail and Postfix close a session that
    # costs too much; websockets' default message limit is the same 1 MiB.
    max_session: int = 1024 * 1024
    # Replies to nothing. One is common (a 421 at shutdown), two happen; Postfix gives up on a
    # client at its first, curl at any.
    max_unsolicited: int = 4
    # Deviations kept for one reply: a binary blob deviates at every line, and eight lines are enough to
    # recognise it; the limit only keeps a hostile reply from costing more than its own bytes.
    max_deviations: int = 64
    # Octets quoted in an error or a deviation: two terminal lines (git and Postfix quote about as much).
    max_excerpt: int = 200
