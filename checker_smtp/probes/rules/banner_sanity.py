"""The server greets with 220, completely and in time (RFC 5321 §3.1, §4.3.2)."""

from collections.abc import Iterator
from dataclasses import replace

from checker_smtp.probes.observation import Ending, Endpoint, Observation, ReplySeen
from checker_smtp.probes.refusals import Reason, Refusal, Step

from ._answers import is_against_client, read_reply
from ._finding import Code, Finding, Outcome, Severity, Urgency
from ._reach import lost
from ._reading import any_connected, end_evidence, quoted, reply_evidence, shown
from ._reproduction import HoldSession
from ._rule import Input, rule
from ._shared import NOT_TESTED, OTHER_VIEW, REFUSED_US, client_fix, deferral_outcome

MISSING = Code(
    "smtp.banner.missing",
    Severity.CRIT,
    title="The server sent no valid SMTP greeting",
    why="Senders wait for the greeting, up to five minutes, and then try another server or retry later.",
    fix="Check that the mail server itself is running behind the port, and not a proxy or firewall "
    "whose backend is gone; look for the connection in its log. If `openssl s_client` shows a certificate, "
    "the port waits for TLS (implicit TLS): turn that off, because port 25 begins in plain text.",
    reference="RFC 5321 §3.1, §4.5.3.2.1",
    reproduce=HoldSession(until="greeting", timeout=300),
    urgency=Urgency.STOPS_MAIL,
    badge="No greeting",
)
REFUSED = Code(
    "smtp.banner.refused",
    Severity.CRIT,
    title="The server does not greet with 220",
    why="A greeting of another code says to a sender that no mail is accepted here.",
    fix="Let the server greet with 220, or remove it from the domain's MX records; if nothing but this "
    "checker is refused, look for the client's address in the server's access rules.",
    reference="RFC 5321 §3.1, RFC 7504",
    reproduce=HoldSession(until="greeting", timeout=300),
    urgency=Urgency.STOPS_MAIL,
    badge="Refuses mail",
)
DEFERRED = Code(
    "smtp.banner.deferred",
    Severity.WARN,
    title="The server greets with a temporary refusal",
    why="Senders retry later; if it lasts, mail is delayed and then returned.",
    fix="Repeat the check; if it persists look into the server's log for its limits on connections, "
    "load, disk space or greylisting.",
    reference="RFC 5321 §3.8, §4.3.2",
    reproduce=HoldSession(until="greeting", timeout=300),
    urgency=Urgency.STOPS_MAIL,
    badge="Temporarily refused",
)
SLOW = Code(
    "smtp.banner.slow",
    Severity.INFO,
    title="The greeting takes more than ten seconds",
    why="Some senders give up sooner than the five minutes they should wait.",
    fix="Look for slow DNS or blocklist lookups at connect, or shorten a deliberate greet delay.",
    reference="RFC 5321 §4.5.3.2.1",
    reproduce=HoldSession(until="greeting", timeout=300),
    urgency=Urgency.STOPS_MAIL,
    badge="Slow greeting",
)

_SLOW_AFTER = 10.0
# Postfix and others wait five seconds for a PROXY line; a second may be lost on the way.
_PROXY_TIMEOUT = 3.0
_TLS_RECORDS = ("\x15\x03", "\x16\x03")
_MAX_BEGUN = 200
# RFC 3463 §3.4: the host accepts no mail. A bare 521 is also sent to blocked clients.
_NO_MAIL_HERE = "5.3.2"


