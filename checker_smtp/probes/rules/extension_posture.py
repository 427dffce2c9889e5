"""Extensions that help every sender, and the conformance of the server's replies."""

from collections import Counter
from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Observation

from ._answers import is_welcome
from ._finding import Code, Finding, Severity
from ._reading import any_connected, listed, reply_evidence, shown
from ._reproduction import HoldSession, ReadOctets, RepeatSession
from ._rule import Input, rule

PIPELINING = Code(
    "smtp.ext.pipelining",
    Severity.INFO,
    title="PIPELINING is not offered",
    why="Every message takes some more round trips; nothing fails.",
    fix="Offer PIPELINING if the server can (Postfix and Exim do by default, postscreen's deep protocol "
    "tests and some firewalls remove it).",
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
    title="Replies of the server deviate from the protocol",
    why="Most clients tolerate it, strict ones do not, and some match replies to the wrong commands.",
    fix="Update the server, or look for custom banner and reply texts, scripts, and firewalls that rewrite "
    "SMTP.",
    reference="RFC 5321 §4.2",
    reproduce=ReadOctets(),
    badge="Protocol deviations",
)

RSET_REFUSED = Code(
    "smtp.protocol.rset",
    Severity.INFO,
    title="RSET is refused",
    why="A sender that starts a new transaction on the same connection has to connect again.",
    fix="Let the server accept RSET at any time, and raise its limit for it.",
    reference="RFC 5321 §4.1.1.5",
    reproduce=RepeatSession(),
    badge="Protocol deviations",
)


@rule(
    "smtp.extension_posture",
    Severity.INFO,
    "Checks for PIPELINING and 8BITMIME, and that replies follow the protocol.",
    order=140,
    codes=(PIPELINING, EIGHT_BIT, DEVIATION, RSET_REFUSED),
    needs=Input.TLS,
    tested=any_connected,
)
def extension_posture(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        yield from _missing(endpoint, "PIPELINING", PIPELINING)
        yield from _missing(endpoint, "8BITMIME", EIGHT_BIT)
        yield from _deviations(endpoint)
        yield from _refused_rset(endpoint)


def _missing(endpoint: Endpoint, keyword: str, kind: Code) -> Iterator[Finding]:
    session = endpoint.ehlo_session
    if session is None or not is_welcome(endpoint):
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
    """Yield one finding for all that violates an RFC; the merely unusual stays in the transcript."""
    violations = [
        (reply, deviation)
        for session in endpoint.sessions
        for reply in session.replies
        for deviation in reply.deviations
        if deviation.reference
    ]
    if not violations:
        return
    counts = Counter(deviation.kind for _, deviation in violations)
    sections = {deviation.kind: deviation.reference for _, deviation in violations}
    first = {deviation.kind: reply for reply, deviation in reversed(violations)}
    kinds = listed([f"{kind} ({n}×, {sections[kind]})" for kind, n in sorted(counts.items())], most=10)
    evidence = [item for kind in sorted(first) for item in reply_evidence(endpoint, first[kind])]
    yield DEVIATION.finding(endpoint.subject, f"The replies deviate: {kinds}.", *dict.fromkeys(evidence))


def _refused_rset(endpoint: Endpoint) -> Iterator[Finding]:
    replies = [t.rset for session in endpoint.sessions for t in session.transactions if t.rset is not None]
    refused = next((reply for reply in replies if reply.code >= 400 and reply.code != 421), None)
    if refused is not None:
        yield RSET_REFUSED.finding(
            endpoint.subject,
            f"RSET is answered with {shown(refused)}; a server must accept it at any time.",
            *reply_evidence(endpoint, refused),
        )
