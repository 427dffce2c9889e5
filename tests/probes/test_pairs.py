"""The verdicts that come from pairs of transactions: one table, read as `null, postmaster, relay -> verdict`.

Each row is a server that is well but for these answers, so what is listed is all that is said of it.
"""

import pytest

from checker_smtp.probes.rules import apply_rules
from tests.probes.observations import DENIED, HERE, endpoint, finding_lines, observation

OK = "250 2.1.5 ok"
LATER = "450 4.2.0 Greylisted"
UNKNOWN = "550 5.1.1 <postmaster@example.org>: Recipient address rejected: User unknown"
NO_NAME = "450 4.7.1 <probe.test>: Helo command rejected: Host not found"
LISTED = "554 5.7.1 Service unavailable; Client host [203.0.113.9] blocked using zen.spamhaus.org"
NO_BOUNCE = "550 5.7.1 <>: Sender address rejected: Access denied"
NO_SENDER = "553 5.1.8 <postmaster@probe.test>: Sender address rejected: Domain not found"
TLS_FIRST = "530 5.7.0 Must issue a STARTTLS command first"
FULL = "552 5.2.2 <postmaster@example.org>: mailbox full"
M365 = "550 5.4.1 Recipient address rejected: Access denied. [DB5EUR03FT033.eop 2026-11-22T09 08DC]"

REFUSED_US = "refused_us info refused-us"
NOT_TESTED = "not_tested info not-tested"
LATER_RELAY = "not_tested info transient"
LOGIN = "auth.required crit fail"
NULL_CRIT = "null_sender.rejected crit fail"
NULL_LATER = "null_sender.deferred info transient"
POST_CRIT = "postmaster.rejected crit fail"
POST_LATER = "postmaster.deferred info transient"
SUSPECT = "open_relay.suspected warn fail"

