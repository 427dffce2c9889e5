"""AUTH is not offered before TLS (RFC 4954 §4, RFC 8314 §3)."""

import re
from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation

from ._finding import Code, Finding, Severity, Urgency
from ._reading import any_extensions, listed, reply_evidence
from ._reproduction import HoldSession
from ._rule import Input, rule

PLAINTEXT = Code(
    "smtp.auth.plaintext",
    Severity.CRIT,
    title="The server invites clients to log in without encryption",
    why="A mail program that is configured wrongly sends its password in the clear, and everybody on the way "
    "can read it.",
    fix="Offer AUTH only after STARTTLS (Postfix: `smtpd_tls_auth_only = yes`; Exim: "
    "`auth_advertise_hosts = ${if def:tls_in_cipher {*}}`), or on the submission ports only.",
    reference="RFC 4954 §4, RFC 8314 §3",
    reproduce=HoldSession(until="EHLO"),
    urgency=Urgency.EXPOSES_SECRETS,
    badge="AUTH in the clear",
    quoted_keyword="AUTH",
)

# Mechanisms that send the secret itself, or a token as good as it, readable by any listener.
_REVEALING = ("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER")
# RFC 4422 §3.1; anything else in its place is not repeated
_is_mechanism = re.compile(r"[A-Z0-9_-]{1,20}").fullmatch


@rule(
    "smtp.auth_posture",
    Severity.CRIT,
    "Checks that AUTH is not offered before STARTTLS.",
    order=90,
    codes=(PLAINTEXT,),
    needs=Input.SESSION,
    tested=any_extensions,
)
def auth_posture(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        mechanisms = _mechanisms(endpoint)
        if mechanisms is None:
            continue
        revealing = [m for m in mechanisms if m in _REVEALING]
        session = endpoint.ehlo_session
        evidence = reply_evidence(endpoint, session.ehlo if session else None)
        if revealing:
            yield PLAINTEXT.finding(
                endpoint.subject, f"AUTH {' '.join(revealing)} is offered before TLS.", *evidence
            )
        elif mechanisms:
            yield PLAINTEXT.finding(
                endpoint.subject,
                f"AUTH is offered before TLS ({listed(mechanisms)}); the password itself is not sent in "
                "the clear.",
                *evidence,
                severity=Severity.WARN,
            )
        else:
            yield PLAINTEXT.finding(
                endpoint.subject,
                "AUTH is offered before TLS without any mechanism: no login is possible there.",
                *evidence,
                severity=Severity.INFO,
                fix="Nothing needs to be fixed; some servers announce AUTH like this until TLS is "
                "established.",
            )


def _mechanisms(endpoint: Endpoint) -> list[str] | None:
    """Return the SASL mechanisms offered in the clear; None where AUTH is not."""
    session = endpoint.ehlo_session
    offers = [k.parameters for k in session.capabilities if k.keyword == "AUTH"] if session else []
    if not offers:
        return None
    mechanisms = (m.upper() for parameters in offers for m in parameters)
    return list(dict.fromkeys(m for m in mechanisms if _is_mechanism(m)))
