"""STARTTLS works where it is offered: accepted, nothing injected, a handshake, EHLO accepted after it."""

from collections.abc import Iterator
from itertools import islice

from checker_smtp.probes.observation import Ending, Endpoint, Observation, ReplySeen, Session
from checker_smtp.probes.refusals import Reason, Refusal, Step

from ._answers import defers_everything, read_reply
from ._finding import Code, Evidence, Finding, Outcome, Severity, Urgency
from ._reach import lost
from ._reading import end_evidence, quoted, reply_evidence, shown
from ._reproduction import HoldSession, ReadOctets, StartTlsHandshake
from ._rule import Input, rule
from ._shared import NOT_TESTED, REFUSED_US, client_fix, deferral_outcome

FAILED = Code(
    "smtp.starttls.failed",
    Severity.CRIT,
    title="STARTTLS is offered, and a session with it failed",
    why="Senders that try it cannot encrypt: some deliver in the clear, others do not deliver.",
    fix="Look into the server's log for the handshake; check that the certificate fits its key and that "
    "the protocol versions and ciphers allowed are current (`openssl s_client -starttls smtp "
    "-connect HOST:25`).",
    reference="RFC 3207 §4, §4.1",
    reproduce=StartTlsHandshake(),
    urgency=Urgency.LOSES_MAIL,
    badge="STARTTLS broken",
    advice="starttls_handshake",
)
DEFERRED = Code(
    "smtp.starttls.deferred",
    Severity.WARN,
    title="STARTTLS is offered and temporarily refused",
    why="Senders deliver in the clear or wait; a server that has no usable key says so with 454.",
    fix="Repeat the check. If STARTTLS is refused again, see that the server can read its key and its "
    "certificate; its log has the cause.",
    reference="RFC 3207 §4",
    reproduce=HoldSession(until="STARTTLS"),
    badge="STARTTLS deferred",
    advice="starttls_handshake",
)
INJECTION = Code(
    "smtp.starttls.injection",
    Severity.CRIT,
    title="Unencrypted octets arrived between STARTTLS and the handshake",
    why="Anybody on the way can inject octets there, and clients that read them after the handshake take "
    "them for replies of the server.",
    fix="Update the mail server; if that does not help, look for a proxy or firewall that answers in its "
    "place.",
    reference="RFC 3207 §4.2, §6",
    reproduce=ReadOctets(command="STARTTLS"),
    urgency=Urgency.EXPOSES_SECRETS,
    badge="STARTTLS injection",
)

# RFC 5321 §3.8: it ends the session, and may be the reply to any command
_SHUTDOWN = 421
_SHUTDOWN_FIX = (
    "Repeat the check. If the server ends the session again, look into its log for its limits on connections "
    "and load: a 421 says nothing about the key or the certificate."
)
_CERTIFICATE_DEMANDS = ("certificate required", "no client certificate", "client certificate not")