TABLE = {
    "all well": (OK, OK, DENIED, []),
    "251 and 252 are yes": ("251 forwarded", "252 cannot verify", DENIED, []),
    # the null sender
    "bounces refused at RCPT": (NO_BOUNCE, OK, DENIED, [NULL_CRIT]),
    "bounces refused at MAIL": (f"MAIL {NO_BOUNCE}", OK, DENIED, [NULL_CRIT]),
    "bounces refused at MAIL, postmaster unknown": (
        f"MAIL {NO_BOUNCE}",
        UNKNOWN,
        DENIED,
        [NULL_CRIT, POST_CRIT],
    ),
    "bounces refused to listed clients": (
        "554 5.7.1 Client host [203.0.113.9] blocked using ips.backscatterer.org",
        OK,
        DENIED,
        [REFUSED_US],
    ),
    "bounces refused to listed clients at MAIL": (f"MAIL {LISTED}", OK, DENIED, [REFUSED_US]),
    "bounces deferred": (LATER, OK, DENIED, [NULL_LATER]),
    "bounces deferred at MAIL": (f"MAIL {LATER}", OK, DENIED, [NULL_LATER]),
    "bounces answered with 3yz": ("354 go on", OK, DENIED, [NULL_LATER]),
    "bounces refused, others deferred": (NO_BOUNCE, LATER, DENIED, [NULL_LATER, POST_LATER]),
    "unknown to bounces, other sender refused at MAIL: the mailbox decides": (
        UNKNOWN,
        f"MAIL {NO_SENDER}",
        f"MAIL {NO_SENDER}",
        [POST_CRIT, NOT_TESTED, NOT_TESTED],
    ),
    "bounces refused at MAIL without a reason, others deferred": (
        *("MAIL 550 no", LATER, DENIED),
        [NULL_CRIT, POST_LATER],
    ),
    "null sender refused and postmaster, at MAIL, the relay probe's sender accepted": (
        *("MAIL 550 no", "MAIL 550 no", DENIED),
        [REFUSED_US],
    ),
    "our name deferred everywhere": (NO_NAME, NO_NAME, NO_NAME, [REFUSED_US]),
    "everybody deferred everywhere": (LATER, LATER, LATER, [NULL_LATER, POST_LATER, LATER_RELAY]),
    # postmaster
    "postmaster unknown": (UNKNOWN, UNKNOWN, DENIED, [POST_CRIT, NOT_TESTED]),
    "postmaster unknown in other words": (
        "550 No such user",
        "550 no mailbox",
        DENIED,
        [POST_CRIT, NOT_TESTED],
    ),
    "postmaster taken from bounces only": (OK, UNKNOWN, DENIED, []),
    "postmaster deferred": (OK, LATER, DENIED, []),
    "everything greylisted": (LATER, LATER, LATER, [NULL_LATER, POST_LATER, LATER_RELAY]),
    "greylisted but for the relay": (LATER, LATER, DENIED, [NULL_LATER, POST_LATER]),
    "our sender refused at MAIL": (OK, f"MAIL {NO_SENDER}", f"MAIL {NO_SENDER}", [NOT_TESTED]),
    "our sender refused at RCPT": (OK, NO_SENDER, NO_SENDER, [NOT_TESTED]),
    "bounces deferred, our sender refused at RCPT: the client decides": (
        *(LATER, NO_SENDER, NO_SENDER),
        [REFUSED_US],
    ),
    "mailbox full": (FULL, FULL, DENIED, ["postmaster.rejected warn fail", NOT_TESTED]),
    "mailbox full for now": (
        "452 4.2.2 over quota",
        "452 4.2.2 over quota",
        DENIED,
        ["postmaster.rejected warn transient", NULL_LATER],
    ),
    "disk full: waiting does not help": (
        *("452 4.3.1 no space", "452 4.3.1 no space", DENIED),
        ["postmaster.deferred warn fail", NULL_LATER],
    ),
    "policy on postmaster, undecided without a control": (
        *("550 5.7.1 members only",) * 2,
        *(DENIED, [REFUSED_US]),
    ),
    "no such mailbox at Microsoft, and no relay in the same words": (
        M365,
        M365,
        M365,
        [POST_CRIT, NOT_TESTED],
    ),
    "no such mailbox for anybody": ("550 No such user here",) * 3 + ([POST_CRIT, NOT_TESTED],),
    # the domain is not served here
    "a stranger to the server": (
        *("554 5.7.1 <postmaster@example.org>: Relay access denied",) * 2,
        DENIED,
        [POST_CRIT, NOT_TESTED],
    ),
    "a stranger to qmail": (
        *("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",) * 3,
        [POST_CRIT, NOT_TESTED],
    ),
    # us
    "listed, said at RCPT": (LISTED, LISTED, LISTED, [REFUSED_US]),
    "listed, said at MAIL": (*(f"MAIL {LISTED}",) * 3, [REFUSED_US]),
    "no reason given, whatever the sender and recipient": (
        *("550 Administrative prohibition",) * 3,
        [REFUSED_US],
    ),
    "refused alike but for names and numbers": (
        "550 5.7.1 <postmaster@example.org> denied for 203.0.113.9 (id 4711)",
        "550 5.7.1 <postmaster@example.org> denied for 203.0.113.9 (id 4712)",
        "550 5.7.1 <postmaster@example.com> denied for 203.0.113.9 (id 4713)",
        [REFUSED_US],
    ),
    "Exim, where the texts differ": (
        "550 Your IP is banned",
        "550 Your IP is banned",
        "550 relay not permitted",
        [REFUSED_US],
    ),
    "Exim, where the sender could not be verified": (
        OK,
        "550-Verification failed for <postmaster@probe.test>|550 Sender verify failed",
        "550 relay not permitted",
        [],
    ),
    "TLS first, said on TLS": (*(f"MAIL {TLS_FIRST}",) * 3, [REFUSED_US]),
    "TLS first, said on TLS at RCPT": (TLS_FIRST, TLS_FIRST, TLS_FIRST, [REFUSED_US]),
    "login first, on TLS: critical": (*("MAIL 530 5.7.0 Authentication required",) * 3, [LOGIN]),
    "login first, on TLS, said in other words each: critical": (
        f"MAIL {TLS_FIRST}",
        "530 5.7.0 Authentication required",
        "530 5.7.1 Authentication required",
        [LOGIN],
    ),
    # relaying
    "relay deferred": (OK, OK, LATER, [LATER_RELAY]),
    "relay deferred at MAIL": (OK, OK, f"MAIL {LATER}", [LATER_RELAY]),
    "relay refused at MAIL": (OK, OK, f"MAIL {NO_SENDER}", [NOT_TESTED]),
    "relay answered with 3yz: that is no refusal": (OK, OK, "354 go on", [NOT_TESTED]),
    "relay taken, no control": (OK, OK, OK, [SUSPECT]),
    # neither accepted nor refused
    "mail answered with 3yz": ("354 go on", "354 go on", DENIED, [NULL_LATER, NOT_TESTED]),
    "mail answered with a code that SMTP does not have": (
        *("999 what?", "999 what?", DENIED),
        [NULL_LATER, NOT_TESTED],
    ),
    # not answered
    "421 against this client to the null sender": (
        "421 4.7.0 Too many connections from your host",
        None,
        None,
        [REFUSED_US],
    ),
    "421 to the null sender": ("421 4.3.2 closing", None, None, [LATER_RELAY, NULL_LATER, POST_LATER]),
    "421 to MAIL of postmaster": (OK, "MAIL 421 busy", None, [LATER_RELAY]),
    "nothing answered": (None, None, None, [NOT_TESTED]),
    "only bounces answered": (NO_BOUNCE, None, None, [NOT_TESTED, NOT_TESTED]),
    "one refusal with a reason is enough": (LISTED, None, None, [REFUSED_US]),
}


@pytest.mark.parametrize("row", TABLE)
def test_the_answers_and_the_verdict(row: str) -> None:
    null, postmaster, relay, expected = TABLE[row]
    end = "RCPT/closed" if relay is None else None
    found = finding_lines(observation(endpoint(null=null, postmaster=postmaster, relay=relay, end=end)))
    assert found == [f"{verdict} {HERE}" for verdict in expected]


@pytest.mark.parametrize("answer", ["354 go on", "999 what?"])
def test_a_reply_of_no_class_is_called_neither_refusal_nor_deferral(answer: str) -> None:
    for found in apply_rules(observation(endpoint(null=answer, postmaster=answer))):
        assert found.message.endswith(f"is answered with {answer[:3]}, which neither accepts nor refuses it.")
