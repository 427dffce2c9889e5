"""Extensions that every sender profits from, and how well the server keeps to the protocol."""

from collections import Counter
from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation

from ._finding import Code, Finding, Severity
from ._reading import any_connected, listed, reply_evidence
from ._reproduction import HoldSession, ReadOctets
from ._rule import Input, rule

PIPELINING = Code(
    "smtp.ext.pipelining",
    Severity.INFO,
    title="PIPELINING is not offered",
    why="Every message takes some round trips more; nothing breaks.",
    fix="Offer PIPELINING if the server can (Postfix and Exim do by default, postscreen's deep protocol "
    "tests and some firewalls take it away).",
    reference="RFC 2920 §3",
    reproduce=HoldSession(until="EHLO"),
)
EIGHT_BIT = Code(
    "smtp.ext.8bitmime",
    Severity.INFO,
    title="8BITMIME is not offered",
    why="Senders have to re-encode messages that are not pure ASCII, which breaks some signatures.",
    fix="Offer 8BITMIME (Postfix does by default; Exim: `accept_8bitmime`).",
    reference="RFC 6152 §2",
    reproduce=HoldSession(until="EHLO"),
)
DEVIATION = Code(
    "smtp.protocol.deviation",
    Severity.INFO,
    title="The server's replies are not as the protocol has them",
    why="Most clients tolerate it, strict ones do not, and some lose track of which reply belongs to what.",
    fix="Update the server, or look for custom banner and reply texts, scripts, and firewalls that rewrite "
    "SMTP.",
    reference="RFC 5321 §4.2",
    reproduce=ReadOctets(),
    badge="Protocol deviations",
)


@rule(
    "smtp.extension_posture",
    Severity.INFO,
    "Checks for PIPELINING and 8BITMIME, and that replies follow the protocol.",
    order=140,
    codes=(PIPELINING, EIGHT_BIT, DEVIATION),
    needs=Input.TLS,
    tested=any_connected,
)
def extension_posture(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        yield from _missing(endpoint, "PIPELINING", PIPELINING)
        yield from _missing(endpoint, "8BITMIME", EIGHT_BIT)
        yield from _deviations(endpoint)


def _missing(endpoint: Endpoint, keyword: str, kind: Code) -> Iterator[Finding]:
    session = endpoint.ehlo_session
    if session is None:
        return
    known = {k.keyword for k in (*session.capabilities, *session.capabilities_tls)}
    if keyword not in known:
        reply = session.ehlo_tls or session.ehlo
        yield kind.finding(
            endpoint.subject,
            f"{keyword} is not among the extensions offered.",
            *reply_evidence(endpoint, reply),
        )


def _deviations(endpoint: Endpoint) -> Iterator[Finding]:
    """One finding for all that breaks an RFC; what is merely unusual is left to the transcript."""
    met = [
        (reply, deviation)
        for session in endpoint.sessions
        for reply in session.replies
        for deviation in reply.deviations
        if deviation.reference
    ]
    if not met:
        return
    counts = Counter(deviation.kind for _, deviation in met)
    sections = {deviation.kind: deviation.reference for _, deviation in met}
    first = {deviation.kind: reply for reply, deviation in reversed(met)}
    told = listed([f"{kind} ({n}×, {sections[kind]})" for kind, n in sorted(counts.items())], most=10)
    evidence = [item for kind in sorted(first) for item in reply_evidence(endpoint, first[kind])]
    yield DEVIATION.finding(endpoint.subject, f"The replies deviate: {told}.", *dict.fromkeys(evidence))
