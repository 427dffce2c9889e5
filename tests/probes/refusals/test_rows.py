"""The rules that one refusal is read by, in their order, and what the rows of verdicts ask of it."""

import pytest

from checker_smtp.probes.refusals import Reason, Step, read_refusal
from tests.probes.refusals.replies import read

OWN = "postmaster@example.org"
PROBE = "probe@example.net"


@pytest.mark.parametrize(
    ("reply", "reason", "words"),
    [
        # words of blame come before a specific code
        (
            f"550 5.1.1 <{OWN}> - 203.0.113.7 has sent to too many recipients this hour",
            Reason.RATE,
            "has sent to too many recipients this hour",
        ),
        (f"550 5.1.0 <{PROBE}> sender rejected", Reason.SENDER, None),
        ("550 5.2.1 Mailbox unavailable. Your IP address 203.0.113.7 is blacklisted", Reason.BLOCKLIST, None),
        # a specific code comes before the other words
        (f"550 5.1.1 <{OWN}>: relaying denied", Reason.MAILBOX, "5.1.1"),
        ("550 5.1.7 No such domain example.net", Reason.SENDER, "5.1.7"),
        # the other words come before X.7.1
        ("550 5.7.1 User unknown", Reason.MAILBOX, "User unknown"),
        ("550 5.7.1 Unable to relay", Reason.NOT_SERVED, "Unable to relay"),
        # relaying, then login, then mailboxes
        ("550 5.7.1 Relaying denied. Proper authentication required.", Reason.NOT_SERVED, "Relaying denied"),
        ("550 authentication required, no such user", Reason.LOGIN, None),
        # generic codes, then the basic code
        ("550 5.7.1 qwerty", Reason.POLICY, "5.7.1"),
        ("451 4.3.0 qwerty", Reason.SERVER_STATE, "4.3.0"),
        ("550 5.3.2 qwerty", Reason.UNCLEAR, "550"),
        ("530 qwerty", Reason.LOGIN, "530"),
        ("538 qwerty", Reason.TLS, "538"),
        ("552 qwerty", Reason.MAILBOX_FULL, "552"),
        ("452 qwerty", Reason.MAILBOX_FULL, "452"),
        ("556 qwerty", Reason.NOT_SERVED, "556"),
        ("550 qwerty", Reason.UNCLEAR, "550"),
        ("550", Reason.UNCLEAR, "550"),
    ],
)
def test_order_of_reading(reply: str, reason: Reason, words: str | None) -> None:
    refusal = read(reply)
    assert refusal.reason is reason, refusal
    assert words is None or refusal.words == words


@pytest.mark.parametrize(
    "reply",
    [
        f"550 5.1.1 <{OWN}>: user unknown; see https://support.example/blocked?ip=203.0.113.7",
        f"554 5.7.1 <{OWN}>: Relay access denied (your IP: 203.0.113.7, HELO: probe.example.net)",
        "550 No such user (log reference: mx.blocked.example 203.0.113.7 spamhaus.example)",
        "550 User unknown [blacklist@example.org]",
        f"550 <blocked-{OWN}>: mailbox not found. We block no one; our anti-spam policy is at https://example.org",
    ],
)
def test_a_mere_mention_is_no_blame(reply: str) -> None:
    refusal = read(reply)
    assert not refusal.blames_client, refusal
    assert refusal.reason in {Reason.MAILBOX, Reason.NOT_SERVED}


@pytest.mark.parametrize(
    ("follows", "reason"),
    [
        ("User unknown in local recipient table", Reason.MAILBOX),
        ("Access denied", Reason.MAILBOX),
        ("Relaying denied", Reason.NOT_SERVED),
        ("Greylisted, see http://postgrey.example", Reason.GREYLIST),
        ("SPF fail", Reason.SENDER),
        ("rejected for policy reasons", Reason.POLICY),
        ("qwerty", Reason.MAILBOX),
    ],
)
def test_what_follows_the_prefix_is_read_first(follows: str, reason: Reason) -> None:
    assert read(f"554 5.7.1 <{OWN}>: Recipient address rejected: {follows}").reason is reason


def test_a_prefix_alone_is_no_mailbox_in_a_4yz() -> None:
    assert read(f"450 <{OWN}>: Recipient address rejected: qwerty").reason is Reason.UNCLEAR


