"""Where STARTTLS is offered it works: accepted, nothing injected, a handshake, EHLO behind it."""

from collections.abc import Iterator

from probes.observation import Endpoint, Observation, Session

from ._finding import Evidence, Finding, Outcome, Severity, code, rule
from ._reading import end_evidence, extensions, reply_evidence, shown
from ._shared import NOT_TESTED

FAILED = code(
    "smtp.starttls.failed",
    Severity.CRIT,
    title="Encryption is offered and does not work",
    why="Senders that try it lose the connection; some fall back to the clear, others do not deliver.",
    fix="Look into the server's log for the handshake; check that the certificate fits its key and that "
    "the protocol versions and ciphers allowed are current (`openssl s_client -starttls smtp "
    "-connect HOST:25`).",
    reference="RFC 3207 §4, §4.1",
)
DEFERRED = code(
    "smtp.starttls.deferred",
    Severity.WARN,
    title="Encryption is offered and then put off",
    why="Senders deliver in the clear or wait; a server that has no usable key says so with 454.",
    fix="Repeat the check; if it persists see whether the server can read its key and certificate.",
    reference="RFC 3207 §4",
)
INJECTION = code(
    "smtp.starttls.injection",
    Severity.CRIT,
    title="Something is said in the clear between STARTTLS and the handshake",
    why="What arrives there can be put in by anybody on the way, and clients that read it behind the "
    "handshake take it for the server's own word.",
    fix="Update the mail server; if it is current, look for a proxy or firewall that speaks in its place.",
    reference="RFC 3207 §4.2, §6",
)


@rule(
    "smtp.starttls_handshake",
    Severity.CRIT,
    "Checks that STARTTLS works wherever it is offered.",
    FAILED,
    DEFERRED,
    INJECTION,
    NOT_TESTED,
    tested=lambda o: any((s := extensions(e)) is not None and s.offers("STARTTLS") for e in o.endpoints),
)
def starttls_handshake(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        for session in endpoint.sessions:
            if session.purpose in ("main", "helo-only", "without-sni"):
                yield from _session(endpoint, session)


def _session(endpoint: Endpoint, session: Session) -> Iterator[Finding]:
    reply = session.starttls
    if not session.offers("STARTTLS"):
        return
    if reply is None:
        yield from _unanswered(endpoint, session)
    elif reply.transient:
        yield DEFERRED.finding(
            endpoint.subject,
            f"STARTTLS is answered with {shown(reply)}: not now.",
            *reply_evidence(endpoint, reply),
            outcome=Outcome.TRANSIENT,
        )
    elif not reply.positive:
        yield FAILED.finding(
            endpoint.subject,
            f"STARTTLS is offered and answered with {shown(reply)}.",
            *reply_evidence(endpoint, reply),
        )
    elif session.tls is None:
        yield from _no_handshake(endpoint, session)
    elif session.ehlo_tls is None or not session.ehlo_tls.positive:
        yield from _no_hello(endpoint, session)


def _end(endpoint: Endpoint, session: Session) -> tuple[str, str, tuple[Evidence, ...]]:
    end = session.end
    if end is None:
        return "", "", ()
    return end.kind, end.detail, end_evidence(endpoint, session, end)


def _unanswered(endpoint: Endpoint, session: Session) -> Iterator[Finding]:
    kind, _, evidence = _end(endpoint, session)
    if kind == "timeout":
        yield _late(endpoint, "STARTTLS was not answered in time.", evidence)
    elif kind == "budget":
        yield _out_of_time(endpoint, evidence)
    elif kind:
        yield FAILED.finding(endpoint.subject, f"STARTTLS ended the session ({kind}).", *evidence)


def _no_handshake(endpoint: Endpoint, session: Session) -> Iterator[Finding]:
    kind, detail, evidence = _end(endpoint, session)
    evidence = (*reply_evidence(endpoint, session.starttls), *evidence)
    if kind == "starttls.plaintext":
        yield INJECTION.finding(
            endpoint.subject, "Octets in the clear follow the 220 to STARTTLS; they were not used.", *evidence
        )
    elif kind == "timeout":
        yield _late(endpoint, "The TLS handshake was not finished in time.", evidence)
    elif kind == "budget":
        yield _out_of_time(endpoint, evidence)
    elif any(other.purpose == "without-sni" and other.tls is not None for other in endpoint.sessions):
        yield FAILED.finding(
            endpoint.subject,
            "The handshake is refused with the MX name as server name (SNI) and succeeds without one.",
            *evidence,
            severity=Severity.WARN,
            fix="Let the server answer to its MX name, or ignore server names it does not know.",
        )
    elif session.purpose == "main" or kind:
        told = " ".join(filter(None, (kind, f"({detail})" if detail else "")))
        yield FAILED.finding(endpoint.subject, f"The TLS handshake failed: {told}.", *evidence)


def _no_hello(endpoint: Endpoint, session: Session) -> Iterator[Finding]:
    if session.ehlo_tls is not None:
        yield FAILED.finding(
            endpoint.subject,
            f"After the handshake EHLO is answered with {shown(session.ehlo_tls)}.",
            *reply_evidence(endpoint, session.ehlo_tls),
            outcome=Outcome.TRANSIENT if session.ehlo_tls.transient else Outcome.FAIL,
            severity=Severity.WARN if session.ehlo_tls.transient else None,
        )
        return
    kind, _, evidence = _end(endpoint, session)
    if kind == "timeout":
        yield _late(endpoint, "After the handshake EHLO was not answered in time.", evidence)
    elif kind == "budget":
        yield _out_of_time(endpoint, evidence)
    else:
        yield FAILED.finding(
            endpoint.subject, f"The session ended right after the handshake ({kind}).", *evidence
        )


def _late(endpoint: Endpoint, message: str, evidence: tuple[Evidence, ...]) -> Finding:
    return FAILED.finding(
        endpoint.subject, message, *evidence, outcome=Outcome.TRANSIENT, severity=Severity.WARN
    )


def _out_of_time(endpoint: Endpoint, evidence: tuple[Evidence, ...]) -> Finding:
    return NOT_TESTED.finding(
        endpoint.subject,
        "The time for this endpoint ran out before the TLS handshake was done.",
        *evidence,
        outcome=Outcome.NOT_TESTED,
    )