@rule(
    "smtp.starttls_handshake",
    Severity.CRIT,
    "Checks that STARTTLS works wherever it is offered.",
    order=80,
    codes=(FAILED, DEFERRED, INJECTION, REFUSED_US, NOT_TESTED),
    needs=Input.TLS,
    tested=lambda o: any((s := e.ehlo_session) is not None and s.offers("STARTTLS") for e in o.endpoints),
)
def starttls_handshake(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        yield from _session(endpoint, endpoint.main)
        # without SNI there may be a new fault after the handshake; a handshake that fails again is none
        unnamed = (s for s in endpoint.sessions if s.purpose == "without-sni" and s.tls is not None)
        for session in islice(unnamed, 1):
            yield from _session(endpoint, session)


def _session(endpoint: Endpoint, session: Session) -> Iterator[Finding]:
    reply = session.starttls
    if not session.offers("STARTTLS"):
        return
    end = session.end
    if reply is None:
        if end is not None and end.step == "STARTTLS":
            evidence = end_evidence(endpoint, session, end)
            yield _ended(
                endpoint, end, evidence, "STARTTLS was not answered", "The session ended at STARTTLS"
            )
    elif not reply.positive:
        yield from _refused(endpoint, reply)
    elif demand := _certificate_demand(endpoint, session):
        words, evidence = demand
        yield FAILED.finding(
            endpoint.subject,
            f"The server requires a client certificate of everybody: {words}.",
            *evidence,
            fix="Do not require client certificates on port 25 (Postfix: `smtpd_tls_req_ccert = no`; Exim: "
            "`tls_verify_hosts` empty): other mail servers have none.",
        )
    elif session.ehlo_tls is not None:
        if not session.ehlo_tls.positive:
            yield _refused_hello(endpoint, session.ehlo_tls)
    elif end is not None:
        yield (_no_handshake if session.tls is None else _no_hello)(endpoint, session, end)


def _refused(endpoint: Endpoint, reply: ReplySeen) -> Iterator[Finding]:
    """Yield the finding for a refusal of STARTTLS, unless another rule reports it."""
    refusal = read_reply(reply, Step.EHLO)
    if refusal.blames_client:
        yield _client_refused(endpoint, reply, refusal, f"STARTTLS is answered with {shown(reply)}")
    elif not reply.transient:
        yield FAILED.finding(
            endpoint.subject,
            f"STARTTLS is offered and answered with {shown(reply)}.",
            *reply_evidence(endpoint, reply),
        )
    elif not defers_everything(endpoint):  # else postmaster reports it: no fault of the server's TLS
        yield _deferred(endpoint, reply, refusal)


def _client_refused(endpoint: Endpoint, reply: ReplySeen, refusal: Refusal, said: str) -> Finding:
    """Return the finding for words against this client, which say nothing about the server's TLS."""
    return REFUSED_US.finding(
        endpoint.subject,
        f"{said}{quoted(refusal)}: the server refuses this client.",
        *reply_evidence(endpoint, reply),
        outcome=Outcome.REFUSED_US,
        refusal=refusal,
        fix=client_fix(refusal),
    )


def _deferred(endpoint: Endpoint, reply: ReplySeen, refusal: Refusal) -> Finding:
    """Return the finding for a 4yz. Only words about the server's own state settle what is to be fixed."""
    said, evidence = f"STARTTLS is answered with {shown(reply)}", reply_evidence(endpoint, reply)
    if refusal.reason is not Reason.SERVER_STATE:
        return DEFERRED.finding(
            endpoint.subject,
            f"{said}, a temporary refusal.",
            *evidence,
            outcome=Outcome.TRANSIENT,
            fix=_SHUTDOWN_FIX if reply.code == _SHUTDOWN else "",
        )
    return DEFERRED.finding(
        endpoint.subject,
        f"{said}{quoted(refusal)}: the server reports a fault of its own.",
        *evidence,
        outcome=deferral_outcome(refusal),
        refusal=refusal,
    )


def _no_handshake(endpoint: Endpoint, session: Session, end: Ending) -> Finding:
    evidence = (*reply_evidence(endpoint, session.starttls), *end_evidence(endpoint, session, end))
    if end.kind == "starttls.plaintext":
        return INJECTION.finding(
            endpoint.subject, "Octets in the clear follow the 220 to STARTTLS; they were not used.", *evidence
        )
    works_unnamed = any(
        other.purpose == "without-sni" and other.tls is not None for other in endpoint.sessions
    )
    if works_unnamed and end.kind != "timeout" and not lost(end):
        return FAILED.finding(
            endpoint.subject,
            "The handshake is refused with the MX name as server name (SNI) and succeeds without one.",
            *evidence,
            severity=Severity.WARN,
            fix="Let the server answer to its MX name, or ignore server names it does not know.",
        )
    return _ended(endpoint, end, evidence, "The TLS handshake was not finished", "The TLS handshake failed")


def _refused_hello(endpoint: Endpoint, reply: ReplySeen) -> Finding:
    said, refusal = f"After the handshake EHLO is answered with {shown(reply)}", read_reply(reply, Step.EHLO)
    if refusal.blames_client:
        return _client_refused(endpoint, reply, refusal, said)
    return FAILED.finding(
        endpoint.subject,
        f"{said}.",
        *reply_evidence(endpoint, reply),
        outcome=Outcome.TRANSIENT if reply.transient else Outcome.FAIL,
        severity=Severity.WARN if reply.transient else None,
        fix=_SHUTDOWN_FIX if reply.code == _SHUTDOWN else "",
    )


def _no_hello(endpoint: Endpoint, session: Session, end: Ending) -> Finding:
    return _ended(
        endpoint,
        end,
        end_evidence(endpoint, session, end),
        "After the handshake EHLO was not answered",
        "The session ended right after the handshake",
    )


def _ended(endpoint: Endpoint, end: Ending, evidence: tuple[Evidence, ...], late: str, ended: str) -> Finding:
    """Return the finding on a session that ended too early; `late` and `ended` begin its sentence."""
    if end.kind == "timeout":
        return FAILED.finding(
            endpoint.subject, f"{late} in time.", *evidence, outcome=Outcome.TRANSIENT, severity=Severity.WARN
        )
    if why := lost(end):
        message = f"Not tested: the TLS handshake; {why}."
        return NOT_TESTED.finding(endpoint.subject, message, *evidence, outcome=Outcome.NOT_TESTED)
    return FAILED.finding(endpoint.subject, f"{ended}: {end.words}.", *evidence)


def _certificate_demand(endpoint: Endpoint, session: Session) -> tuple[str, tuple[Evidence, ...]] | None:
    """Return the alert or the reply that demands a client certificate, with its evidence; None without one.

    In TLS 1.3 the alert comes with the first read after the handshake.
    """
    end = session.end
    if end is not None and _demands_certificate(end.detail):
        return f"TLS alert, {end.detail}", end_evidence(endpoint, session, end)
    if session.tls is None:
        return None
    replies = (session.ehlo_tls, *(t.verdict for t in session.transactions))
    for reply in replies:
        if reply is not None and reply.permanent and _demands_certificate(reply.text):
            return shown(reply), reply_evidence(endpoint, reply)
    return None


def _demands_certificate(text: str) -> bool:
    return any(words in text.lower() for words in _CERTIFICATE_DEMANDS)