@pytest.mark.parametrize("code", [450, 550])
@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("550 5.1.1 User unknown", Reason.MAILBOX),
        ("552 5.2.2 Mailbox full", Reason.MAILBOX_FULL),
        ("451 4.7.1 Greylisted", Reason.GREYLIST),
        ("554 5.7.1 Relay access denied", Reason.NOT_SERVED),
    ],
)
def test_a_quoted_verdict_is_read_as_what_it_quotes(code: int, inside: str, reason: Reason) -> None:
    text = f"<{OWN}>: Recipient address rejected: undeliverable address: host mx.example.org said: {inside}"
    refusal = read(f"{code} {code // 100}.1.1 {text}")
    assert (refusal.reason, refusal.quoted) == (reason, True)
    assert refusal.may_be_critical is (code == 550 and reason in {Reason.MAILBOX, Reason.NOT_SERVED})


def test_a_quotation_not_understood_leaves_the_rest() -> None:
    refusal = read("550 5.1.1 host mx.example.org said: 550 qwerty")
    assert (refusal.reason, refusal.quoted, refusal.words) == (Reason.MAILBOX, False, "5.1.1")


def test_blame_outside_a_quotation_wins() -> None:
    refusal = read(
        f"550 <{PROBE}>: Sender address rejected: host mx.example.net said: 550 5.1.1 User unknown"
    )
    assert (refusal.reason, refusal.quoted) == (Reason.SENDER, False)


@pytest.mark.parametrize(
    ("reply", "at_mail", "at_ehlo", "at_greeting"),
    [
        ("550 5.1.1 User unknown", Reason.SENDER, Reason.HELO, Reason.UNCLEAR),
        ("550 Domain not found", Reason.SENDER, Reason.HELO, Reason.UNCLEAR),
        ("552 quota exceeded", Reason.SENDER, Reason.HELO, Reason.UNCLEAR),
        ("452 4.3.1 Insufficient system storage", *[Reason.SERVER_STATE] * 3),
        ("530 5.7.0 Must issue a STARTTLS command first", *[Reason.TLS] * 3),
        ("554 5.7.1 Your IP is blacklisted", *[Reason.BLOCKLIST] * 3),
    ],
)
def test_before_rcpt_no_recipient_was_named(
    reply: str, at_mail: Reason, at_ehlo: Reason, at_greeting: Reason
) -> None:
    assert read(reply, Step.MAIL).reason is at_mail
    assert read(reply, Step.EHLO).reason is at_ehlo
    assert read(reply, Step.GREETING).reason is at_greeting
    assert not read(reply, Step.GREETING).may_be_critical or at_greeting is Reason.UNCLEAR


def test_a_reply_that_names_the_sender_alone_is_about_it() -> None:
    denied = f"550 5.7.1 <{PROBE}>... Access denied"
    assert read(denied, sender=PROBE.upper()).reason is Reason.SENDER
    assert read(denied, sender=PROBE).blames_client
    assert read(denied).reason is Reason.POLICY
    assert read(f"550 5.1.1 <{OWN}> unknown, from <{PROBE}>", sender=PROBE).reason is Reason.MAILBOX
    assert read("550 5.7.1 Access denied", sender=PROBE).reason is Reason.POLICY


@pytest.mark.parametrize(
    "reply",
    [
        "550 Error: no third-party DSNs",
        "550 5.7.1 BATV: bounce tag missing",
        "550 This address never sends mail: bounce refused",
        "550 Unsigned bounces are not accepted here",
    ],
)
def test_bounce_policies(reply: str) -> None:
    refusal = read(reply)
    assert (refusal.bounce_policy, refusal.reason, refusal.blames_client) == (True, Reason.SENDER, True)


@pytest.mark.parametrize("reply", ["550 5.7.1 Null sender is not allowed", "550 User unknown"])
def test_no_bounce_policies(reply: str) -> None:
    assert not read(reply).bounce_policy


@pytest.mark.parametrize(
    ("reply", "of_service", "of_client"),
    [
        ("554 No SMTP service here", True, False),
        ("521 mx.example.org does not accept mail", True, False),
        ("554 5.7.1 You are not allowed to connect", False, True),
        ("554 Your host is blacklisted", False, True),
        ("554 mx.example.org", False, False),
    ],
)
def test_greetings_speak_of_the_service_or_the_client(reply: str, of_service: bool, of_client: bool) -> None:
    refusal = read(reply, Step.GREETING)
    assert (refusal.of_service, refusal.of_client) == (of_service, of_client)


@pytest.mark.parametrize(
    ("reply", "greylisting"),
    [
        ("451 4.7.1 qwerty", True),
        ("450 4.2.0 qwerty", True),
        ("451 Greylisted", True),
        ("451 qwerty", False),
        ("451 4.3.0 qwerty", False),
        ("451 4.7.1 Your IP is blacklisted", False),
        ("550 5.7.1 qwerty", False),
        ("450 4.7.1 Mailbox unavailable", False),
    ],
)
def test_greylisting_is_said_only_where_words_or_codes_say_so(reply: str, greylisting: bool) -> None:
    assert read(reply).is_greylisting is greylisting


