"""EHLO is accepted, or HELO in its place (RFC 5321 §3.2, §4.1.1.1)."""

from collections.abc import Iterator

from checker_smtp.probes.observation import EHLO_KEYWORDS, Endpoint, Observation, ReplySeen, Session
from checker_smtp.probes.refusals import Step

from ._answers import is_against_client, names_client, read_reply
from ._finding import Code, Finding, Outcome, Severity, Urgency
from ._reach import lost
from ._reading import any_greeted, end_evidence, greeted, quoted, reply_evidence, shown
from ._reproduction import HoldSession
from ._rule import Input, rule
from ._shared import NOT_TESTED, OTHER_VIEW, REFUSED_US, SERVER_STATE_FIX, client_fix, deferral_outcome

FAILED = Code(
    "smtp.ehlo.failed",
    Severity.CRIT,
    title="Neither EHLO nor HELO was accepted",
    why="Without EHLO or HELO no mail can be transferred; senders queue the mail and return it in the end.",
    fix="Remove the rule that refuses EHLO (Postfix: `smtpd_helo_restrictions`; Exim: `acl_smtp_helo`), "
    "or the device in front of the server that does.",
    reference="RFC 5321 §4.1.1.1, §4.1.4",
    reproduce=HoldSession(until="EHLO"),
    urgency=Urgency.STOPS_MAIL,
    badge="EHLO refused",
    advice="ehlo",
)
FALLBACK = Code(
    "smtp.ehlo.fallback",
    Severity.WARN,
    title="HELO is accepted and EHLO is not",
    why="Without EHLO there are no extensions: no STARTTLS, so all mail to this server travels in the "
    "clear, and some senders refuse to.",
    fix="Allow EHLO; a firewall that inspects SMTP often removes it: switch that inspection off.",
    reference="RFC 5321 §3.2, RFC 3207 §4",
    reproduce=HoldSession(until="EHLO"),
    urgency=Urgency.STOPS_MAIL,
    badge="HELO only",
    advice="ehlo",
)

DESYNC = Code(
    "smtp.protocol.desync",
    Severity.CRIT,
    title="The server sends a reply that answers no command",
    why="Senders lose track of which reply belongs to which command: they give up, or take a refusal for "
    "an acceptance.",
    fix="A proxy in front may send a PROXY line to a server that does not expect one: turn the PROXY "
    "protocol on at "
    "both, or off at both. Otherwise look for what writes into the connection (greeting scripts, filters).",
    reference="RFC 5321 §4.2, §4.3.1",
    reproduce=HoldSession(until="EHLO"),
    urgency=Urgency.STOPS_MAIL,
    badge="Replies out of step",
)


@rule(
    "smtp.ehlo_supported",
    Severity.CRIT,
    "Checks that every endpoint that greets accepts EHLO.",
    order=60,
    codes=(FAILED, FALLBACK, DESYNC, REFUSED_US, NOT_TESTED),
    needs=Input.SESSION,
    tested=any_greeted,
)
def ehlo_supported(observation: Observation) -> Iterator[Finding]:
    for endpoint in observation.endpoints:
        yield from _out_of_step(endpoint)
        if not greeted(endpoint) or endpoint.ehlo_session:
            continue
        session = endpoint.ready_session
        if session is None:
            yield _failed(endpoint, endpoint.sessions[-1])
        else:
            refusal = session.ehlo or endpoint.main.ehlo
            yield FALLBACK.finding(
                endpoint.subject,
                f"EHLO is refused with {shown(refusal)} and HELO accepted: no extension, so no STARTTLS.",
                *reply_evidence(endpoint, refusal),
                *reply_evidence(endpoint, session.helo),
            )


def _out_of_step(endpoint: Endpoint) -> Iterator[Finding]:
    """Yield a finding for the first reply that answers no command, said before the first transaction.

    This client pairs the replies all the same; an ordinary sender takes it as the reply to EHLO, and every
    later reply for the one before. A 421 ends the session and is no such reply (RFC 5321 §3.8).
    """
    for session in endpoint.sessions:
        asked = [t.mail.entry for t in session.transactions if t.mail is not None]
        early = [r for r in session.unsolicited if r.code != 421 and (not asked or r.entry < min(asked))]
        extra = early or _answers_to_nothing(session)
        if extra and session.greeting is not None and session.greeting.positive:
            yield DESYNC.finding(
                endpoint.subject,
                f"The server sends a reply that answers no command, after its greeting or its reply to EHLO: "
                f"{shown(extra[0])}. A sender takes it as the reply to its next command, and all replies "
                "are one late.",
                *reply_evidence(endpoint, session.greeting),
                *reply_evidence(endpoint, extra[0]),
            )
            return


