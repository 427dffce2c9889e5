"""STARTTLS is offered by every endpoint whose extensions are known; the others say nothing about it."""

from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation, Session

from ._answers import Kind, is_welcome, own_answer
from ._finding import Code, Evidence, Finding, Severity, Urgency
from ._reading import any_extensions, listed, quoted, reply_evidence, shown
from ._reproduction import HoldSession, RepeatTransactions
from ._rule import Input, rule

ALL_MISSING = Code(
    "smtp.all_no_starttls",
    Severity.CRIT,
    title="No mail server that could be tested offers encryption",
    why="All mail to the domain travels in the clear; senders that insist on TLS do not deliver at all.",
    fix="Give the server a key and a certificate and let it offer STARTTLS (Postfix: "
    "`smtpd_tls_chain_files` and `smtpd_tls_security_level = may`; Exim: `tls_certificate` and "
    "`tls_advertise_hosts = *`).",
    reference="RFC 3207 §4, RFC 7435",
    reproduce=HoldSession(until="EHLO"),
    urgency=Urgency.LOSES_PRIVACY,
    badge="No STARTTLS",
    advice="offer_starttls",
)
MISSING = Code(
    "smtp.starttls.missing",
    Severity.WARN,
    title="One of the mail servers does not offer encryption",
    why="Mail through this server travels in the clear, and an attacker can divert mail to it.",
    fix="Let this server offer STARTTLS as the others do (Postfix: `smtpd_tls_chain_files` and "
    "`smtpd_tls_security_level = may`; Exim: `tls_certificate` and `tls_advertise_hosts = *`).",
    reference="RFC 3207 §4, RFC 7435",
    reproduce=HoldSession(until="EHLO"),
    badge="No STARTTLS",
    advice="offer_starttls",
)

REQUIRED = Code(
    "smtp.starttls.required",
    Severity.WARN,
    title="The server refuses mail in the clear",
    why="A public mail server must not require TLS: senders without it, or whose handshake fails, cannot "
    "deliver.",
    fix="Offer TLS and do not require it on port 25 (Postfix: `smtpd_tls_security_level = may`; Exim: no "
    "`encrypted = *` condition in `acl_smtp_mail`), and let STARTTLS work.",
    reference="RFC 3207 §4",
    reproduce=RepeatTransactions(),
    badge="TLS required",
    transactions=("postmaster", "null-sender"),
)


@rule(
    "smtp.starttls_offered",
    Severity.CRIT,
    "Checks that every endpoint offers STARTTLS in its answer to EHLO.",
    order=70,
    codes=(ALL_MISSING, MISSING, REQUIRED),
    needs=Input.SESSION,
    tested=any_extensions,
)
def starttls_offered(observation: Observation) -> Iterator[Finding]:
    yield from _required(observation)
    known = [
        (e, session)
        for e in observation.endpoints
        if (session := e.ehlo_session) is not None and (session.offers("STARTTLS") or is_welcome(e))
    ]
    without = [(e, session) for e, session in known if not session.offers("STARTTLS")]
    if without and len(without) == len(known):
        names = listed([endpoint.subject for endpoint, _ in without])
        hint = next((hint for _, session in without if (hint := _masked(session))), "")
        evidence = [item for endpoint, session in without for item in _evidence(endpoint, session)]
        yield ALL_MISSING.finding("", f"STARTTLS is not offered by {names}.{hint}", *evidence)
        return
    for endpoint, session in without:
        yield MISSING.finding(
            endpoint.subject,
            f"STARTTLS is not offered, although other servers of the domain do.{_masked(session)}",
            *_evidence(endpoint, session),
        )


def _required(observation: Observation) -> Iterator[Finding]:
    """Yield the endpoints that demanded TLS of a session in the clear: nothing more was tested there."""
    for endpoint in observation.endpoints:
        answer = own_answer(endpoint)
        if answer.kind is Kind.TLS:
            yield REQUIRED.finding(
                endpoint.subject,
                f"Mail in the clear is refused with {shown(answer.reply)}{quoted(answer.refusal)}, and TLS "
                "was not established here: whether mail is accepted with TLS was not tested.",
                *reply_evidence(endpoint, answer.reply),
                refusal=answer.refusal,
            )


def _evidence(endpoint: Endpoint, session: Session) -> tuple[Evidence, ...]:
    return reply_evidence(endpoint, session.ehlo)


def _masked(session: Session) -> str:
    """Return a hint where a firewall that inspects SMTP overwrote the keyword with X, the length kept."""
    if any(len(k.keyword) >= 4 and set(k.keyword[:-1]) == {"X"} for k in session.capabilities):
        return (
            " A keyword made of X shows that a device masks it (Cisco: turn off `inspect esmtp`), in front "
            "of the server or in this checker's own network: a check from another network decides."
        )
    return ""