@pytest.mark.parametrize(
    ("reply", "of_the_client"),
    [
        ("421 4.7.0 Try again later, closing connection.", True),
        ("451 4.7.0 Try again later", True),
        ("451 4.7.1 Greylisted", True),
        ("421 Too many connections from your host", True),
        ("421 4.3.2 Your IP is blacklisted", True),
        ("421 Try again later", False),
        ("421 4.3.2 mx.example.org too busy", False),
        ("421 4.7.0 mx.example.org too many connections", False),
        ("451 4.7.1 Service unavailable: milter is down", False),
        ("554 5.7.1 Your IP is blacklisted", False),
    ],
)
def test_deferrals_of_the_client_before_mail(reply: str, of_the_client: bool) -> None:
    assert read(reply, Step.GREETING).defers_client is of_the_client
    assert read(reply, Step.EHLO).defers_client is of_the_client


@pytest.mark.parametrize(
    "reply",
    [
        "501 Invalid domain name",
        "550 5.5.4 Invalid domain name",
        "550 HELO should be a FQDN",
        "501 HELO requires domain address",
        "504 need fully-qualified hostname",
        "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname",
        "450 4.7.1 <probe.example.net>: Helo command rejected: Host not found",
        "550 Domain name required",
    ],
)
def test_a_name_refused_at_ehlo_is_the_one_given_there(reply: str) -> None:
    refusal = read(reply, Step.EHLO)
    assert (refusal.reason, refusal.blames_client) == (Reason.HELO, True)


def test_a_name_without_an_owner_is_the_senders_at_mail_and_unclear_elsewhere() -> None:
    assert read("501 Invalid domain name", Step.MAIL).reason is Reason.SENDER
    assert read("501 Invalid domain name", Step.GREETING).reason is Reason.UNCLEAR
    assert read("501 Invalid domain name", Step.RCPT).reason is Reason.UNCLEAR


def test_couriers_517_is_about_the_sender() -> None:
    refusal = read("517 Domain does not exist: example.net.")
    assert (refusal.reason, refusal.words, refusal.blames_client) == (Reason.SENDER, "517", True)


@pytest.mark.parametrize(
    ("reply", "at_once"),
    [
        ("550 User unknown", True),
        ("554 Relay access denied", True),
        ("554 5.7.1 Your IP is not welcome", True),
        ("550 5.7.1 Denied", False),
        ("554 Transaction failed", False),
    ],
)
def test_a_vague_refusal_needs_a_control(reply: str, at_once: bool) -> None:
    assert read(reply).decides_at_once is at_once


def test_a_rate_refused_for_good_is_the_clients() -> None:
    assert not read("421 Too many concurrent SMTP connections").blames_client
    assert read("554 Too many concurrent SMTP connections").blames_client


def test_what_makes_a_finding_critical() -> None:
    assert read("550 5.1.1 User unknown").may_be_critical
    assert read("550 qwerty").may_be_critical
    assert not read("550 5.7.1 qwerty").may_be_critical
    assert not read("450 4.1.1 User unknown").may_be_critical
    assert not read("552 5.2.2 Mailbox full").may_be_critical


def test_the_same_words_in_any_dress() -> None:
    plain = read("550 5.1.1 The email account does not exist")
    for text in (
        "5.1.1 The email\r\n5.1.1 account does\r\n5.1.1 not exist",
        "THE EMAIL ACCOUNT\nDOES NOT EXIST",
        "the\x00email\x1b account\tdoes  not\u00a0exist",
        "The email account does\u2019 not exist",
        "The e\u0301mail account does not \u00e9xist",
    ):
        refusal = read_refusal(550, "", text, step=Step.RCPT)
        assert refusal.reason is plain.reason, text
    assert read("552 5.0.0 Bo\u00eete du destinataire pleine").reason is Reason.MAILBOX_FULL
    assert read("550 \u0130nvalid \u4e0d\u5b58\u5728 user unknown \udc80").reason is Reason.MAILBOX


@pytest.mark.parametrize(
    "reply", ["550 No such domain example.net", "550 unknown host example.net", "550 EXAMPLE.net: no"]
)
def test_a_reply_that_names_the_senders_domain_alone_is_about_it(reply: str) -> None:
    refusal = read(reply, sender=PROBE)
    assert (refusal.reason, refusal.blames_client) == (Reason.SENDER, True)
    assert not read(f"{reply}, says mx.example.org", sender=PROBE).blames_client
    assert not read("550 No such domain example.org", sender=PROBE).blames_client