@rule(
    "smtp.banner_sanity",
    Severity.CRIT,
    "Checks that every reachable endpoint greets with 220.",
    order=50,
    codes=(MISSING, REFUSED, DEFERRED, SLOW, REFUSED_US, NOT_TESTED),
    needs=Input.SESSION,
    tested=any_connected,
)
def banner_sanity(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        greeting = endpoint.main.greeting
        if not endpoint.connected:
            continue
        if greeting is None:
            yield from _missing(endpoint)
        elif greeting.positive:
            yield from _slow(endpoint, greeting)
        else:
            yield _refusal(endpoint, greeting, read_reply(greeting, Step.GREETING))


def _missing(endpoint: Endpoint) -> Iterator[Finding]:
    end = endpoint.main.end
    if end is None:
        return
    begun = _begun(endpoint, end)
    evidence = end_evidence(endpoint, endpoint.main, replace(end, excerpt=begun))
    waited = end.at - (endpoint.main.connected_at or 0)
    if end.kind == "timeout":
        sent = "a greeting that it did not finish in" if begun else "nothing for"
        yield MISSING.finding(
            endpoint.subject,
            f"The server accepted the connection and sent {sent} {waited:.0f} s.",
            *evidence,
            outcome=Outcome.TRANSIENT,
            severity=Severity.WARN,
            fix="A sender waits up to five minutes: repeat the check with `--timeout 300` to be sure. "
            + MISSING.fix,
        )
    elif why := lost(end):
        yield NOT_TESTED.finding(
            endpoint.subject,
            f"Not tested: the greeting; {why}.",
            *evidence,
            outcome=Outcome.NOT_TESTED,
        )
    elif end.kind in ("closed", "reset"):
        what = "No complete greeting" if begun else "No greeting"
        yield MISSING.finding(
            endpoint.subject,
            f"{what}: {end.words}.{_tls_hint(begun)}",
            *evidence,
            fix="" if begun else OTHER_VIEW + MISSING.fix,
        )
    else:
        yield MISSING.finding(endpoint.subject, f"No SMTP greeting can be read: {end.words}.", *evidence)


def _begun(endpoint: Endpoint, end: Ending) -> str:
    """Return the first octets of a greeting that the server began and did not finish."""
    received = (str(entry["got"]) for entry in endpoint.main.transcript if "got" in entry)
    return (end.excerpt or "".join(received))[:_MAX_BEGUN]


def _tls_hint(begun: str) -> str:
    """Return a sentence on octets that are a TLS record (RFC 8446 §5.1): an alert or a handshake."""
    if not begun.startswith(_TLS_RECORDS):
        return ""
    return " What it sent is TLS: the port waits for TLS from the start (implicit TLS)."


def _refusal(endpoint: Endpoint, greeting: ReplySeen, refusal: Refusal) -> Finding:
    if greeting.code >= 400 and is_against_client(refusal, Step.GREETING):
        return _client_refused(endpoint, greeting, refusal)
    if greeting.transient:
        return _deferred(endpoint, greeting, refusal)
    return _refused(endpoint, greeting, refusal)


def _client_refused(endpoint: Endpoint, greeting: ReplySeen, refusal: Refusal) -> Finding:
    return REFUSED_US.finding(
        endpoint.subject,
        f"The greeting is {shown(greeting)}{quoted(refusal)}: the server refuses this client.",
        *reply_evidence(endpoint, greeting),
        outcome=Outcome.REFUSED_US,
        refusal=refusal,
        fix=client_fix(refusal),
    )


def _deferred(endpoint: Endpoint, greeting: ReplySeen, refusal: Refusal) -> Finding:
    waited = greeting.at - (endpoint.main.connected_at or 0)
    message = f"The greeting is {shown(greeting)}{quoted(refusal)}: temporarily no service."
    if waited >= _PROXY_TIMEOUT and refusal.reason in (Reason.SERVER_STATE, Reason.UNCLEAR):
        message += (
            f" It came after {waited:.0f} s of silence: the server may wait for the line of a proxy (PROXY "
            "protocol) that is not there."
        )
    return DEFERRED.finding(
        endpoint.subject,
        message,
        *reply_evidence(endpoint, greeting),
        outcome=deferral_outcome(refusal),
        refusal=refusal,
    )


def _refused(endpoint: Endpoint, greeting: ReplySeen, refusal: Refusal) -> Finding:
    evidence = reply_evidence(endpoint, greeting)
    by_words = refusal.of_service or refusal.reason is Reason.SERVER_STATE
    if by_words or refusal.enhanced_code == _NO_MAIL_HERE or not greeting.permanent:
        return REFUSED.finding(
            endpoint.subject,
            f"The greeting is {shown(greeting)}{quoted(refusal)}: no mail is accepted.",
            *evidence,
            refusal=refusal,
        )
    return REFUSED_US.finding(
        endpoint.subject,
        f"The greeting is {shown(greeting)} and gives no reason. Either the server accepts no mail from "
        "anybody, or it refuses this client: one vantage point cannot decide that.",
        *evidence,
        outcome=Outcome.REFUSED_US,
        refusal=refusal,
        fix="Repeat the check from another network. If the greeting is the same there, remove the server "
        "from the MX records or let it greet with 220.",
    )


def _slow(endpoint: Endpoint, greeting: ReplySeen) -> Iterator[Finding]:
    waited = greeting.at - (endpoint.main.connected_at or 0)
    if waited > _SLOW_AFTER:
        yield SLOW.finding(
            endpoint.subject,
            f"The greeting was complete after {waited:.0f} s.",
            *reply_evidence(endpoint, greeting),
        )
