"""The cause of a refusal, read from its codes and words: replies as real servers give them."""

import pytest

from checker_smtp.probes.rules._blame import (
    about_mailbox,
    about_sender,
    blames_address,
    blames_us,
    demands_tls,
    denies_relay,
    is_policy,
    mailbox_full,
)
from tests.probes.observations import reply

BLAMING_US = {
    "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org": "Client host",
    "550 5.7.1 Service unavailable, Client host rejected: cannot find your hostname": "Client host rejected",
    "554 5.7.1 <unknown[192.0.2.9]>: Client host rejected: Access denied": "Client host rejected",
    "550 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.9": "ipcheck.proofpoint",
    "554 mx.example.org ESMTP not accepting: your IP is on a blacklist": "your IP",
    "550 JunkMail rejected - host [192.0.2.9] is in an RBL: https://www.spamhaus.org/query": "RBL",
    "554 rejected due to the sending MTA's poor reputation": "poor reputation",
    "550 5.7.606 Access denied, banned sending IP [192.0.2.9]": "Access denied",
    "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)": "Access denied",
    "550 Bad HELO - Host impersonating domain name": "Bad HELO",
    "504 5.5.2 <probe>: Helo command rejected: need fully-qualified hostname": "Helo command rejected",
    "550 HELO rejected": "HELO rejected",
    "450 4.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.9]": "Client host rejected",
    "550 cannot find your reverse hostname": "cannot find your reverse hostname",
    "550 5.7.25 The IP address sending this message does not have a PTR record": "PTR record",
    "554 IP without rDNS": "rDNS",
    "550 No reverse DNS for 192.0.2.9": "reverse DNS",
    "550 mail from dynamic IP addresses is not taken": "dynamic IP",
    "550 dynamically assigned addresses may not send here": "dynamically assigned",
    "554 generic hostname, get a real one": "generic hostname",
    "550 Dial-up hosts use their provider's relay": "Dial-up",
    "550 residential networks are not welcome": "residential",
    "421 4.7.0 Too many connections from 192.0.2.9": "Too many connections",
    "421 too many sessions": "too many sessions",
    "421 Too many errors on this connection, closing": "Too many errors",
    "450 4.7.1 Rate limit exceeded": "Rate limit",
    "421 Connection rate exceeded": "Connection rate",
    "450 throttled": "throttled",
    "554 Connection refused": "Connection refused",
    "554-Go away.|554 You are not\twelcome  here": "not welcome",
    "554 5.7.1 Your server is listed at Barracuda": "Your server",
    "550-Your|550 IP address is listed": "Your IP",
    "550 rejected by csi.cloudmark.com": "cloudmark",
    "553 rejected, see b.barracudacentral.org": "barracudacentral",
    "554 listed at bl.spamcop.net": "spamcop",
    "554 dnsbl.sorbs.net says no": "dnsbl",
    "550 sorry, your address is deny-listed": "your address",
    "554 blocklisted": "blocklisted",
    "550 access from your network is closed": "access from your",
}


@pytest.mark.parametrize("text", BLAMING_US)
def test_words_about_us_are_found_and_quoted(text: str) -> None:
    assert blames_us(reply(text)) == BLAMING_US[text]
    assert not about_mailbox(reply(text))
    assert not denies_relay(reply(text))


ABOUT_MAILBOXES = [
    "550 5.1.1 <postmaster@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
    "550 5.1.1 The email account that you tried to reach does not exist. Contact your network administrator",
    "550 5.1.1 unverified address: connect to 10.0.0.1: Connection refused",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    "550 5.4.1 Recipient address rejected: Access denied. [DB5EUR03FT033.eop-EUR03]",
    "550 5.2.1 The email account that you tried to reach is disabled; see your host",
    "552 5.2.2 mailbox full, blocked by your system",
    "550 No Such User Here",
    "550 Unknown user",
    "550 unrouteable address",
    "550 Unrouteable address",
    "550 Invalid recipient <postmaster@example.org>",
    "553 sorry, no mailbox here by that name",
    "550 User not found, ask your system administrator",
    "550 mailbox is disabled",
    "550 no such local user",
]


@pytest.mark.parametrize("text", ABOUT_MAILBOXES)
def test_words_about_the_mailbox_blame_nobody_else(text: str) -> None:
    assert about_mailbox(reply(text))
    assert blames_us(reply(text)) == ""
    assert not about_sender(reply(text))


