"""Servers are recognised by the replies of real ones, and never by less than a sign."""

import pytest

from checker_smtp.probes.observation import ReplySeen
from checker_smtp.report.advice.software import Software, recognise, recognise_replies
from tests.report.results import FIXTURES, replayed

# Greetings as found in the projects' sources, their manuals and public session logs.
GREETINGS = [
    ("mx.example.org ESMTP Postfix (Debian/GNU)", Software.POSTFIX, ""),
    ("mx.example.org ESMTP Postfix", Software.POSTFIX, ""),
    ("mx.example.org ESMTP Postfix (2.11.3)", Software.POSTFIX, "2.11.3"),
    ("mail.example.org ESMTP Exim 4.96 Sun, 22 Nov 2026 09:33:51 +0000", Software.EXIM, "4.96"),
    ("mail.example.org ESMTP Exim 4.94.2 Tue, 01 Jun 2021 10:00:00 +0200", Software.EXIM, "4.94.2"),
    ("in.example.mx ESMTP OpenSMTPD", Software.OPENSMTPD, ""),
    (
        "mail.example.org ESMTP Sendmail 8.15.2/8.15.2; Fri, 5 Aug 2016 16:24:41 -0700",
        Software.SENDMAIL,
        "8.15.2",
    ),
    (
        "mail1.fabrikam.com Microsoft ESMTP MAIL Service ready at Fri, 5 Aug 2016 16:24:41 -0700",
        Software.EXCHANGE,
        "",
    ),
    (
        "x Microsoft ESMTP MAIL Service, Version: 6.0.3790.4675 ready at Mon, 1 Jan 2007",
        Software.EXCHANGE,
        "6.0.3790.4675",
    ),
    (
        "BL2NAM06FT004.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready at Thu, 26 Sep 2019",
        Software.MICROSOFT_365,
        "",
    ),
    ("mx.google.com ESMTP 586e51a60fabf-2b28f1504ccsi401649fac.13 - gsmtp", Software.GOOGLE, ""),
    ("mx.google.com ESMTP m5sm6471201gve.3", Software.GOOGLE, ""),
    ("redcross ESMTP Haraka 2.8.8 ready", Software.HARAKA, "2.8.8"),
    ("mail.example.org ESMTP Haraka/3.0.3 ready (0B7B9FD5)", Software.HARAKA, "3.0.3"),
    ("mx.example.org ESMTP chasquid", Software.CHASQUID, ""),
    ("mail.example.org Stalwart ESMTP at your service", Software.STALWART, ""),
    ("Stalwart ESMTP at your service.", Software.STALWART, ""),
    ("mail.example.org ESMTP mox v0.0.11", Software.MOX, "0.0.11"),
    ("mail.example.org ESMTP mox (devel)", Software.MOX, ""),
]
# Greeting, EHLO and other replies of programs that were run; the names are those of the example.
RECORDED = [
    # aiosmtpd 1.4.6
    ("localhost Python SMTP 1.4.6", "localhost\n8BITMIME\nHELP", ["OK"], Software.AIOSMTPD, "1.4.6"),
    # smtp-server 3.21.6 with a banner of its own, and MailDev 3.0.0, which is made of it
    (
        "mx.example.org ESMTP hello there",
        "mx.example.org Nice to meet you, probe\nPIPELINING\n8BITMIME\nSMTPUTF8\nSTARTTLS",
        ["Accepted"],
        Software.SMTP_SERVER,
        "",
    ),
    (
        "vm ESMTP",
        "vm Nice to meet you, probe\nPIPELINING\n8BITMIME\nSMTPUTF8\nSIZE 52428800",
        ["Accepted", "OK"],
        Software.SMTP_SERVER,
        "",
    ),
    # nginx 1.22.1: no server behind it; Postfix 3.7.11 behind it; with logins only
    (
        "mx.example.org ESMTP ready",
        "mx.example.org\nSTARTTLS",
        ["2.0.0 OK", "4.3.2 Internal server error"],
        Software.NGINX,
        "",
    ),
    ("mx.example.org ESMTP ready", "mx.example.org", ["2.0.0 OK", "2.1.5 Ok"], Software.NGINX, ""),
    (
        "mx.example.org ESMTP ready",
        "mx.example.org\nAUTH PLAIN LOGIN\nSTARTTLS",
        ["5.7.1 Authentication required", "2.0.0 OK"],
        Software.NGINX,
        "",
    ),
    # Dovecot 2.3.19.1: submission, and LMTP, which refuses EHLO
    (
        "mx.example.org Dovecot (Debian) ready.",
        "mx.example.org\n8BITMIME\nAUTH PLAIN\nBURL imap\nCHUNKING\nENHANCEDSTATUSCODES\nSIZE\nPIPELINING",
        ["5.7.0 Authentication required."],
        Software.DOVECOT,
        "",
    ),
    ("mx.example.org Dovecot (Debian) ready.", "5.5.1 Unknown command", ["2.1.0 OK"], Software.DOVECOT, ""),
    # clamsmtpd 1.10 before a server with STARTTLS; its EHLO under another greeting
    (
        "smtp.passthru",
        "smtp.passthru\nSIZE 10240000\nVRFY\nETRN\nAUTH PLAIN LOGIN\n8BITMIME\nDSN\nSMTPUTF8\nXFILTERED",
        ["2.1.5 Ok"],
        Software.CLAMSMTP,
        "",
    ),
    ("mx.example.org ESMTP Postfix", "mx.example.org\n8BITMIME\nXFILTERED", [], Software.CLAMSMTP, ""),
    # haproxy 2.6.12 with send-proxy before aiosmtpd 1.4.6, and the words of Sendmail 8.17.1.9
    ("mx.example.org Python SMTP 1.4.6", 'Error: command "PROXY" not recognized', [], Software.HAPROXY, ""),
    (
        "mx.example.org ESMTP Sendmail 8.17.1.9/8.17.1.9",
        '5.5.1 Command unrecognized: "PROXY TCP4 192.0.2.1 192.0.2.25 41000 25"',
        [],
        Software.HAPROXY,
        "",
    ),
    # amavisd 2.13.0, and the name of the releases before it
    (
        "[127.0.0.1] ESMTP amavis service ready",
        "[127.0.0.1]\nVRFY\nPIPELINING\nSIZE\n8BITMIME\nXFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",
        ["2.1.5 Recipient <postmaster@example.org> OK"],
        Software.AMAVIS,
        "",
    ),
    ("[127.0.0.1] ESMTP amavisd-new service ready", "[127.0.0.1]\nVRFY", [], Software.AMAVIS, ""),
]
# One reply of a program without the others that make it a sign.
NEARLY = [
    ("mx.example.org ESMTP ready", "mx.example.org\nPIPELINING\nSTARTTLS", ["2.0.0 OK"]),
    ("mx.example.org ESMTP ready", "mx.example.org\nSTARTTLS", ["2.1.0 Ok"]),
    ("mx.example.org ESMTP ready now", "mx.example.org", ["2.0.0 OK", "4.3.2 Internal server error"]),
    ("mx.example.org ESMTP", "mx.example.org Nice to meet you, probe\nSIZE 1000\nPIPELINING", ["Accepted"]),
    ("dovecot.example.org ESMTP ready.", "dovecot.example.org\nXXXXXXXAB", []),
    ("amavis.example.org ESMTP", "amavis.example.org\nXFORWARD NAME ADDR\nXFILTEREDX", []),
    ("mx.example.org ESMTP", '5.5.1 Command unrecognized: "PROXYX"', []),
    ("mx.example.org ESMTP Python SMTP proxy", "mx.example.org", []),
]
# Said by many programs, or by people: no ground for a claim.
NOBODYS = [
    "mail.example.org ESMTP",
    "mx ESMTP Service ready",
    "postfix.example.org ESMTP ready",
    "exim.example.org ESMTP",
    "mail.example.org ESMTP We love Postfix, Exim and Sendmail",
    "mail.google.com.example.org ESMTP",
    "ESMTP",
    "**************************",
    "gsmtp",
    "outlook.com ESMTP",
    "smtp-sink ESMTP",
]