def _answers_to_nothing(session: Session) -> list[ReplySeen]:
    """Return the reply to EHLO where HELO then got EHLO's, in a session that ended before it was in step."""
    ehlo, helo = session.ehlo, session.helo
    if ehlo is None or helo is None or session.end is None or any(t.mail for t in session.transactions):
        return []
    keywords = {line.split(" ")[0].upper() for line in helo.text.splitlines()[1:]}
    return [ehlo] if ehlo.permanent and helo.positive and keywords & EHLO_KEYWORDS else []


def _failed(endpoint: Endpoint, session: Session) -> Finding:
    reply = session.helo or session.ehlo or endpoint.main.ehlo
    if reply is None or (not reply.permanent and not reply.transient):
        return _unanswered(endpoint, endpoint.main)
    evidence = (*reply_evidence(endpoint, endpoint.main.ehlo), *reply_evidence(endpoint, session.helo))
    replies, refusal = _replies(endpoint.main.ehlo, session.helo), read_reply(reply, Step.EHLO)
    if is_against_client(refusal, Step.EHLO):
        end = ". Either it refuses this client, or everybody."
        if names_client(refusal):
            end = ": it refuses this client."
        return REFUSED_US.finding(
            endpoint.subject,
            f"The server answers {replies}{quoted(refusal)}{end}",
            *evidence,
            outcome=Outcome.REFUSED_US,
            refusal=refusal,
            fix=client_fix(refusal),
        )
    if _lacks_helo(session):
        return FAILED.finding(
            endpoint.subject,
            f"The server answers {replies}{quoted(refusal)} and closes the connection; the next one, for "
            "HELO, was not served.",
            *evidence,
            outcome=Outcome.TRANSIENT,
            severity=Severity.WARN,
            refusal=refusal,
            fix=OTHER_VIEW + FAILED.fix,
        )
    if reply.transient:
        return FAILED.finding(
            endpoint.subject,
            f"The server answers {replies}{quoted(refusal)}: temporarily refused.",
            *evidence,
            outcome=deferral_outcome(refusal),
            severity=Severity.WARN,
            refusal=refusal,
            fix=SERVER_STATE_FIX
            if refusal.is_lasting
            else "Repeat the check later; if it persists look for limits in the server's log.",
        )
    return FAILED.finding(
        endpoint.subject, f"The server answers {replies}{quoted(refusal)}.", *evidence, refusal=refusal
    )


def _lacks_helo(session: Session) -> bool:
    """Return whether the connection that was made for HELO ended before HELO was sent."""
    if session.purpose != "helo-only" or session.helo is not None:
        return False
    return session.end is None or session.end.step != "HELO"


def _unanswered(endpoint: Endpoint, session: Session) -> Finding:
    """Return the finding where no reply settles it: the session ended, or the reply was no completion."""
    end = session.end
    if end is None:
        return FAILED.finding(
            endpoint.subject,
            "The reply to EHLO neither accepts nor refuses it.",
            *reply_evidence(endpoint, session.ehlo),
        )
    evidence = end_evidence(endpoint, session, end)
    if why := lost(end):
        return NOT_TESTED.finding(
            endpoint.subject, f"Not tested: EHLO; {why}.", *evidence, outcome=Outcome.NOT_TESTED
        )
    if end.kind == "timeout":
        return FAILED.finding(
            endpoint.subject,
            "EHLO was not answered in time.",
            *evidence,
            outcome=Outcome.TRANSIENT,
            severity=Severity.WARN,
            fix="Repeat the check with `--timeout 300`: a sender waits five minutes.",
        )
    is_silent = end.kind in ("closed", "reset")
    return FAILED.finding(
        endpoint.subject,
        f"The session ended at EHLO: {end.words}.",
        *evidence,
        fix=OTHER_VIEW + FAILED.fix if is_silent else "",
    )


def _replies(ehlo: ReplySeen | None, helo: ReplySeen | None) -> str:
    commands = (("EHLO", ehlo), ("HELO", helo))
    return " and ".join(f"{command} with {shown(reply)}" for command, reply in commands if reply)
