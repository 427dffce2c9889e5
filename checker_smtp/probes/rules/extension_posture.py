"""Extensions that help every sender, and the conformance of the server's replies."""

from collections import Counter
from collections.abc import Iterator

from checker_smtp.probes.observation import Endpoint, Irregularity, Keyword, Observation, ReplySeen, Session
from smtp_sansio import Capabilities

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
SIZE = Code(
    "smtp.ext.size",
    Severity.WARN,
    title="The server takes only small messages",
    why="Senders read the limit of SIZE, and return every message above it at once.",
    fix="Raise the limit (Postfix and Exim: `message_size_limit`).",
    reference="RFC 5321 §4.5.3.1.7",
    reproduce=HoldSession(until="EHLO"),
)
INCOMPLETE = Code(
    "smtp.ext.incomplete",
    Severity.WARN,
    title="An extension is offered without the one it needs",
    why="A sender that relies on the first may send what the server does not take.",
    fix="Offer both, or neither: look for a filter or a firewall that removes one of them.",
    reference="RFC 6531 §3.1, RFC 3030 §3",
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

# Octets: what every server must take, and what senders usually may expect.
_MUST_TAKE = 64 * 1024
_USUAL = 10_000_000
_NEEDS = {"SMTPUTF8": "8BITMIME", "BINARYMIME": "CHUNKING"}
# Characters of a line in a message; the evidence has the whole reply.
_MAX_LINE = 60


@rule(
    "smtp.extension_posture",
    Severity.WARN,
    "Checks for PIPELINING and 8BITMIME, the limit of SIZE, and that replies follow the protocol.",
    order=140,
    codes=(PIPELINING, EIGHT_BIT, SIZE, INCOMPLETE, DEVIATION, RSET_REFUSED),
    needs=Input.TLS,
    tested=any_connected,
)
def extension_posture(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        session = endpoint.ehlo_session
        if session is not None and is_welcome(endpoint):
            yield from _offered(endpoint, session)
        yield from _deviations(endpoint)
        yield from _refused_rset(endpoint)


def _offered(endpoint: Endpoint, session: Session) -> Iterator[Finding]:
    known = {k.keyword for k in (*session.capabilities, *session.capabilities_tls)}
    # what holds in the end is what was offered last (RFC 3207 §4.2)
    last = session.capabilities if session.ehlo_tls is None else session.capabilities_tls
    keywords = {k.keyword for k in last}
    evidence = reply_evidence(endpoint, session.ehlo_tls or session.ehlo)
    for keyword, kind in (("PIPELINING", PIPELINING), ("8BITMIME", EIGHT_BIT)):
        if keyword not in known:
            message = f"{keyword} is not among the extensions offered."
            yield kind.finding(endpoint.subject, message, *evidence)
    most = _size_limit(last)
    if 0 < most < _USUAL:
        yield SIZE.finding(
            endpoint.subject,
            f"The server takes messages of at most {most:,} octets (SIZE)"
            + (f"; every server must take {_MUST_TAKE:,}." if most < _MUST_TAKE else "."),
            *evidence,
            severity=None if most < _MUST_TAKE else Severity.INFO,
        )
    for keyword, needed in _NEEDS.items():
        if keyword in keywords and needed not in keywords:
            yield INCOMPLETE.finding(
                endpoint.subject, f"{keyword} is offered without {needed}, which it needs.", *evidence
            )


def _size_limit(offered: tuple[Keyword, ...]) -> int:
    """Return the limit of SIZE in octets; 0 where there is none, or several (RFC 1870 §4)."""
    lines = [(k.keyword, k.parameters) for k in offered if k.keyword == "SIZE"]
    is_clear = [len(parameters) for _, parameters in lines] == [1]
    return (Capabilities(tuple(lines)).size or 0) if is_clear else 0


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
    first = {deviation.kind: (reply, deviation) for reply, deviation in reversed(violations)}
    kinds, known = [], ""
    for kind, number in sorted(counts.items()):
        line = _line_of(*first[kind])
        place = "the same line" if line == known else f'"{line}"'
        kinds.append(_described(first[kind][1], number, place))
        known = line
    evidence = [item for kind in sorted(first) for item in reply_evidence(endpoint, first[kind][0])]
    yield DEVIATION.finding(
        endpoint.subject, f"The replies have {listed(kinds, most=10)}.", *dict.fromkeys(evidence)
    )


def _described(deviation: Irregularity, number: int, place: str) -> str:
    """Return the words for a kind of deviation, its section, and the line that has it first."""
    times = f"{number} times, first in" if number > 1 else "in"
    return f"{deviation.words} ({deviation.reference}; {times} {place})"


def _line_of(reply: ReplySeen, deviation: Irregularity) -> str:
    lines = reply.raw.removesuffix("\n").split("\n")
    line = lines[min(max(deviation.line, 1), len(lines)) - 1].removesuffix("\r")
    text = " ".join(line.encode("latin-1", "replace").decode("utf-8", "backslashreplace").split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= _MAX_LINE else f"{text[:_MAX_LINE]}…"


def _refused_rset(endpoint: Endpoint) -> Iterator[Finding]:
    replies = [t.rset for session in endpoint.sessions for t in session.transactions if t.rset is not None]
    refused = next((reply for reply in replies if reply.code >= 400 and reply.code != 421), None)
    if refused is not None:
        yield RSET_REFUSED.finding(
            endpoint.subject,
            f"RSET is answered with {shown(refused)}; a server must accept it at any time.",
            *reply_evidence(endpoint, refused),
        )