def reply_with(text: str) -> ReplySeen:
    return ReplySeen(code=220, text=text, raw=f"220 {text}\r\n", at=0.0, entry=0)


@pytest.mark.parametrize(("text", "software", "version"), GREETINGS)
def test_a_greeting_with_a_name_in_it(text: str, software: Software, version: str) -> None:
    found = recognise_replies([reply_with(text)], [], [])
    assert found is not None
    assert (found.software, found.version, found.source) == (software, version, "greeting")
    assert found.sign in text


@pytest.mark.parametrize(("greeting", "hello", "others", "software", "version"), RECORDED)
def test_a_session_of_a_real_program(
    greeting: str, hello: str, others: list[str], software: Software, version: str
) -> None:
    found = recognise_replies([reply_with(greeting)], [reply_with(hello)], map(reply_with, others))
    assert found is not None
    assert (found.software, found.version) == (software, version)
    assert found.sign in f"{greeting}\n{hello}"


@pytest.mark.parametrize(("greeting", "hello", "others"), NEARLY)
def test_a_part_of_a_sign_is_none(greeting: str, hello: str, others: list[str]) -> None:
    assert recognise_replies([reply_with(greeting)], [reply_with(hello)], map(reply_with, others)) is None


@pytest.mark.parametrize("text", NOBODYS)
def test_a_weak_hint_is_no_sign(text: str) -> None:
    hello = reply_with("mx.example.org Hello probe [192.0.2.1], pleased to meet you\nPIPELINING\n8BITMIME")
    assert recognise_replies([reply_with(text)], [hello], [reply_with("2.0.0 Ok")]) is None