AMBIGUOUS = [
    "550 Requested action not taken: mailbox unavailable",
    "550 Administrative prohibition",
    "550 generic error",
    "550 5.0.0 Generic rejection",
    "550 dynamic recipient verification said no",
    "550 rejected",
    "550 no",
    "550 Please contact your system administrator",
    "550 Please contact your network administrators",
    "550 mailbox blocked by its owner",
    "550 5.7.1 refused by policy",
    "550 urban legends",
    "550 helo there, no",
    "550 Verbal abuse",
    "550 ptrs and things",
]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_words_that_say_nothing_blame_nobody(text: str) -> None:
    assert blames_us(reply(text)) == ""
    assert not about_mailbox(reply(text))
    assert not about_sender(reply(text))
    assert denies_relay(reply(text)) == ""


@pytest.mark.parametrize(
    "text",
    [
        "550 5.7.1 <postmaster@example.org>: Recipient address rejected: you are listed",
        "550 5.7.1 no such user, for you",
        "550 no such user for your IP",
        "550 Sender address rejected: user unknown",
    ],
)
def test_policy_and_blame_outweigh_words_about_the_mailbox(text: str) -> None:
    assert not about_mailbox(reply(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("554 5.7.1 Client host [192.0.2.9] blocked using ips.backscatterer.org", "Client host"),
        ("550 5.7.1 blocked using dnsbl.example", "blocked using"),
        ("550 see uceprotect.net", "uceprotect"),
        ("550 your IP sends bounces only", "your IP"),
        ("550 5.2.1 listed by Spamhaus", "Spamhaus"),
        ("550 Access denied", ""),
        ("550 5.7.1 <>: Sender address rejected: Access denied", ""),
        ("550 Bad HELO", ""),
        ("550 your server sends bounces", ""),
    ],
)
def test_the_words_that_name_our_address(text: str, words: str) -> None:
    assert blames_address(reply(text)) == words


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("550 5.1.8 <postmaster@probe.test>: Domain of sender address does not exist", True),
        ("450 4.1.8 <postmaster@probe.test>: Sender address rejected: Domain not found", True),
        ("553 5.1.7 address syntax", True),
        ("550-Verification failed for <postmaster@probe.test>|550 Sender verify failed", True),
        ("554 Sender rejected", True),
        ("550 sender denied", True),
        ("550 5.1.1 the sender may try again", False),
        ("550 sender of the month", False),
        ("550 5.1.80 no", False),
    ],
)
def test_refusals_of_the_sender(text: str, sender: bool) -> None:
    assert about_sender(reply(text)) is sender


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("554 5.7.1 <postmaster@example.org>: Relay access denied", "Relay access denied"),
        ("550 5.7.1 Relaying denied. IP name lookup failed [192.0.2.9]", "Relaying denied"),
        ("550 relay not permitted", "relay not permitted"),
        ("550 Relaying is not allowed", "Relaying is not allowed"),
        ("550 relaying prohibited by administrator", "relaying prohibited"),
        ("550 5.7.1 Unable to relay", "to relay"),
        ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "to relay"),
        ("550 5.7.64 TenantAttribution; Relay Access Denied", "Relay Access Denied"),
        ("550-probe.test is currently not permitted|550-to relay through this server", "to relay"),
        ("550 we do not relay", "not relay"),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "allowed rcpthosts"),
        ("550 non-local domain", "non-local domain"),
        ("451 could not connect to relay host", ""),
        ("550 your relay is listed", ""),
        ("550 5.1.1 no such user", ""),
    ],
)
def test_refusals_of_the_domain(text: str, words: str) -> None:
    assert denies_relay(reply(text)) == words


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("550 5.7.1 no", True),
        ("450 4.7.25 no", True),
        ("550 5.17.1 no", False),
        ("550 5.1.7 no", False),
        ("550 no", False),
        ("550 see 5.7.1", False),
    ],
)
def test_policy_is_reported_by_the_enhanced_code(text: str, policy: bool) -> None:
    assert is_policy(reply(text)) is policy


def test_what_is_full_and_what_wants_tls() -> None:
    texts = ["552 no", "452 4.2.2 no", "550 5.2.2 no", "550 5.2.1 no", "452 no", "530 no", "535 no"]
    assert [mailbox_full(reply(text)) for text in texts] == [True, True, True, False, False, False, False]
    assert [demands_tls(reply(text)) for text in texts] == [False] * 5 + [True, False]