@pytest.mark.parametrize(
    ("text", "software"),
    [
        (
            "mail1.fabrikam.com Hello [172.16.0.5]\nSIZE 37748736\nX-ANONYMOUSTLS\nAUTH NTLM",
            Software.EXCHANGE,
        ),
        ("mail.example.org Ok.\nAUTH PLAIN\nXVERP=Courier\nPIPELINING", Software.COURIER),
        ("mx.google.com at your service, [186.78.3.225]\nSIZE 157286400", Software.GOOGLE),
        ("Haraka says hi Unknown [127.0.0.1]\nPIPELINING", Software.HARAKA),
        # Haraka 3.3.4
        ("mx.example.org Hello probe [127.0.0.1], Haraka is at your service.\nPIPELINING", Software.HARAKA),
    ],
)
def test_an_ehlo_of_its_own(text: str, software: Software) -> None:
    found = recognise_replies([reply_with("mail.example.org ESMTP")], [reply_with(text)], [])
    assert found is not None
    assert (found.software, found.source) == (software, "EHLO")


@pytest.mark.parametrize(
    ("text", "software"),
    [
        ("sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", Software.QMAIL),
        ("5.1.1 <x@y>: Recipient address rejected: User unknown in virtual alias table", None),
        (
            "5.1.1 <x@y>: Recipient address rejected: User unknown in virtual mailbox recipient table",
            Software.POSTFIX,
        ),
        ("5.5.1 That is no command. 5b1f17b1804b1-43 - gsmtp", Software.GOOGLE),
    ],
)
def test_a_sentence_of_its_own(text: str, software: Software | None) -> None:
    found = recognise_replies([], [], [reply_with(text)])
    assert (found and found.software) == software


def test_the_greeting_has_priority_over_forwarded_replies() -> None:
    behind = reply_with("sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")
    found = recognise_replies([reply_with("mx ESMTP Haraka/3.0.3 ready")], [], [behind])
    assert found is not None
    assert found.software == Software.HARAKA


def test_replies_of_two_programs_prove_neither() -> None:
    replies = [
        reply_with("sorry, that domain isn't in my list of allowed rcpthosts"),
        reply_with("5.5.1 x - gsmtp"),
    ]
    assert recognise_replies([], [], replies) is None


def test_recorded_servers() -> None:
    for folder in FIXTURES:
        beginning = folder.name.partition("-")[0]
        expected = {"postfix": Software.POSTFIX, "exim": Software.EXIM}.get(beginning)
        for endpoint in replayed(folder).observation.endpoints:
            found = recognise(endpoint)
            if expected is not None and found is not None:
                assert found.software == expected
            if beginning == "odd":
                masked = folder.name == "odd-starttls-masked"
                assert (found and found.software) == (Software.CISCO_ASA if masked else None)
